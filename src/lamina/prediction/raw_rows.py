"""Rows that people have, as inputs of a model: dicts, data frames, tables in files."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lamina.contract import Column, Contract
from lamina.core.user_data.data_kinds import is_column
from lamina.data.loading.cells import as_texts, holds_several, odd_value
from lamina.data.loading.columns import inputs_of
from lamina.data.loading.files import TABLES
from lamina.data.loading.table_files import as_frame, is_frame, read_table
from lamina.prediction.as_written import columns_as_written
from lamina.prediction.raw_sources import (
    RawInputs,
    described,
    example_row,
    files_in,
    names_of,
    reason,
    refused,
)

# Characters of a value that messages show.
_SHOWN = 40


def rows(contract: Contract, sources: Sequence[Any]) -> RawInputs:
    """The columns that a model takes, `(rows,)` each.

    Raises:
        TypeError: If something is not a row, or a value is neither a number nor a text.
        ValueError: If a column is missing.
    """
    if not contract.columns:
        raise ValueError("The model's file does not say what columns it takes.")
    found = RawInputs(None, [])
    parts: list[dict[str, np.ndarray]] = []
    unused: set[str] = set()
    unread: dict[str, list[str]] = {}

    def take(name: str, table: Any, first: int) -> None:
        columns, remarks = columns_as_written(contract.columns, table)
        inputs, extra = inputs_of(columns, table)
        count = len(next(iter(inputs.values())))
        if not count:
            raise ValueError("has no rows")
        found.remarks += remarks
        names = [f"{name}row {first + i}" for i in range(count)]
        for column in columns:
            for place in _unread(column, table[column.name], inputs):
                text = as_texts([_at(table[column.name], place)])[0] or ""
                unread.setdefault(column.name, []).append(
                    f"{text[:_SHOWN]!r} in {names[place]} {_why(column, text)}"
                )
        parts.append(inputs)
        unused.update(set(extra) - {contract.target})
        found.names.extend(names)

    wanted = {column.name for column in contract.columns}
    for source in sources:
        row = _as_dict(source, wanted)
        if row is not None:
            take("", _checked(contract, row), len(found.names) + 1)
        elif is_frame(source):
            frame = as_frame(source, "the table")
            if not len(frame):
                raise ValueError("The table has no rows.")
            take("", frame, len(found.names) + 1)
        elif isinstance(source, (str, os.PathLike)):
            for path in files_in([source], TABLES, found):
                try:
                    take(f"{Path(path).name}, ", read_table(_existing(path), wanted).frame, 1)
                except (OSError, ValueError) as error:
                    found.fail(str(path), reason(error, str(path)))
        else:
            raise refused(contract, described(source))
    if unused:
        found.remarks.append(f"Columns that were not used: {', '.join(sorted(unused))}.")
    for name, values in unread.items():
        more = f", and {len(values) - 1:,} more" if len(values) > 1 else ""
        found.remarks.append(f"{name}: {values[0]} and counts as missing{more}.")
    if parts:
        found.x = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return found


def _as_dict(source: Any, wanted: set[str]) -> dict[str, Any] | None:
    """A row as a dict: of a dict, a named tuple, or a pandas Series with the columns as its index.

    It may be a dict of columns as well.
    """
    if isinstance(source, Mapping):
        return {str(name): value for name, value in source.items()}
    if hasattr(source, "_asdict"):
        return dict(source._asdict())
    if is_column(source) and hasattr(source, "index") and wanted & set(map(str, source.index)):
        return {str(name): source[name] for name in source.index}
    return None


def _checked(contract: Contract, row: dict[str, Any]) -> dict[str, Any]:
    """The row, if each of its values is one, or each is a list of as many.

    Raises:
        ValueError, TypeError: Otherwise; the message has a row that can be taken.
    """
    fix = f"\n  Fix: predictor.answer({example_row(contract.columns)})"
    if not row:
        raise ValueError(
            "The dict is empty, and the model takes rows with the columns "
            f"{names_of(contract.columns)}.{fix}"
        )
    lengths: dict[str, int | None] = {}
    for column in contract.columns:
        if column.name not in row:
            continue  # which `inputs_of` says better
        value = row[column.name]
        several = holds_several(value)
        lengths[column.name] = len(value) if several else None
        odd = odd_value(value if several else [value])
        if odd is not None:
            what = f"has {odd} in it" if several else f"is {described(value)}"
            raise TypeError(
                f"The value of {column.name!r} {what}, and the model takes one number or text a "
                f"row.{fix}"
            )
    if len(set(lengths.values())) > 1:
        told = ", ".join(
            f"{name} {'one value' if length is None else f'a list of {length}'}"
            for name, length in lengths.items()
        )
        raise ValueError(
            f"A dict is one row, with a value for each column, or has lists of one length. It has "
            f"{told}.{fix}"
        )
    return row


def _unread(column: Column, values: Any, inputs: dict[str, np.ndarray]) -> list[int]:
    """The places of values that are there, but are not of the column's kind, or are new."""
    if column.kind == "category" and column.categories:
        known = {*column.categories, ""}
        return [i for i, text in enumerate(inputs[column.name]) if text not in known]
    if column.kind not in ("number", "date"):
        return []
    made = inputs[column.name if column.kind == "number" else f"{column.name}_days"]
    missing = np.flatnonzero(np.isnan(made))
    if not missing.size:
        return []
    texts = as_texts(values if holds_several(values) else [values])
    return [int(place) for place in missing if texts[place] is not None]


def _why(column: Column, text: str) -> str:
    if column.kind != "category":
        return f"is not a {column.kind}"
    near = [name for name in column.categories if name.casefold() == text.casefold()]
    return f"was not in training{f', where it is {near[0]!r},' if near else ''}"


def _at(values: Any, place: int) -> Any:
    if not holds_several(values):
        return values
    return values.iloc[place] if hasattr(values, "iloc") else values[place]


def _existing(path: Any) -> Path:
    try:
        there = Path(path).is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    return Path(path)
