"""Reads a table of measurements in the order of time, for forecasts."""

from typing import Any

import numpy as np

from lamina.contract import Column, Contract, SeriesInput
from lamina.contract.measure import measure_target
from lamina.data.loading.cells import as_texts, strings_in
from lamina.data.loading.columns import guess_column, values_of
from lamina.data.loading.dates import day_month_order
from lamina.data.loading.decimal_marks import decimal_marks, has_decimal_comma
from lamina.data.loading.description import Description, LeftOut
from lamina.data.loading.loaded import LoadedData
from lamina.data.loading.numbers import number_of
from lamina.data.loading.options import Options
from lamina.data.loading.samples import make_loaded_data
from lamina.data.loading.series import interpolate_gaps, make_windows
from lamina.data.loading.table_files import Table
from lamina.data.loading.table_source import find_target, remarks_on_date_order

# Maximum fraction of missing values, which are interpolated.
_MAX_GAPS = 0.5


def load_series(table: Table, name: str, options: Options) -> LoadedData:
    """Read a series and cut it into windows.

    Raises:
        ValueError: If the target is not a number, is constant, or the series is too short.
    """
    frame, remarks, left_out = table.frame, list(table.remarks), list(table.left_out)
    target = find_target(frame, options, name)
    assert options.forecast is not None
    day_first = False
    if options.time is not None:
        day_first = day_month_order(_texts(frame[options.time]), options.day_first).day_first
        remarks += remarks_on_date_order(options.time, frame[options.time], options)
        frame = sort_by_time(frame, options.time, day_first, remarks, left_out)
    else:
        remarks.append("Rows are kept in the order of the file; time=… sorts them by a column.")
    marks = decimal_marks(frame, options.decimal_comma, table.separator)
    remarks += marks.remarks_on(target)
    comma = has_decimal_comma(strings_in(frame[target]), marks.comma_for(target))
    target_column = Column(target, "number", "the target", decimal_comma=comma)
    values_with_gaps = values_of(target_column, frame[target])[target].astype(float)
    if np.isnan(values_with_gaps).mean() > _MAX_GAPS:
        raise ValueError(_too_many_gaps(target, values_with_gaps, _texts(frame[target])))
    values, missing = interpolate_gaps(values_with_gaps)
    if np.ptp(values) == 0:
        raise ValueError(
            f"Column {target!r} has a single value, {values[0]:g}: there is nothing to forecast."
        )
    if missing:
        remarks.append(f"{missing:,} missing values of {target!r} were interpolated.")
    columns, others = [target_column], []
    for other in options.columns or list(map(str, frame.columns)):
        if other in (target, options.time):
            continue
        if other in (options.drop or ()):
            left_out.append(LeftOut(f"column {other}", "was dropped, as you asked"))
            continue
        column = guess_column(
            other,
            frame[other],
            (options.kinds or {}).get(other),
            named_by_user=options.columns is not None,
            decimal_comma=marks.comma_for(other),
        )
        if not isinstance(column, Column) or column.kind != "number":
            why = column.why if not isinstance(column, Column) else f"is a {column.kind}"
            left_out.append(LeftOut(f"column {other}", why))
            continue
        numbers = values_of(column, frame[other])[other].astype(float)
        if np.isnan(numbers).mean() > _MAX_GAPS:
            why = f"has no number in {np.isnan(numbers).sum():,} of {len(numbers):,} rows"
            left_out.append(LeftOut(f"column {other}", why))
            continue
        filled, missing = interpolate_gaps(numbers)
        if missing:
            remarks.append(f"{missing:,} missing values of {other!r} were interpolated.")
        remarks += marks.remarks_on(other)
        columns.append(column)
        others.append(filled)
    stacked = np.stack(others, axis=1) if others else np.zeros((len(values), 0))
    windows = make_windows(
        values, stacked, options.forecast, options.window, options.validation, options.test
    )
    names = [str(step) for step in windows.starts]
    steps, channels = windows.x.shape[1:]
    split = windows.split
    description = Description(
        title=(
            f"A series of {len(values):,} steps: forecast {target} {options.forecast} "
            f"step{'s' * (options.forecast > 1)} ahead from {channels} "
            f"column{'s' * (channels > 1)} over the last {steps} step{'s' * (steps > 1)}"
        ),
        parts=split.sizes(),
        split=split.method,
        columns=list(map(str, columns)),
        left_out=left_out,
        remarks=remarks,
    )
    contract = Contract(
        kind="series",
        columns=tuple(columns),
        series=SeriesInput(steps, options.forecast, options.time, day_first),
        target=target,
        target_range=measure_target(windows.y[split.train]),
        split=split.method,
    )
    return make_loaded_data(windows.x, windows.y, names, split, options, contract, description)


