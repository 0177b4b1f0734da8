"""Adapts columns to a table whose numbers and dates have another format than in training.

A file of another program may have decimal commas, or dates that begin with the day.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from lamina.contract import Column
from lamina.data.loading.cells import as_texts, is_list_of_values, parse_numbers
from lamina.data.loading.dates import day_month_order, parse_date
from lamina.data.loading.decimal_marks import DecimalMarks, decimal_marks


def adapt_columns(columns: Sequence[Column], table: Any) -> tuple[tuple[Column, ...], list[str]]:
    """The columns of training, with the decimal mark and date order that are found in a table.

    Args:
        columns: The columns that a model was trained on.
        table: A pandas table, or a dict of columns or of single values.

    Returns:
        The columns, and remarks on those whose format differs from training.

    Example:
        >>> size = Column("size", "number")
        >>> (column,), remarks = adapt_columns([size], {"size": ["1,5", "1,250"]})
        >>> column.decimal_comma
        True
    """
    marks = decimal_marks(table)
    names = {str(name) for name in table.keys()}
    adapted: list[Column] = []
    remarks: list[str] = []
    for column in columns:
        if column.name in names:
            values = table[column.name]
            values = values if is_list_of_values(values) else [values]
            if column.kind == "number":
                column = _adapt_decimal_mark(column, values, marks, remarks)
            elif column.kind == "date":
                column = _adapt_date_order(column, values, remarks)
        adapted.append(column)
    return tuple(adapted), remarks


def date_order(values: Any, trained: bool) -> bool:
    """Whether dates begin with the day; as in training if all of them are ambiguous."""
    return day_month_order(
        [text for text in as_texts(values) if text is not None], trained
    ).day_first


def _adapt_decimal_mark(
    column: Column, values: Any, marks: DecimalMarks, remarks: list[str]
) -> Column:
    counts = marks.by_column.get(column.name)
    is_comma = None if counts is None else counts.is_comma
    if counts is not None and is_comma is None and counts.ambiguous:
        is_comma = marks.majority
    if is_comma is None or is_comma == column.decimal_comma:
        return column
    numbers, as_trained = (parse_numbers(values, comma) for comma in (is_comma, not is_comma))
    different = [i for i, (a, b) in enumerate(zip(numbers, as_trained, strict=True)) if a != b]
    if different:
        text = as_texts([_value_at(values, different[0])])[0]
        mark, mark_in_training = ("comma", "point") if is_comma else ("point", "comma")
        remarks.append(
            f"{column.name}: {text} is read as {numbers[different[0]]:.15g}, with a decimal "
            f"{mark}; in training numbers had a decimal {mark_in_training}."
        )
    return dataclasses.replace(column, decimal_comma=is_comma)


def _adapt_date_order(column: Column, values: Any, remarks: list[str]) -> Column:
    day_first = date_order(values, column.day_first)
    if day_first == column.day_first:
        return column
    for text in as_texts(values):
        if text is not None and parse_date(text, True) != parse_date(text, False):
            first, first_in_training = ("day", "month") if day_first else ("month", "day")
            remarks.append(
                f"{column.name}: {text} is read with the {first} first, as other dates of the "
                f"column show; in training the {first_in_training} came first."
            )
            break
    return dataclasses.replace(column, day_first=day_first)


def _value_at(values: Any, index: int) -> Any:
    return values.iloc[index] if hasattr(values, "iloc") else values[index]
