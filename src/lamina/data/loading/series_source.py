"""A table of measurements in the order of time, for forecasts."""

from typing import Any

import numpy as np

from lamina.contract import Column, Contract, SeriesInput
from lamina.contract.measure import measured_target
from lamina.data.loading.columns import as_texts, guess_column, has_decimal_comma, values_of
from lamina.data.loading.description import Description, LeftOut
from lamina.data.loading.loaded import LoadedData
from lamina.data.loading.options import Options, parted
from lamina.data.loading.series import windows_of, without_gaps
from lamina.data.loading.table_files import Table
from lamina.data.loading.table_source import find_target

# Share of the values that may be missing, and be interpolated.
_MOST_GAPS = 0.5


def read_series(table: Table, name: str, options: Options) -> LoadedData:
    """The windows of a series.

    Raises:
        ValueError: If the target is no number, is constant, or the series is too short.
    """
    frame, remarks, left_out = table.frame, list(table.remarks), list(table.left_out)
    target = find_target(frame, options, name)
    assert options.forecast is not None
    if options.time is not None:
        frame = sorted_by(frame, options.time, remarks)
    else:
        remarks.append("Rows are taken in their order; time=… sorts them by a column.")
    comma = has_decimal_comma(as_texts(frame[target]))
    found = Column(target, "number", "the target", decimal_comma=comma)
    measured = values_of(found, frame[target])[target].astype(float)
    if np.isnan(measured).mean() > _MOST_GAPS:
        raise ValueError(
            f"Column {target!r} cannot be forecast: {np.isnan(measured).sum():,} of its "
            f"{len(measured):,} values are no numbers."
        )
    values, missing = without_gaps(measured)
    if np.ptp(values) == 0:
        raise ValueError(
            f"Column {target!r} has one value alone, {values[0]:g}: there is nothing to forecast."
        )
    if missing:
        remarks.append(f"{missing:,} missing values of {target!r} were interpolated.")
    columns, others = [found], []
    for other in options.columns or list(map(str, frame.columns)):
        if other in (target, options.time):
            continue
        column = guess_column(other, frame[other])
        if not isinstance(column, Column) or column.kind != "number":
            why = column.why if not isinstance(column, Column) else f"is a {column.kind}"
            left_out.append(LeftOut(f"column {other}", why))
            continue
        columns.append(column)
        others.append(without_gaps(values_of(column, frame[other])[other].astype(float))[0])
    stacked = np.stack(others, axis=1) if others else np.zeros((len(values), 0))
    windows = windows_of(
        values, stacked, options.forecast, options.window, options.validation, options.test
    )
    names = [str(step) for step in windows.starts]
    steps, channels = windows.x.shape[1:]
    split = windows.split
    description = Description(
        title=(
            f"A series of {len(values):,} steps: {target} for {options.forecast} steps from "
            f"{channels} column{'s' * (channels > 1)} in the {steps} steps before"
        ),
        parts=split.sizes(),
        split=split.how,
        columns=[f"{target}: the target", *map(str, columns)],
        left_out=left_out,
        remarks=remarks,
    )
    contract = Contract(
        kind="series",
        columns=tuple(columns),
        series=SeriesInput(steps, options.forecast, options.time),
        target=target,
        target_range=measured_target(windows.y[split.train]),
        split=split.how,
    )
    return parted(windows.x, windows.y, names, split, options, contract, description)


def sorted_by(frame: Any, time: str, remarks: list[str]) -> Any:
    """The rows in the order of a column of dates or numbers."""
    found = guess_column(time, frame[time])
    kind = found.kind if isinstance(found, Column) else "number"
    column = Column(time, kind if kind in ("date", "number") else "date", "the time")
    values = next(iter(values_of(column, frame[time]).values()))
    if np.isnan(values).all():
        texts = [text for text in as_texts(frame[time]) if text is not None]
        raise ValueError(
            f"Column {time!r} has neither dates nor numbers to sort by, e.g. {texts[0]!r}."
        )
    order = np.argsort(values, kind="stable")
    if not np.array_equal(order, np.arange(len(order))):
        remarks.append(f"Rows were sorted by {time!r}.")
    steps = np.diff(values[order])
    if len(steps) and np.nanmax(steps) > 1.5 * max(float(np.nanmedian(steps)), 1e-9):
        remarks.append(f"Steps of {time!r} are not of one length; they are taken as if they were.")
    return frame.iloc[order]