def sort_by_time(
    frame: Any, time: str, day_first: bool, remarks: list[str], left_out: list[LeftOut]
) -> Any:
    """Sort the rows by a column of dates or numbers.

    Args:
        frame: A pandas DataFrame.
        time: Name of the column.
        day_first: Whether dates such as 2/3/2024 begin with the day.
        remarks: List to which remarks on what was done are added.
        left_out: List to which rows without a time are added.

    Raises:
        ValueError: If the column has neither dates nor numbers.
    """
    time_column = guess_column(time, frame[time])
    # A column of few integers is guessed to be a category, but can still be sorted by.
    is_date = isinstance(time_column, Column) and time_column.kind == "date"
    decimal_comma = isinstance(time_column, Column) and time_column.decimal_comma
    values = np.full(len(frame), np.nan)
    for kind in ("date",) if is_date else ("number", "date"):
        column = Column(time, kind, day_first=day_first, decimal_comma=decimal_comma)
        if np.isnan(values).all():
            values = next(iter(values_of(column, frame[time]).values()))
    has_time = ~np.isnan(values)
    if not has_time.any():
        texts = _texts(frame[time])
        if not texts:
            raise ValueError(f"Column {time!r} has no values to sort by.")
        raise ValueError(
            f"Column {time!r} has neither dates nor numbers to sort by, e.g. {texts[0]!r}."
        )
    if not has_time.all():
        left_out.append(LeftOut(f"{(~has_time).sum():,} rows", f"have no date or number in {time}"))
        frame, values = frame[has_time], values[has_time]
    order = np.argsort(values, kind="stable")
    if not np.array_equal(order, np.arange(len(order))):
        remarks.append(f"Rows were sorted by {time!r}.")
    steps = np.diff(values[order])
    _refuse_repeated(time, values[order], frame.iloc[order], remarks)
    steps = steps[steps > 0]
    if len(steps) and steps.max() > 1.5 * max(float(np.median(steps)), 1e-9):
        remarks.append(f"The intervals of {time!r} differ; they are treated as equal.")
    return frame.iloc[order]


def _refuse_repeated(time: str, values: np.ndarray, frame: Any, remarks: list[str]) -> None:
    """Refuse a table of several series; add a remark if only a few times are repeated.

    Raises:
        ValueError: If most times occur more than once; the message names a column that identifies
            the series, if there is one.
    """
    _, first, counts = np.unique(values, return_index=True, return_counts=True)
    repeated = int((counts > 1).sum())
    if not repeated:
        return
    if repeated <= len(counts) / 2:
        example = as_texts(frame[time].iloc[[first[counts.argmax()]]])[0]
        remarks.append(
            f"{repeated:,} values of {time!r} occur more than once, e.g. {example}; each row "
            "still counts as a step."
        )
        return
    # Columns whose values are distinct among the rows of each time.
    candidates = [
        (str(name), sorted(set(filter(None, as_texts(frame[name])))))
        for name in frame.columns
        if str(name) != time and frame[[time, name]].duplicated().sum() == 0
    ]
    series_columns = [
        (name, distinct) for name, distinct in candidates if 1 < len(distinct) <= len(frame) / 4
    ]
    fix = "pass the rows of one series; or leave out time=…, if the rows are in order."
    if series_columns:
        name, distinct = series_columns[0]
        fix = f"pass the rows of one series: frame[frame[{name!r}] == {distinct[0]!r}]."
    raise ValueError(
        f"Most values of column {time!r} occur more than once, as in a table of several series, "
        f"but a forecast is made from one series.\n  Fix: {fix}"
    )


def _texts(values: Any) -> list[str]:
    return [text for text in as_texts(values) if text is not None]


def _too_many_gaps(target: str, values: np.ndarray, texts: list[str]) -> str:
    missing, gaps = len(values) - len(texts), int(np.isnan(values).sum())
    not_a_number = next((text for text in texts if number_of(text) is None), "")
    what = f"{missing:,} of its {len(values):,} values are missing"
    if gaps > missing:
        what = f"{gaps:,} of its {len(values):,} values are not numbers, e.g. {not_a_number!r}"
    return (
        f"Column {target!r} cannot be forecast: {what}, and the gaps could only be guessed.\n"
        f"  Fix: leave out the rows without a value, frame.dropna(subset=[{target!r}]), if the "
        "others follow each other evenly; or another target."
    )
