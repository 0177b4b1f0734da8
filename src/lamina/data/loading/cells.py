"""Single values of tables: as texts, as numbers, or missing."""

import re
import types
import unicodedata
from typing import Any

import numpy as np

from lamina.core.messages.errors import type_with_article
from lamina.data.loading.numbers import number_of

_MAX_FLOAT32 = 3e38
_UNSUPPORTED_TYPES = (
    list, tuple, dict, set, frozenset, bytes, bytearray, complex, np.complexfloating, np.ndarray,
    types.FunctionType, types.BuiltinFunctionType, types.GeneratorType,
)  # fmt: skip
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "?", "#n/a", "#na", "<na>", "nat"})
# Longer texts are neither numbers nor words for a missing value.
_MAX_LENGTH = 64
_INTEGER = re.compile(r"(-?\d+)\.0")


def unsupported_value(values: Any) -> str | None:
    """The type of a value that is neither a number nor a text nor a date, in words; or None.

    Example:
        >>> unsupported_value([1, [2, 3]]), unsupported_value([1j])
        ('a list', 'a complex')
    """
    if getattr(getattr(values, "dtype", None), "kind", "O") in "biufMmUS":
        return None
    for kind in {type(value) for value in values}:
        # The default text of an object has its address, so it cannot be a category.
        has_no_text = kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__
        if has_no_text or kind is type or issubclass(kind, _UNSUPPORTED_TYPES):
            return type_with_article(kind)
    return None


def as_texts(values: Any) -> list[str | None]:
    """Values as texts, None for those that are missing.

    Integers are written without a fraction and letters with accents as one character, so that equal
    values of different files are equal texts.

    Example:
        >>> as_texts([1.0, "1.0", "a ", None, float("nan"), "N/A", True])
        ['1', '1', 'a', None, None, None, 'True']
    """
    cache: dict[Any, str | None] = {}  # most columns have few distinct values
    texts = []
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        values = np.datetime_as_string(values)
    for value in values.tolist() if hasattr(values, "tolist") else values:
        key = (type(value), value)
        try:
            if key not in cache:
                cache[key] = _as_text(value)
            texts.append(cache[key])
        except TypeError:  # a list, which has no hash
            texts.append(_as_text(value))
    return texts


def strings_in(values: Any) -> list[str]:
    """The values that are strings; a column of numbers has none.

    Example:
        >>> strings_in(["1,5", 2.5, None])
        ['1,5']
    """
    if _kind_of(values) in "biufcmM":
        return []
    return [value for value in values if isinstance(value, str)]


def parse_numbers(values: Any, decimal_comma: bool) -> list[float | None]:
    """Values as numbers, None for those that are missing or are not numbers.

    Args:
        values: A column, or a sequence.
        decimal_comma: Whether numbers in strings have a decimal comma.
    """
    if _kind_of(values) in "iuf":
        if hasattr(values, "to_numpy"):
            values = values.to_numpy(dtype="float64", na_value=np.nan)
        with np.errstate(invalid="ignore"):
            is_valid = np.abs(np.asarray(values, dtype="float64")) < _MAX_FLOAT32
        pairs = zip(values.tolist(), is_valid, strict=True)
        return [number if valid else None for number, valid in pairs]
    if isinstance(values, np.ndarray) or hasattr(values, "tolist"):
        values = values.tolist()
    cache: dict[str, float | None] = {}  # as in `as_texts`
    numbers = []
    for value in values:
        if type(value) is not str:
            numbers.append(_parse_number(value, decimal_comma))
            continue
        if value not in cache:
            cache[value] = _parse_number(value, decimal_comma)
        numbers.append(cache[value])
    return numbers


def _kind_of(values: Any) -> str:
    """The kind of the dtype of a column, a letter; `"O"` for objects and for lists."""
    return str(getattr(getattr(values, "dtype", None), "kind", "O"))


def _parse_number(value: Any, decimal_comma: bool) -> float | None:
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        try:
            return _within_float32(float(value))
        except OverflowError:
            return None
    text = _as_text(value)
    return None if text is None else _within_float32(number_of(text, decimal_comma))


def _within_float32(number: float | None) -> float | None:
    """A number that fits into float32, or None."""
    return number if number is not None and abs(number) < _MAX_FLOAT32 else None


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
    if len(text) > _MAX_LENGTH:
        return text
    if text.lower() in ("true", "false"):
        return text.capitalize()
    if text.endswith(".0") and (whole := _INTEGER.fullmatch(text)):
        return whole[1]
    return None if text.lower() in _MISSING else text


def is_list_of_values(value: Any) -> bool:
    """Whether an entry of a dict of columns is a whole column rather than a single value."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return hasattr(value, "to_numpy") or isinstance(value, (list, tuple))
