"""Single values of tables: as they are written, as numbers, or missing."""

import re
import types
import unicodedata
from typing import Any

import numpy as np

from lamina.core.messages.errors import type_with_article
from lamina.data.loading.numbers import number_of

_LARGEST = 3e38
_NOT_ONE_VALUE = (
    list, tuple, dict, set, frozenset, bytes, bytearray, complex, np.complexfloating, np.ndarray,
    types.FunctionType, types.BuiltinFunctionType, types.GeneratorType,
)  # fmt: skip
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "?", "#n/a", "#na", "<na>", "nat"})
# Longer texts are neither numbers nor words for what is missing.
_LONGEST_WORD = 64
_WHOLE = re.compile(r"(-?\d+)\.0")


def odd_value(values: Any) -> str | None:
    """What a column holds that is neither a number nor a text nor a date, or None.

    Example:
        >>> odd_value([1, "a", None]), odd_value([1, [2, 3]]), odd_value([1j])
        (None, 'a list', 'a complex')
    """
    if getattr(getattr(values, "dtype", None), "kind", "O") in "biufMmUS":
        return None
    for kind in {type(value) for value in values}:
        # An object that has no text of its own would be a category named after its address.
        nameless = kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__
        if nameless or kind is type or issubclass(kind, _NOT_ONE_VALUE):
            return type_with_article(kind)
    return None


def as_texts(values: Any) -> list[str | None]:
    """Values as they are written, None for those that are missing.

    Whole numbers have no fraction and letters with accents are one character, whatever wrote them.

    Example:
        >>> as_texts([1.0, "1.0", "a ", None, float("nan"), "N/A", True])
        ['1', '1', 'a', None, None, None, 'True']
    """
    known: dict[Any, str | None] = {}  # columns have few different values, mostly
    texts = []
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        values = np.datetime_as_string(values)
    for value in values.tolist() if hasattr(values, "tolist") else values:
        key = (type(value), value)
        try:
            if key not in known:
                known[key] = _as_text(value)
            texts.append(known[key])
        except TypeError:  # a list, which has no hash
            texts.append(_as_text(value))
    return texts


def strings_in(values: Any) -> list[str]:
    """The values that are texts: of a column of numbers there are none.

    Example:
        >>> strings_in(["1,5", 2.5, None])
        ['1,5']
    """
    if _kind_of(values) in "biufcmM":
        return []
    return [value for value in values if isinstance(value, str)]


def numbers_of(values: Any, decimal_comma: bool) -> list[float | None]:
    """Values as numbers, None for what is missing or is none.

    Args:
        values: A column, or a sequence.
        decimal_comma: Whether those that are texts have a decimal comma.
    """
    if _kind_of(values) in "iuf":
        if hasattr(values, "to_numpy"):
            values = values.to_numpy(dtype="float64", na_value=np.nan)
        with np.errstate(invalid="ignore"):
            read = np.abs(np.asarray(values, dtype="float64")) < _LARGEST
        return [number if n else None for number, n in zip(values.tolist(), read, strict=True)]
    if isinstance(values, np.ndarray) or hasattr(values, "tolist"):
        values = values.tolist()
    known: dict[str, float | None] = {}  # as in as_texts
    numbers = []
    for value in values:
        if type(value) is not str:
            numbers.append(_number_in(value, decimal_comma))
            continue
        if value not in known:
            known[value] = _number_in(value, decimal_comma)
        numbers.append(known[value])
    return numbers


def _kind_of(values: Any) -> str:
    """NumPy's letter for the type of a column; `"O"` for objects and for what has no type."""
    return str(getattr(getattr(values, "dtype", None), "kind", "O"))


def _number_in(value: Any, decimal_comma: bool) -> float | None:
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        try:
            return _finite(float(value))
        except OverflowError:
            return None
    text = _as_text(value)
    return None if text is None else _finite(number_of(text, decimal_comma))


def _finite(number: float | None) -> float | None:
    """A number that fits into float32, or None."""
    return number if number is not None and abs(number) < _LARGEST else None


def _as_text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if np.isnan(number):
            return None
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    text = str(value).strip()
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if len(text) > _LONGEST_WORD:
        return text
    if text.lower() in ("true", "false"):
        return text.capitalize()
    if text.endswith(".0") and (whole := _WHOLE.fullmatch(text)):
        return whole[1]
    return None if text.lower() in _MISSING else text


def holds_several(value: Any) -> bool:
    """Whether what a dict has for a column is a list of values rather than one."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return hasattr(value, "to_numpy") or isinstance(value, (list, tuple))
