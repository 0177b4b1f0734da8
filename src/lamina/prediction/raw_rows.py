"""Converts rows to inputs of a model: dicts, data frames, tables in files."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lamina.contract import Column, Contract
from lamina.core.user_data.data_kinds import is_column
from lamina.data.loading.cells import as_texts, is_list_of_values, unsupported_value
from lamina.data.loading.columns import inputs_of
from lamina.data.loading.files import TABLES
from lamina.data.loading.table_files import as_frame, is_frame, read_table
from lamina.prediction.column_formats import adapt_columns
from lamina.prediction.raw_sources import (
    RawInputs,
    describe_value,
    example_row,
    expand_folders,
    names_of,
    reason,
    unsupported_input_error,
)

# Characters of a value that messages show.
_MAX_SHOWN = 40


def convert_rows(contract: Contract, sources: Sequence[Any]) -> RawInputs:
    """Convert rows to the columns that a model takes, `(rows,)` each.

    Raises:
        TypeError: If a source is not a row, or a value is neither a number nor a text.
        ValueError: If a column is missing.
    """
    if not contract.columns:
        raise ValueError("The model's file does not say what columns it takes.")
    result = RawInputs(None, [])
    parts: list[dict[str, np.ndarray]] = []
    unused: set[str] = set()
    unreadable: dict[str, list[str]] = {}

    def add_table(name: str, table: Any, first: int) -> None:
        columns, remarks = adapt_columns(contract.columns, table)
        inputs, extra = inputs_of(columns, table)
        count = len(next(iter(inputs.values())))
        if not count:
            raise ValueError("has no rows")
        result.remarks += remarks
        names = [f"{name}row {first + i}" for i in range(count)]
        for column in columns:
            for index in _unreadable_indices(column, table[column.name], inputs):
                text = as_texts([_value_at(table[column.name], index)])[0] or ""
                unreadable.setdefault(column.name, []).append(
                    f"{text[:_MAX_SHOWN]!r} in {names[index]} {_describe_problem(column, text)}"
                )
        parts.append(inputs)
        unused.update(set(extra) - {contract.target})
        result.names.extend(names)

    names_in_training = {column.name for column in contract.columns}
    for source in sources:
        row = _as_dict(source, names_in_training)
        if row is not None:
            add_table("", _check_row(contract, row), len(result.names) + 1)
        elif is_frame(source):
            frame = as_frame(source, "the table")
            if not len(frame):
                raise ValueError("The table has no rows.")
            add_table("", frame, len(result.names) + 1)
        elif isinstance(source, (str, os.PathLike)):
            for path in expand_folders([source], TABLES, result):
                try:
                    add_table(
                        f"{Path(path).name}, ",
                        read_table(_check_exists(path), names_in_training).frame,
                        1,
                    )
                except (OSError, ValueError) as error:
                    result.fail(str(path), reason(error, str(path)))
        else:
            raise unsupported_input_error(contract, describe_value(source))
    if unused:
        result.remarks.append(f"Columns that were not used: {', '.join(sorted(unused))}.")
    for name, values in unreadable.items():
        more = f", and {len(values) - 1:,} more" if len(values) > 1 else ""
        result.remarks.append(f"{name}: {values[0]} and counts as missing{more}.")
    if parts:
        result.x = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return result


def _as_dict(source: Any, names_in_training: set[str]) -> dict[str, Any] | None:
    """A dict, named tuple, or pandas Series with column names as its index, as a dict; else None.

    The values may be single values or lists, so it may be a row or a table.
    """
    if isinstance(source, Mapping):
        return {str(name): value for name, value in source.items()}
    if hasattr(source, "_asdict"):
        return dict(source._asdict())
    if (
        is_column(source)
        and hasattr(source, "index")
        and names_in_training & set(map(str, source.index))
    ):
        return {str(name): source[name] for name in source.index}
    return None


def _check_row(contract: Contract, row: dict[str, Any]) -> dict[str, Any]:
    """Return the row if all its values are single values, or lists of equal lengths.

    Raises:
        ValueError, TypeError: Otherwise; the message shows a valid row.
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
            continue  # `inputs_of` raises an error for it
        value = row[column.name]
        is_list = is_list_of_values(value)
        lengths[column.name] = len(value) if is_list else None
        unsupported = unsupported_value(value if is_list else [value])
        if unsupported is not None:
            what = f"has {unsupported} in it" if is_list else f"is {describe_value(value)}"
            raise TypeError(
                f"The value of {column.name!r} {what}, but the model takes one number or text a "
                f"row.{fix}"
            )
    if len(set(lengths.values())) > 1:
        received = ", ".join(
            f"{name} {'one value' if length is None else f'a list of {length}'}"
            for name, length in lengths.items()
        )
        raise ValueError(
            f"A dict is one row, with a value for each column, or has lists of one length. It has "
            f"{received}.{fix}"
        )
    return row


def _unreadable_indices(column: Column, values: Any, inputs: dict[str, np.ndarray]) -> list[int]:
    """Indices of values that are not missing, but are not of the column's kind, or are new."""
    if column.kind == "category" and column.categories:
        categories = {*column.categories, ""}
        return [i for i, text in enumerate(inputs[column.name]) if text not in categories]
    if column.kind not in ("number", "date"):
        return []
    numbers = inputs[column.name if column.kind == "number" else f"{column.name}_days"]
    missing = np.flatnonzero(np.isnan(numbers))
    if not missing.size:
        return []
    texts = as_texts(values if is_list_of_values(values) else [values])
    return [int(index) for index in missing if texts[index] is not None]


def _describe_problem(column: Column, text: str) -> str:
    if column.kind != "category":
        return f"is not a {column.kind}"
    similar = [name for name in column.categories if name.casefold() == text.casefold()]
    return f"was not in training{f', where it is {similar[0]!r},' if similar else ''}"


def _value_at(values: Any, index: int) -> Any:
    if not is_list_of_values(values):
        return values
    return values.iloc[index] if hasattr(values, "iloc") else values[index]


def _check_exists(path: Any) -> Path:
    try:
        exists = Path(path).is_file()
    except (OSError, ValueError):
        exists = False
    if not exists:
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    return Path(path)
