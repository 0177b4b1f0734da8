"""What the columns of a table hold: guessed from their values once, then used for every table."""

import re
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from lamina.contract import Column
from lamina.core.messages.errors import described_type, did_you_mean
from lamina.data.loading.dates import date_columns, is_date, order_of

KINDS = ("number", "category", "date", "text")

# Share of the values that must be readable as numbers or dates for a column to count as such.
_MOST = 0.95
_NUMBER = re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$")
# What spreadsheets print around a number.
_UNITS = " $€£¥%\u00a0"
_LARGEST = 3e38
# Longer texts are no numbers; the cache does not keep them.
_LONGEST_NUMBER = 64
_NOT_ONE_VALUE = (
    list, tuple, dict, set, frozenset, bytes, bytearray, complex, np.complexfloating, np.ndarray,
    types.FunctionType, types.BuiltinFunctionType, types.GeneratorType,
)  # fmt: skip
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "?"})


@dataclass(frozen=True)
class Unusable:
    """A column that tells a model nothing.

    Args:
        name: Its name.
        why: The reason, as the end of a sentence.
    """

    name: str
    why: str


def guess_column(
    name: str,
    values: Any,
    kind: str | None = None,
    chosen: bool = False,
    day_first: bool | None = None,
) -> Column | Unusable:
    """What a column holds, from its values.

    Args:
        name: Its name.
        values: A pandas column.
        kind: What the user says it is.
        chosen: Whether the user has named the column, so that it is of use if it can be.
        day_first: Whether dates begin with the day, where they do not tell.
    """
    strange = odd_value(values)
    if strange is not None:
        return Unusable(name, f"has {strange} in it, and not one number or text a row")
    texts = as_texts(values)
    there = [text for text in texts if text is not None]
    missing = len(texts) - len(there)
    if not there:
        return Unusable(name, "has no values")
    distinct = sorted(set(there))
    if kind is not None:
        categories = tuple(distinct) if kind == "category" else ()
        comma = kind == "number" and has_decimal_comma(there)
        if kind == "date":
            return _date_column(name, "as you said", there, missing, day_first)
        return Column(name, kind, "as you said", missing, categories, decimal_comma=comma)
    if len(distinct) == 1 and not missing:
        return Unusable(name, f"has one value alone, {distinct[0]!r}")
    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "kind", "O") == "M":
        return Column(name, "date", "its type", missing)
    if getattr(dtype, "kind", "O") == "b" or set(distinct) <= {"True", "False"}:
        return Column(name, "category", "true or false", missing, tuple(distinct))
    comma = has_decimal_comma(there) if getattr(dtype, "kind", "O") not in "iuf" else False
    read = [number for number in numbers_of(values, comma) if number is not None]
    if len(read) >= _MOST * len(there):
        if not chosen and not missing and _numbers_the_rows(name, texts):
            return Unusable(name, "numbers the rows")
        odd = len(there) - len(read)
        why = f"from {min(read):g} to {max(read):g}"
        why += f", but for {odd:,} that cannot be read" if odd else ""
        return Column(name, "number", why, missing + odd, decimal_comma=comma)
    if sum(map(is_date, there)) >= _MOST * len(there):
        return _date_column(name, "dates", there, missing, day_first)
    words = sum(len(text.split()) for text in there) / len(there)
    if words >= 2 and len(distinct) > max(20, 0.5 * len(there)):
        return Column(name, "text", f"{words:.0f} words on average", missing)
    if not chosen and len(distinct) > max(20, 0.9 * len(there)):
        return Unusable(name, "has another value in nearly every row")
    mixed = f", {len(read):,} of them numbers" if read else ""
    return Column(
        name, "category", f"{len(distinct):,} different values{mixed}", missing, tuple(distinct)
    )


def values_of(column: Column, values: Any) -> dict[str, np.ndarray]:
    """A column as arrays that a model takes, by name, each `(rows,)`.

    Numbers are float32 with NaN where they are missing or cannot be read. Categories and texts
    are strings, `""` where they are missing. A date becomes three numbers: days since 1970, the
    month and the day of the week.

    Args:
        column: What it holds.
        values: A pandas column, or a sequence.

    Example:
        >>> column = Column("size", "number")
        >>> values_of(column, ["1", "2.5", None])["size"].tolist()
        [1.0, 2.5, nan]
    """
    if column.kind == "date":
        return date_columns(column.name, as_texts(values), column.day_first)
    if column.kind == "number":
        read = numbers_of(values, column.decimal_comma)
        array = np.array([np.nan if number is None else number for number in read], "float32")
        return {column.name: array}
    texts = as_texts(values)
    array = np.empty(len(texts), dtype=object)
    array[:] = ["" if text is None else text for text in texts]
    return {column.name: array}


