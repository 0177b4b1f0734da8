"""How the numbers and dates of a table are written, where that is not as in training.

A file of another program may have decimal commas, or dates that begin with the day.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from lamina.contract import Column
from lamina.data.loading.cells import as_texts, holds_several, numbers_of
from lamina.data.loading.dates import date_of, day_month_order
from lamina.data.loading.decimal_marks import DecimalMarks, decimal_marks


def columns_as_written(
    columns: Sequence[Column], table: Any
) -> tuple[tuple[Column, ...], list[str]]:
    """The columns of training, with the decimal mark and the order of dates that a table tells.

    Args:
        columns: The columns that a model was trained on.
        table: A pandas table, or a dict of columns or of single values.

    Returns:
        The columns, and remarks on those that are read otherwise than in training.

    Example:
        >>> size = Column("size", "number")
        >>> (column,), remarks = columns_as_written([size], {"size": ["1,5", "1,250"]})
        >>> column.decimal_comma
        True
    """
    marks = decimal_marks(table)
    there = {str(name) for name in table.keys()}
    written: list[Column] = []
    remarks: list[str] = []
    for column in columns:
        if column.name in there:
            values = table[column.name]
            values = values if holds_several(values) else [values]
            if column.kind == "number":
                column = _with_mark(column, values, marks, remarks)
            elif column.kind == "date":
                column = _with_order(column, values, remarks)
        written.append(column)
    return tuple(written), remarks


def date_order(values: Any, trained: bool) -> bool:
    """Whether dates begin with the day: by those that have one reading, else as in training."""
    return day_month_order(
        [text for text in as_texts(values) if text is not None], trained
    ).day_first


def _with_mark(column: Column, values: Any, marks: DecimalMarks, remarks: list[str]) -> Column:
    mark = marks.by_column.get(column.name)
    told = None if mark is None else mark.told
    if mark is not None and told is None and mark.undecided:
        told = marks.told
    if told is None or told == column.decimal_comma:
        return column
    read, as_trained = (numbers_of(values, comma) for comma in (told, column.decimal_comma))
    differ = [i for i, pair in enumerate(zip(read, as_trained, strict=True)) if pair[0] != pair[1]]
    if differ:
        text = as_texts([_at(values, differ[0])])[0]
        mark_here, mark_there = ("comma", "point") if told else ("point", "comma")
        remarks.append(
            f"{column.name}: {text} is read as {read[differ[0]]:.15g}, with a decimal {mark_here}; "
            f"in training numbers had a decimal {mark_there}."
        )
    return dataclasses.replace(column, decimal_comma=told)


def _with_order(column: Column, values: Any, remarks: list[str]) -> Column:
    day_first = date_order(values, column.day_first)
    if day_first == column.day_first:
        return column
    for text in as_texts(values):
        if text is not None and date_of(text, True) != date_of(text, False):
            what, other = ("day", "month") if day_first else ("month", "day")
            remarks.append(
                f"{column.name}: {text} is read with the {what} first, as other dates of the "
                f"column tell; in training the {other} came first."
            )
            break
    return dataclasses.replace(column, day_first=day_first)


def _at(values: Any, place: int) -> Any:
    return values.iloc[place] if hasattr(values, "iloc") else values[place]
