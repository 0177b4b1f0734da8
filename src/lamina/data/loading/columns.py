"""What the columns of a table hold: guessed from their values once, then used for every table."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.contract import Column
from lamina.core.messages.errors import did_you_mean
from lamina.data.loading.cells import as_texts, holds_several, numbers_of, odd_value, strings_in
from lamina.data.loading.dates import date_columns, day_month_order, is_date
from lamina.data.loading.decimal_marks import has_decimal_comma
from lamina.data.loading.numbers import mostly_numbers

# Share of the values that must be readable as dates for a column to count as such.
_MOST = 0.95
# With fewer rows, whole numbers without a gap may be anything.
_FEWEST_SHUFFLED = 20
# Share of values such as 00123, or any share if all are of one length, that makes numbers codes.
_CODES = 0.05
# More categories, or longer ones, are not listed: a model's file could not be read.
_MOST_CATEGORIES, _LONGEST_CATEGORY = 50_000, 10_000


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
    decimal_comma: bool | None = None,
) -> Column | Unusable:
    """Guess what a column holds from its values; `Unusable` if a model cannot use it.

    Args:
        name: Its name.
        values: A pandas column.
        kind: What the user says it is.
        chosen: Whether the user has named the column, so that it is of use if it can be.
        day_first: Whether dates begin with the day, where they do not tell.
        decimal_comma: Whether numbers have a decimal comma, where they do not tell.
    """
    strange = odd_value(values)
    if strange is not None:
        return Unusable(name, f"has {strange} in it, and not one number or text a row")
    texts = as_texts(values)
    present = [text for text in texts if text is not None]
    missing = len(texts) - len(present)
    if not present:
        return Unusable(name, "has no values")
    distinct = sorted(set(present))
    if kind is not None:
        categories = _listed(distinct) if kind == "category" else ()
        comma = kind == "number" and _has_comma(values, decimal_comma)
        if kind == "date":
            return _date_column(name, "as you said", present, missing, day_first)
        return Column(name, kind, "as you said", missing, categories, decimal_comma=comma)
    if len(distinct) == 1 and not missing:
        return Unusable(name, f"has a single value, {distinct[0]!r}")
    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "kind", "O") == "M":
        return Column(name, "date", "its type", missing)
    if getattr(dtype, "kind", "O") == "b" or set(distinct) <= {"True", "False"}:
        return Column(name, "category", "true or false", missing, tuple(distinct))
    comma = _has_comma(values, decimal_comma)
    numbers = numbers_of(values, comma)
    read = [number for number in numbers if number is not None]
    are_codes = _are_codes(present)
    if mostly_numbers(texts, numbers) and not are_codes:
        if not chosen and not missing and _numbers_the_rows(name, texts, numbers):
            return Unusable(name, "numbers the rows")
        odd = len(present) - len(read)
        why = f"from {min(read):g} to {max(read):g}"
        why += f", but for {odd:,} that cannot be read" if odd else ""
        if odd:
            pairs = zip(texts, numbers, strict=True)
            why += f", e.g. {next(t for t, n in pairs if t is not None and n is None)[:20]!r}"
        return Column(name, "number", why, missing + odd, decimal_comma=comma)
    if sum(map(is_date, present)) >= _MOST * len(present):
        return _date_column(name, "dates", present, missing, day_first)
    words = sum(len(text.split()) for text in present) / len(present)
    if words >= 2 and len(distinct) > max(20, 0.5 * len(present)):
        return Column(name, "text", f"{words:.0f} words on average", missing)
    if not chosen and len(distinct) > max(20, 0.9 * len(present)):
        return Unusable(name, "has another value in nearly every row")
    mixed = f", {len(read):,} of them numbers" if read else ""
    mixed = ", codes that begin with 0" if are_codes else mixed
    return Column(
        name, "category", f"{len(distinct):,} different values{mixed}", missing, _listed(distinct)
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
    present = list(map(str, table.keys()))
    inputs: dict[str, np.ndarray] = {}
    for column in columns:
        if column.name not in present:
            raise ValueError(
                f"There is no column {column.name!r}, which the model was trained on."
                f"{did_you_mean(column.name, present)}\n  Columns: {', '.join(present)}.\n"
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
    return inputs, [name for name in present if name not in names]


def _numbers_the_rows(
    name: str, texts: Sequence[str | None], numbers: Sequence[float | None]
) -> bool:
    count = len(numbers)
    if count > 2 and list(numbers) in (list(range(count)), list(range(1, count + 1))):
        return True
    known = sorted(number for number in numbers if number is not None)
    is_shuffled = count >= _FEWEST_SHUFFLED and known != list(numbers)
    if is_shuffled and known == [known[0] + i for i in range(count)]:
        return True
    identifier = re.match(r"(?i)^(id|index|row|unnamed: \d+|.*[_ ]id)$", name)
    identifier = identifier or re.match(r"^.*[a-z](Id|ID)$", name)
    return identifier is not None and len(set(texts)) == len(texts)


def _has_comma(values: Any, otherwise: bool | None) -> bool:
    strings = strings_in(values)
    return bool(strings) and has_decimal_comma(strings, otherwise)


def _are_codes(texts: Sequence[str]) -> bool:
    """Whether numbers are codes, as postcodes are: some begin with 0."""
    codes = sum(text[:1] == "0" and re.fullmatch(r"0\d+", text) is not None for text in texts)
    return codes > _CODES * len(texts) or (codes > 0 and len(set(map(len, texts))) == 1)


def _listed(categories: Sequence[str]) -> tuple[str, ...]:
    """The categories, if there are not too many to be kept in a model's file."""
    few = len(categories) <= _MOST_CATEGORIES
    return tuple(categories) if few and max(map(len, categories)) <= _LONGEST_CATEGORY else ()


def _date_column(
    name: str, why: str, texts: Sequence[str], missing: int, day_first: bool | None
) -> Column:
    order = day_month_order(texts, day_first)
    unread = sum(not is_date(text) for text in texts)
    why += f"; {order.why}" if order.why else ""
    why += f"; {unread:,} are in no usual form" if unread else ""
    return Column(name, "date", why, missing, day_first=order.day_first)