def inputs_of(columns: Sequence[Column], table: Any) -> tuple[dict[str, np.ndarray], list[str]]:
    """The inputs that columns make of a table, and the names of its other columns.

    Args:
        columns: The columns that a model was trained on.
        table: A pandas table, a dict of columns, or one row as a dict. The order of its columns
            does not matter.

    Raises:
        ValueError: If a column is not there; the message names it and the nearest that is.

    Example:
        >>> size = Column("size", "number", "numbers")
        >>> inputs, extra = inputs_of([size], {"colour": "red", "size": 3})
        >>> inputs["size"].tolist(), extra
        ([3.0], ['colour'])
    """
    if isinstance(table, Mapping):
        table = {str(name): v if holds_several(v) else [v] for name, v in table.items()}
    there = list(map(str, table.keys()))
    inputs: dict[str, np.ndarray] = {}
    for column in columns:
        if column.name not in there:
            raise ValueError(
                f"There is no column {column.name!r}, which the model was trained on."
                f"{did_you_mean(column.name, there)}\n  Columns: {', '.join(there)}.\n"
                "  Fix: add the column; a value that is not known may be left empty."
            )
        made = values_of(column, table[column.name])
        taken = sorted(set(made) & set(inputs))
        if taken:
            raise ValueError(
                f"Column {column.name!r} is a date and makes an input {taken[0]!r}, and another "
                "column has that name.\n  Fix: rename that column."
            )
        inputs |= made
    names = {column.name for column in columns}
    return inputs, [name for name in there if name not in names]


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
            return described_type(kind)
    return None


def as_texts(values: Any) -> list[str | None]:
    """Values as they are written, None for those that are missing.

    Example:
        >>> as_texts([1.0, "a ", None, float("nan"), "N/A", True])
        ['1', 'a', None, None, None, 'True']
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


def number_of(text: str, decimal_comma: bool = False) -> float | None:
    """The number that a text means, or None.

    Args:
        text: As a person or a spreadsheet writes it: `"1,234.5"`, `"$12"`, `"3 %"`, `"2e-3"`.
        decimal_comma: Whether the comma is the decimal mark, and the point separates thousands.

    Example:
        >>> number_of("1,234.5"), number_of("1.234,5", decimal_comma=True), number_of("three")
        (1234.5, 1234.5, None)
    """
    return _number_of_short(text, decimal_comma) if len(text) <= _LONGEST_NUMBER else None


@lru_cache(2**16)
def _number_of_short(text: str, decimal_comma: bool) -> float | None:
    text = text.strip(_UNITS)
    mark, thousands = (",", ".") if decimal_comma else (".", ",")
    if re.match(rf"^[-+]?[1-9]\d{{0,2}}(\{thousands}\d{{3}})+(\{mark}\d*)?$", text):
        text = text.replace(thousands, "")
    if decimal_comma:
        text = text.replace(",", ".") if text.count(".") + text.count(",") <= 1 else ""
    return float(text) if _NUMBER.match(text) else None


def has_decimal_comma(texts: Iterable[str | None]) -> bool:
    """Whether commas in a column are decimal marks: most that tell do not separate thousands.

    Example:
        >>> has_decimal_comma(["1,5", "2,25"]), has_decimal_comma(["1,500", "2,250", "1.5"])
        (True, False)
    """
    comma = point = 0
    for text in texts:
        if text is None or ("," not in text and "." not in text):
            continue
        with_point, with_comma = number_of(text), number_of(text, decimal_comma=True)
        comma += with_point is None and with_comma is not None
        point += with_comma is None and with_point is not None
        # 1.5 is read either way, and would be written 1,5 where the comma is the mark.
        point += re.match(r"^[-+]?\d*\.\d+$", text.strip(_UNITS)) is not None
    return comma > point


def numbers_of(values: Any, decimal_comma: bool) -> list[float | None]:
    """Values as numbers, None for what is missing or is none."""
    if isinstance(values, np.ndarray) or hasattr(values, "tolist"):
        values = values.tolist()
    return [_number_in(value, decimal_comma) for value in values]


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
        if not np.isfinite(number):
            return None
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    text = str(value).strip()
    if text.lower() in ("true", "false"):
        return text.capitalize()
    return None if text.lower() in _MISSING or text in ("NaT", "<NA>") else text


def holds_several(value: Any) -> bool:
    """Whether what a dict has for a column is a list of values rather than one."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return hasattr(value, "to_numpy") or isinstance(value, (list, tuple))


def _numbers_the_rows(name: str, texts: Sequence[str | None]) -> bool:
    numbers = [None if text is None else number_of(text) for text in texts]
    if len(numbers) > 2 and numbers in (
        list(range(len(numbers))),
        list(range(1, len(numbers) + 1)),
    ):
        return True
    identifier = re.match(r"(?i)^(id|index|row|unnamed: \d+|.*[_ ]id)$", name)
    return identifier is not None and len(set(texts)) == len(texts)


def _date_column(
    name: str, why: str, texts: Sequence[str], missing: int, day_first: bool | None
) -> Column:
    order = order_of(texts, day_first)
    unread = sum(not is_date(text) for text in texts)
    why += f"; {order.why}" if order.why else ""
    why += f"; {unread:,} are in no usual form" if unread else ""
    return Column(name, "date", why, missing, day_first=order.day_first)
