"""A table of measurements in the order of time, for forecasts."""

from typing import Any

import numpy as np

from lamina.contract import Column, Contract, SeriesInput
from lamina.contract.measure import measured_target
from lamina.data.loading.assembly import loaded_data_of
from lamina.data.loading.cells import as_texts, strings_in
from lamina.data.loading.columns import guess_column, values_of
from lamina.data.loading.dates import day_month_order
from lamina.data.loading.decimal_marks import decimal_marks, has_decimal_comma
from lamina.data.loading.description import Description, LeftOut
from lamina.data.loading.loaded import LoadedData
from lamina.data.loading.numbers import number_of
from lamina.data.loading.options import Options
from lamina.data.loading.series import windows_of, without_gaps
from lamina.data.loading.table_files import Table
from lamina.data.loading.table_source import find_target, remarks_on_assumed_order

# Share of the values that may be missing; they are interpolated.
_MOST_GAPS = 0.5


def read_series(table: Table, name: str, options: Options) -> LoadedData:
    """The windows of a series.

    Raises:
        ValueError: If the target is not a number, is constant, or the series is too short.
    """
    frame, remarks, left_out = table.frame, list(table.remarks), list(table.left_out)
    target = find_target(frame, options, name)
    assert options.forecast is not None
    day_first = False
    if options.time is not None:
        day_first = day_month_order(_texts(frame[options.time]), options.day_first).day_first
        remarks += remarks_on_assumed_order(options.time, frame[options.time], options)
        frame = sorted_by(frame, options.time, day_first, remarks, left_out)
    else:
        remarks.append("Rows are kept in the order of the file; time=… sorts them by a column.")
    marks = decimal_marks(frame, options.decimal_comma, table.separator)
    remarks += marks.remarks_on(target)
    comma = has_decimal_comma(strings_in(frame[target]), marks.comma_for(target))
    target_column = Column(target, "number", "the target", decimal_comma=comma)
    measured = values_of(target_column, frame[target])[target].astype(float)
    if np.isnan(measured).mean() > _MOST_GAPS:
        raise ValueError(_too_many_gaps(target, measured, _texts(frame[target])))
    values, missing = without_gaps(measured)
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
            chosen=options.columns is not None,
            decimal_comma=marks.comma_for(other),
        )
        if not isinstance(column, Column) or column.kind != "number":
            why = column.why if not isinstance(column, Column) else f"is a {column.kind}"
            left_out.append(LeftOut(f"column {other}", why))
            continue
        numbers = values_of(column, frame[other])[other].astype(float)
        if np.isnan(numbers).mean() > _MOST_GAPS:
            why = f"has no number in {np.isnan(numbers).sum():,} of {len(numbers):,} rows"
            left_out.append(LeftOut(f"column {other}", why))
            continue
        filled, missing = without_gaps(numbers)
        if missing:
            remarks.append(f"{missing:,} missing values of {other!r} were interpolated.")
        remarks += marks.remarks_on(other)
        columns.append(column)
        others.append(filled)
    stacked = np.stack(others, axis=1) if others else np.zeros((len(values), 0))
    windows = windows_of(
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
        split=split.how,
        columns=list(map(str, columns)),
        left_out=left_out,
        remarks=remarks,
    )
    contract = Contract(
        kind="series",
        columns=tuple(columns),
        series=SeriesInput(steps, options.forecast, options.time, day_first),
        target=target,
        target_range=measured_target(windows.y[split.train]),
        split=split.how,
    )
    return loaded_data_of(windows.x, windows.y, names, split, options, contract, description)


def sorted_by(
    frame: Any, time: str, day_first: bool, remarks: list[str], left_out: list[LeftOut]
) -> Any:
    """The rows in the order of a column of dates or numbers.

    Args:
        frame: A pandas DataFrame.
        time: Name of the column.
        day_first: Whether dates such as 2/3/2024 begin with the day.
        remarks: List to which remarks on what was done are added.
        left_out: List to which rows without a time are added.

    Raises:
        ValueError: If the column has neither dates nor numbers.
    """
    guessed = guess_column(time, frame[time])
    # A column of few integers is guessed to be a category, but can still be sorted by.
    is_date = isinstance(guessed, Column) and guessed.kind == "date"
    decimal_comma = isinstance(guessed, Column) and guessed.decimal_comma
    values = np.full(len(frame), np.nan)
    for kind in ("date",) if is_date else ("number", "date"):
        column = Column(time, kind, day_first=day_first, decimal_comma=decimal_comma)
        if np.isnan(values).all():
            values = next(iter(values_of(column, frame[time]).values()))
    known = ~np.isnan(values)
    if not known.any():
        texts = _texts(frame[time])
        if not texts:
            raise ValueError(f"Column {time!r} has no values to sort by.")
        raise ValueError(
            f"Column {time!r} has neither dates nor numbers to sort by, e.g. {texts[0]!r}."
        )
    if not known.all():
        left_out.append(LeftOut(f"{(~known).sum():,} rows", f"have no date or number in {time}"))
        frame, values = frame[known], values[known]
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

    The steps of several series would be mixed.

    Raises:
        ValueError: If most times occur more than once; the message names a column that tells the
            series apart, if there is one.
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
    apart = [
        (str(name), as_texts(frame[name]))
        for name in frame.columns
        if str(name) != time and frame[[time, name]].duplicated().sum() == 0
    ]
    few = [(name, sorted(set(filter(None, texts)))) for name, texts in apart]
    few = [(name, texts) for name, texts in few if 1 < len(texts) <= len(frame) / 4]
    fix = "pass the rows of one series; or leave out time=…, if the rows are in order."
    if few:
        name, texts = few[0]
        fix = f"pass the rows of one series: frame[frame[{name!r}] == {texts[0]!r}]."
    raise ValueError(
        f"Most values of column {time!r} occur more than once, as in a table of several series, "
        f"and a forecast is made from one.\n  Fix: {fix}"
    )


def _texts(values: Any) -> list[str]:
    return [text for text in as_texts(values) if text is not None]


def _too_many_gaps(target: str, measured: np.ndarray, texts: list[str]) -> str:
    absent, gaps = len(measured) - len(texts), int(np.isnan(measured).sum())
    unread = next((text for text in texts if number_of(text) is None), "")
    what = f"{absent:,} of its {len(measured):,} values are missing"
    if gaps > absent:
        what = f"{gaps:,} of its {len(measured):,} values are not numbers, e.g. {unread!r}"
    return (
        f"Column {target!r} cannot be forecast: {what}, and the gaps could only be guessed.\n"
        f"  Fix: leave out the rows without a value, frame.dropna(subset=[{target!r}]), if the "
        "others follow each other evenly; or another target."
    )
