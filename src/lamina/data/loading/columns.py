"""What the columns of a table hold: guessed from their values once, then used for every table."""

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from lamina.contract import Column
from lamina.core.messages.errors import did_you_mean

KINDS = ("number", "category", "date", "text")

# Share of the values that must be readable as numbers or dates for a column to count as such.
_MOST = 0.95
_NUMBER = re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$")
# What spreadsheets print around a number.
_UNITS = " $€£¥%\u00a0"
_LARGEST = 3e38
_DATE = re.compile(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?$")
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
    name: str, values: Any, kind: str | None = None, chosen: bool = False
) -> Column | Unusable:
    """What a column holds, from its values.

    Args:
        name: Its name.
        values: A pandas column.
        kind: What the user says it is.
        chosen: Whether the user has named the column, so that it is of use if it can be.
    """
    texts = as_texts(values)
    there = [text for text in texts if text is not None]
    missing = len(texts) - len(there)
    if not there:
        return Unusable(name, "has no values")
    distinct = sorted(set(there))
    if kind is not None:
        categories = tuple(distinct) if kind == "category" else ()
        comma = kind == "number" and has_decimal_comma(there)
        return Column(name, kind, "as you said", missing, categories, _day_first(there), comma)
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
    dates = sum(_DATE.match(text) is not None for text in there)
    if dates >= _MOST * len(there):
        return Column(name, "date", "dates", missing, (), _day_first(there))
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
        return _dates(column.name, values, column.day_first)
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
        table = {name: v if _is_column(v) else [v] for name, v in table.items()}
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
        if key not in known:
            known[key] = _as_text(value)
        texts.append(known[key])
    return texts


@lru_cache(2**16)
def number_of(text: str, decimal_comma: bool = False) -> float | None:
    """The number that a text means, or None.

    Args:
        text: As a person or a spreadsheet writes it: `"1,234.5"`, `"$12"`, `"3 %"`, `"2e-3"`.
        decimal_comma: Whether the comma is the decimal mark, and the point separates thousands.

    Example:
        >>> number_of("1,234.5"), number_of("1.234,5", decimal_comma=True), number_of("three")
        (1234.5, 1234.5, None)
    """
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
    return [
        _finite(float(value))
        if isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        else None
        if (text := _as_text(value)) is None
        else _finite(number_of(text, decimal_comma))
        for value in values
    ]


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


def _is_column(value: Any) -> bool:
    return hasattr(value, "to_numpy") or isinstance(value, (list, tuple, np.ndarray))


def _numbers_the_rows(name: str, texts: Sequence[str | None]) -> bool:
    numbers = [None if text is None else number_of(text) for text in texts]
    if len(numbers) > 2 and numbers in (
        list(range(len(numbers))),
        list(range(1, len(numbers) + 1)),
    ):
        return True
    identifier = re.match(r"(?i)^(id|index|row|unnamed: \d+|.*[_ ]id)$", name)
    return identifier is not None and len(set(texts)) == len(texts)


def _day_first(texts: Sequence[str]) -> bool:
    """Whether dates begin with the day: one of the first numbers is no month."""
    starts = (re.match(r"(\d{1,2})[-/.]\d{1,2}[-/.]", text) for text in texts)
    return any(start is not None and int(start[1]) > 12 for start in starts)


def _dates(name: str, values: Any, day_first: bool) -> dict[str, np.ndarray]:
    import pandas as pd

    texts = pd.Series(as_texts(values), dtype="object")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of dates that leave no choice
        # A date that begins with the year has one reading.
        iso = texts.str.match(r"\d{4}\D", na=False) if len(texts) else texts.notna()
        options: dict[str, Any] = {"errors": "coerce", "format": "mixed", "utc": True}
        read = pd.to_datetime(texts.where(~iso), dayfirst=day_first, **options)
        read = read.fillna(pd.to_datetime(texts.where(iso), **options))
    days = (read - pd.Timestamp(1970, 1, 1, tz="UTC")).dt.total_seconds() / 86400
    return {
        f"{name}_days": days.to_numpy("float32"),
        f"{name}_month": read.dt.month.to_numpy("float32"),
        f"{name}_weekday": read.dt.day_of_week.to_numpy("float32"),
    }
