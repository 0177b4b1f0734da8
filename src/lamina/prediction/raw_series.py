"""Converts series to inputs of a forecast: tables, files, dicts of lists, arrays."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lamina.contract import Contract
from lamina.core.messages.errors import did_you_mean
from lamina.core.user_data.columnar import as_array
from lamina.data.loading.cells import is_list_of_values, unsupported_value
from lamina.data.loading.columns import values_of
from lamina.data.loading.description import LeftOut
from lamina.data.loading.series import interpolate_gaps
from lamina.data.loading.series_source import sort_by_time
from lamina.data.loading.table_files import as_frame, is_frame, read_table
from lamina.prediction.column_formats import adapt_columns, date_order
from lamina.prediction.raw_sources import (
    RawInputs,
    describe_value,
    is_file,
    name_of,
    reason,
    unsupported_input_error,
)


def convert_series(contract: Contract, sources: Sequence[Any]) -> RawInputs:
    """The last window of each series, `(series, steps, columns)`.

    Raises:
        TypeError: If a source is not a series of numbers.
        ValueError: If a column is missing or has no numbers.
    """
    series_input = contract.series
    if series_input is None:
        raise ValueError("The model's file does not say how many steps it takes.")
    result = RawInputs(None, [])
    windows = []
    for number, source in enumerate(sources):
        name = name_of(source, f"series {number + 1}")
        if isinstance(source, (str, os.PathLike)):
            if not is_file(source):
                result.fail(name, "there is no such file")
                continue
            try:
                steps = steps_of(contract, read_table(Path(source)).frame, result.remarks)
            except (OSError, ValueError) as error:
                result.fail(name, reason(error, name))
                continue
        else:
            steps = steps_of(contract, source, result.remarks)
        if len(steps) < series_input.window:
            result.fail(
                name, f"it has {len(steps)} steps, but the model needs {series_input.window}"
            )
            continue
        windows.append(steps[-series_input.window :])
        result.names.append(name)
    result.x = np.stack(windows).astype("float32") if windows else None
    return result


def steps_of(contract: Contract, source: Any, remarks: list[str] | None = None) -> np.ndarray:
    """The columns that a forecast is made from, `(steps, columns)`; gaps are interpolated.

    Args:
        contract: What the model was trained on.
        source: A table, a dict of columns or an array of numbers.
        remarks: A list to which remarks for the user are added.

    Raises:
        TypeError: If it is not a series of numbers.
        ValueError: If a column is missing or has no numbers.
    """
    remarks = [] if remarks is None else remarks
    if is_frame(source):
        series_input = contract.series
        frame = as_frame(source, "the table")
        if series_input is not None and series_input.time is not None:
            if series_input.time in frame.columns:
                left_out: list[LeftOut] = []
                day_first = date_order(frame[series_input.time], series_input.day_first)
                frame = sort_by_time(frame, series_input.time, day_first, remarks, left_out)
                remarks += [f"Left out: {out}." for out in left_out]
            else:
                remarks.append(
                    f"There is no column {series_input.time!r}, by which steps were sorted in "
                    "training; rows are taken in their order."
                )
        return _stack_columns(contract, frame, remarks)
    if isinstance(source, Mapping):
        return _stack_columns(
            contract, {str(name): values for name, values in source.items()}, remarks
        )
    steps = _as_numbers(source)
    if steps is None:
        raise unsupported_input_error(contract, describe_value(source))
    if steps.ndim == 1:
        steps = steps[:, None]
    if steps.ndim != 2 or steps.shape[1] != max(1, len(contract.columns)):
        raise unsupported_input_error(contract, f"an array of shape {np.shape(source)}")
    names = [column.name for column in contract.columns] or ["the series"]
    return np.stack([_interpolate(n, c) for n, c in zip(names, steps.T, strict=True)], axis=1)


def _stack_columns(contract: Contract, table: Any, remarks: list[str]) -> np.ndarray:
    names = list(table.keys())
    steps = contract.series.window if contract.series else 1
    lists = ", ".join(f"{column.name!r}: […]" for column in contract.columns[:3])
    more = ", …" if len(contract.columns) > 3 else ""
    example = f"{{{lists}{more}}}), with lists of at least {steps} numbers"
    columns: dict[str, np.ndarray] = {}
    adapted, format_remarks = adapt_columns(contract.columns, table)
    remarks += format_remarks
    for column in adapted:
        name = column.name
        if name not in names:
            raise ValueError(
                f"There is no column {name!r}, which the model was trained on."
                f"{did_you_mean(name, names)}\n  Columns: {', '.join(names) or 'none'}.\n"
                f"  Fix: give the column with its last steps: predictor.answer({example}."
            )
        values = table[name]
        if not is_list_of_values(values):
            raise unsupported_input_error(
                contract, f"{describe_value(values)} for the column {name!r}"
            )
        unsupported = unsupported_value(values)
        if unsupported is not None:
            raise TypeError(
                f"Column {name!r} has {unsupported} in it, and not one number per step."
            )
        columns[name] = _interpolate(name, values_of(column, values)[name].astype(float))
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        received = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"The columns of a series have one length; received {received}.")
    return np.stack(list(columns.values()), axis=1)


def _interpolate(name: str, values: np.ndarray) -> np.ndarray:
    if len(values) and np.isnan(values).all():
        raise ValueError(f"Column {name!r} has no numbers to forecast from.")
    return interpolate_gaps(values)[0]


def _as_numbers(source: Any) -> np.ndarray | None:
    """An array of floats, NaN where a number is missing; None if it is not an array of numbers."""
    if isinstance(source, (str, bytes)) or not (
        hasattr(source, "shape") or isinstance(source, (list, tuple))
    ):
        return None
    try:
        array = as_array(source)
        array = array.astype(float) if array.dtype.kind in "biufO" else array
    except (TypeError, ValueError, OverflowError):  # lists of several lengths, objects
        return None
    if array.dtype.kind != "f" or array.ndim == 0:
        return None
    return np.where(np.isfinite(array), array, np.nan)
