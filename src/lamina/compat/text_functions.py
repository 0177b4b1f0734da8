"""The part of `tf.strings` with which scripts prepare text: functions of NumPy arrays of `str`.

`TextVectorization` calls a user's `standardize` or `split` function with such arrays.
"""

import re
import string
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lamina.core.types import DTypeLike
from lamina.core.user_data.text import as_host_array

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)


def lower(input: Any, encoding: str = "", name: Any = None) -> np.ndarray:
    """Lower case; only ASCII letters are changed, unless the encoding is `"utf-8"`."""
    if encoding.lower() == "utf-8":
        return _apply_to_texts(str.lower, input)
    return _apply_to_texts(lambda text: text.translate(_LOWER), input)


def upper(input: Any, encoding: str = "", name: Any = None) -> np.ndarray:
    """Upper case; only ASCII letters are changed, unless the encoding is `"utf-8"`."""
    if encoding.lower() == "utf-8":
        return _apply_to_texts(str.upper, input)
    return _apply_to_texts(lambda text: text.translate(_UPPER), input)


def strip(input: Any, name: Any = None) -> np.ndarray:
    """Without whitespace at the beginning and the end."""
    return _apply_to_texts(lambda text: text.strip(string.whitespace), input)


def regex_replace(
    input: Any, pattern: str, rewrite: str, replace_global: bool = True, name: Any = None
) -> np.ndarray:
    """Every match of a pattern replaced; `\\1` in `rewrite` is its first group, `\\0` all of it."""
    expression = re.compile(pattern)
    rewrite = re.sub(r"\\(\d)", r"\\g<\1>", rewrite)
    return _apply_to_texts(
        lambda text: expression.sub(rewrite, text, count=0 if replace_global else 1), input
    )


def regex_full_match(input: Any, pattern: str, name: Any = None) -> np.ndarray:
    """Whether the whole of each text matches a pattern."""
    expression = re.compile(pattern)
    return _apply_to_texts(lambda text: expression.fullmatch(text) is not None, input, bool)


def length(input: Any, unit: str = "BYTE", name: Any = None) -> np.ndarray:
    """Length of each text in bytes of UTF-8, or in characters with `unit="UTF8_CHAR"`."""
    if unit == "UTF8_CHAR":
        return _apply_to_texts(len, input, "int32")
    return _apply_to_texts(lambda text: len(text.encode()), input, "int32")


def split(input: Any, sep: str | None = None, maxsplit: int = -1, name: Any = None) -> list:
    """The words of each text, or the parts between separators."""
    texts = as_host_array(input)
    if texts.ndim == 0:
        return texts.item().split(sep or None, maxsplit)
    return [split(text, sep, maxsplit) for text in texts]


def join(inputs: Sequence[Any], separator: str = "", name: Any = None) -> np.ndarray:
    """Concatenate texts at the same positions."""
    arrays = np.broadcast_arrays(*(as_host_array(part) for part in inputs))
    joined = [separator.join(parts) for parts in zip(*(a.ravel() for a in arrays), strict=True)]
    return _as_text_array(joined, arrays[0].shape, object)


def _apply_to_texts(
    function: Callable[[str], Any], input: Any, dtype: DTypeLike = object
) -> np.ndarray:
    texts = np.asarray(as_host_array(input))
    return _as_text_array(list(map(function, texts.ravel().tolist())), texts.shape, dtype)


def _as_text_array(values: list, shape: tuple, dtype: DTypeLike) -> np.ndarray:
    result = np.empty(len(values), dtype)
    result[:] = values
    return result.reshape(shape)
