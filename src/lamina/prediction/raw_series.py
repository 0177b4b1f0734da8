"""Series that people have, as inputs of a forecast: tables, files, dicts of lists, arrays."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lamina.contract import Contract
from lamina.core.messages.errors import did_you_mean
from lamina.core.user_data.columnar import as_array
from lamina.data.loading.cells import holds_several, odd_value
from lamina.data.loading.columns import values_of
from lamina.data.loading.description import LeftOut
from lamina.data.loading.series import without_gaps
from lamina.data.loading.series_source import sorted_by
from lamina.data.loading.table_files import as_frame, is_frame, read_table
from lamina.prediction.as_written import columns_as_written, date_order
from lamina.prediction.raw_sources import (
    RawInputs,
    described,
    is_file,
    name_of,
    reason,
    refused,
)


def series(contract: Contract, sources: Sequence[Any]) -> RawInputs:
    """The last window of each series, `(series, steps, columns)`.

    Raises:
        TypeError: If something is not a series of numbers.
        ValueError: If a column is missing or has no numbers.
    """
    form = contract.series
    if form is None:
        raise ValueError("The model's file does not say how many steps it takes.")
    found = RawInputs(None, [])
    windows = []
    for number, source in enumerate(sources):
        name = name_of(source, f"series {number + 1}")
        if isinstance(source, (str, os.PathLike)):
            if not is_file(source):
                found.fail(name, "there is no such file")
                continue
            try:
                steps = steps_of(contract, read_table(Path(source)).frame, found.remarks)
            except (OSError, ValueError) as error:
                found.fail(name, reason(error, name))
                continue
        else:
            steps = steps_of(contract, source, found.remarks)
        if len(steps) < form.window:
            found.fail(name, f"it has {len(steps)} steps, and the model needs {form.window}")
            continue
        windows.append(steps[-form.window :])
        found.names.append(name)
    found.x = np.stack(windows).astype("float32") if windows else None
    return found


def steps_of(contract: Contract, source: Any, remarks: list[str] | None = None) -> np.ndarray:
    """The columns that a forecast is made from, `(steps, columns)`; gaps are interpolated.

    Args:
        contract: What the model was trained on.
        source: A table, a dict of columns or an array of numbers.
        remarks: What the user should know is added to these.

    Raises:
        TypeError: If it is not a series of numbers.
        ValueError: If a column is missing or has no numbers.
    """
    remarks = [] if remarks is None else remarks
    if is_frame(source):
        form = contract.series
        frame = as_frame(source, "the table")
        if form is not None and form.time is not None:
            if form.time in frame.columns:
                left_out: list[LeftOut] = []
                day_first = date_order(frame[form.time], form.day_first)
                frame = sorted_by(frame, form.time, day_first, remarks, left_out)
                remarks += [f"Left out: {out}." for out in left_out]
            else:
                remarks.append(
                    f"There is no column {form.time!r}, by which steps were sorted in training; "
                    "rows are taken in their order."
                )
        return _joined(contract, frame, remarks)
    if isinstance(source, Mapping):
        return _joined(contract, {str(name): values for name, values in source.items()}, remarks)
    steps = _numbers(source)
    if steps is None:
        raise refused(contract, described(source))
    if steps.ndim == 1:
        steps = steps[:, None]
    wanted = max(1, len(contract.columns))
    if steps.ndim != 2 or steps.shape[1] != wanted:
        raise refused(contract, f"an array of shape {np.shape(source)}")
    names = [column.name for column in contract.columns] or ["the series"]
    return np.stack([_filled(n, c) for n, c in zip(names, steps.T, strict=True)], axis=1)


def _joined(contract: Contract, table: Any, remarks: list[str]) -> np.ndarray:
    there = list(table.keys())
    steps = contract.series.window if contract.series else 1
    lists = ", ".join(f"{column.name!r}: […]" for column in contract.columns[:3])
    more = ", …" if len(contract.columns) > 3 else ""
    example = f"{{{lists}{more}}}), with lists of at least {steps} numbers"
    columns: dict[str, np.ndarray] = {}
    written, said = columns_as_written(contract.columns, table)
    remarks += said
    for column in written:
        name = column.name
        if name not in there:
            raise ValueError(
                f"There is no column {name!r}, which the model was trained on."
                f"{did_you_mean(name, there)}\n  Columns: {', '.join(there) or 'none'}.\n"
                f"  Fix: give the column with its last steps: predictor.answer({example}."
            )
        values = table[name]
        if not holds_several(values):
            raise refused(contract, f"{described(values)} for the column {name!r}")
        odd = odd_value(values)
        if odd is not None:
            raise TypeError(f"Column {name!r} has {odd} in it, and not one number per step.")
        columns[name] = _filled(name, values_of(column, values)[name].astype(float))
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"The columns of a series have one length; received {told}.")
    return np.stack(list(columns.values()), axis=1)


def _filled(name: str, values: np.ndarray) -> np.ndarray:
    if len(values) and np.isnan(values).all():
        raise ValueError(f"Column {name!r} has no numbers to forecast from.")
    return without_gaps(values)[0]


def _numbers(source: Any) -> np.ndarray | None:
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
