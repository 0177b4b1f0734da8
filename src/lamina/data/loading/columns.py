"""Guesses what the columns of a table hold, and converts columns to inputs of a model."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.contract import Column
from lamina.core.messages.errors import did_you_mean
from lamina.data.loading.cells import (
    as_texts,
    is_list_of_values,
    parse_numbers,
    strings_in,
    unsupported_value,
)
from lamina.data.loading.dates import date_columns, day_month_order, is_date
from lamina.data.loading.decimal_marks import has_decimal_comma
from lamina.data.loading.numbers import mostly_numbers

# Fraction of the values that must be dates for a column to count as dates.
_MIN_DATES = 0.95
# With this many rows, shuffled integers without a gap are taken for row numbers.
_MIN_SHUFFLED_ROWS = 20
# Numbers are codes if this fraction of them begins with 0, such as 00123; or any fraction of them,
# if all have the same length.
_MIN_CODES = 0.05
# Limits of the categories that are stored in a model's file.
_MAX_CATEGORIES, _MAX_CATEGORY_LENGTH = 50_000, 10_000


@dataclass(frozen=True)
class UnusableColumn:
    """A column that a model cannot use.

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
    named_by_user: bool = False,
    day_first: bool | None = None,
    decimal_comma: bool | None = None,
) -> Column | UnusableColumn:
    """Guess what a column holds from its values; `UnusableColumn` if a model cannot use it.

    Args:
        name: Name of the column.
        values: A pandas column.
        kind: The kind that the user has specified, if any.
        named_by_user: Whether the user has named the column as an input. It is then used even if it
            seems useless.
        day_first: Whether ambiguous dates begin with the day.
        decimal_comma: Whether ambiguous numbers have a decimal comma.
    """
    unsupported = unsupported_value(values)
    if unsupported is not None:
        return UnusableColumn(name, f"has {unsupported} in it, and not one number or text a row")
    texts = as_texts(values)
    present = [text for text in texts if text is not None]
    missing = len(texts) - len(present)
    if not present:
        return UnusableColumn(name, "has no values")
    distinct = sorted(set(present))
    if kind is not None:
        categories = _storable(distinct) if kind == "category" else ()
        comma = kind == "number" and _has_comma(values, decimal_comma)
        if kind == "date":
            return _date_column(name, "as you said", present, missing, day_first)
        return Column(name, kind, "as you said", missing, categories, decimal_comma=comma)
    if len(distinct) == 1 and not missing:
        return UnusableColumn(name, f"has a single value, {distinct[0]!r}")
    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "kind", "O") == "M":
        return Column(name, "date", "its type", missing)
    if getattr(dtype, "kind", "O") == "b" or set(distinct) <= {"True", "False"}:
        return Column(name, "category", "true or false", missing, tuple(distinct))
    comma = _has_comma(values, decimal_comma)
    numbers = parse_numbers(values, comma)
    valid_numbers = [number for number in numbers if number is not None]
    are_codes = _are_codes(present)
    if mostly_numbers(texts, numbers) and not are_codes:
        if not named_by_user and not missing and _is_row_number(name, texts, numbers):
            return UnusableColumn(name, "numbers the rows")
        invalid = len(present) - len(valid_numbers)
        why = f"from {min(valid_numbers):g} to {max(valid_numbers):g}"
        if invalid:
            pairs = zip(texts, numbers, strict=True)
            example = next(t for t, n in pairs if t is not None and n is None)[:20]
            why += f", but for {invalid:,} that cannot be read, e.g. {example!r}"
        return Column(name, "number", why, missing + invalid, decimal_comma=comma)
    if sum(map(is_date, present)) >= _MIN_DATES * len(present):
        return _date_column(name, "dates", present, missing, day_first)
    words = sum(len(text.split()) for text in present) / len(present)
    if words >= 2 and len(distinct) > max(20, 0.5 * len(present)):
        return Column(name, "text", f"{words:.0f} words on average", missing)
    if not named_by_user and len(distinct) > max(20, 0.9 * len(present)):
        return UnusableColumn(name, "has another value in nearly every row")
    mixed = f", {len(valid_numbers):,} of them numbers" if valid_numbers else ""
    mixed = ", codes that begin with 0" if are_codes else mixed
    return Column(
        name, "category", f"{len(distinct):,} different values{mixed}", missing, _storable(distinct)
    )


def values_of(column: Column, values: Any) -> dict[str, np.ndarray]:
    """Convert a column to inputs of a model, arrays by name, each `(rows,)`.

    Numbers are float32, NaN if they are missing or cannot be read. Categories and texts are
    strings, `""` if they are missing. A date becomes three numbers: days since 1970, the month and
    the day of the week.

    Args:
        column: Name and kind of the column.
        values: A pandas column, or a sequence.

    Example:
        >>> column = Column("size", "number")
        >>> values_of(column, ["1", "2.5", None])["size"].tolist()
        [1.0, 2.5, nan]
    """
    if column.kind == "date":
        return date_columns(column.name, as_texts(values), column.day_first)
    if column.kind == "number":
        numbers = parse_numbers(values, column.decimal_comma)
        array = np.array([np.nan if number is None else number for number in numbers], "float32")
        return {column.name: array}
    texts = as_texts(values)
    array = np.empty(len(texts), dtype=object)
    array[:] = ["" if text is None else text for text in texts]
    return {column.name: array}


def inputs_of(columns: Sequence[Column], table: Any) -> tuple[dict[str, np.ndarray], list[str]]:
    """Convert a table to inputs of a model; also return the names of its other columns.

    Args:
        columns: The columns that a model was trained on.
        table: A pandas table, a dict of columns, or one row as a dict. The order of its columns
            does not matter.

    Raises:
        ValueError: If a column is missing; the message names it and the most similar name.

    Example:
        >>> size = Column("size", "number", "numbers")
        >>> inputs, extra = inputs_of([size], {"colour": "red", "size": 3})
        >>> inputs["size"].tolist(), extra
        ([3.0], ['colour'])
    """
    if isinstance(table, Mapping):
        table = {str(name): v if is_list_of_values(v) else [v] for name, v in table.items()}
    present = list(map(str, table.keys()))
    inputs: dict[str, np.ndarray] = {}
    for column in columns:
        if column.name not in present:
            raise ValueError(
                f"There is no column {column.name!r}, which the model was trained on."
                f"{did_you_mean(column.name, present)}\n  Columns: {', '.join(present)}.\n"
                "  Fix: add the column; a value that is not known may be left empty."
            )
        arrays = values_of(column, table[column.name])
        conflicts = sorted(set(arrays) & set(inputs))
        if conflicts:
            raise ValueError(
                f"Column {column.name!r} is a date and becomes an input {conflicts[0]!r}, but "
                "another column has that name.\n  Fix: rename that column."
            )
        inputs |= arrays
    names = {column.name for column in columns}
    return inputs, [name for name in present if name not in names]


def _is_row_number(name: str, texts: Sequence[str | None], numbers: Sequence[float | None]) -> bool:
    count = len(numbers)
    if count > 2 and list(numbers) in (list(range(count)), list(range(1, count + 1))):
        return True
    in_order = sorted(number for number in numbers if number is not None)
    is_shuffled = count >= _MIN_SHUFFLED_ROWS and in_order != list(numbers)
    if is_shuffled and in_order == [in_order[0] + i for i in range(count)]:
        return True
    identifier = re.match(r"(?i)^(id|index|row|unnamed: \d+|.*[_ ]id)$", name)
    identifier = identifier or re.match(r"^.*[a-z](Id|ID)$", name)
    return identifier is not None and len(set(texts)) == len(texts)


def _has_comma(values: Any, default: bool | None) -> bool:
    strings = strings_in(values)
    return bool(strings) and has_decimal_comma(strings, default)


def _are_codes(texts: Sequence[str]) -> bool:
    """Whether numbers are codes, such as postcodes, some of which begin with 0."""
    codes = sum(text[:1] == "0" and re.fullmatch(r"0\d+", text) is not None for text in texts)
    return codes > _MIN_CODES * len(texts) or (codes > 0 and len(set(map(len, texts))) == 1)


def _storable(categories: Sequence[str]) -> tuple[str, ...]:
    """The categories if they can be stored in a model's file; else an empty tuple."""
    if len(categories) > _MAX_CATEGORIES or max(map(len, categories)) > _MAX_CATEGORY_LENGTH:
        return ()
    return tuple(categories)


def _date_column(
    name: str, why: str, texts: Sequence[str], missing: int, day_first: bool | None
) -> Column:
    order = day_month_order(texts, day_first)
    invalid = sum(not is_date(text) for text in texts)
    why += f"; {order.why}" if order.why else ""
    why += f"; {invalid:,} have an unusual format" if invalid else ""
    return Column(name, "date", why, missing, day_first=order.day_first)
