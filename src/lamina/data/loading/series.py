"""Cuts a series into windows and the steps that follow each window."""

from typing import NamedTuple

import numpy as np

from lamina.data.loading.splits import Split


class Windows(NamedTuple):
    """Windows of a series and their targets.

    Args:
        x: The windows, `(windows, steps, channels)`; the target's past is channel 0.
        y: The following steps of the target, `(windows, forecast)`.
        starts: The first step of each forecast, `(windows,)`.
        split: Which windows are in which part.
    """

    x: np.ndarray
    y: np.ndarray
    starts: np.ndarray
    split: Split


def make_windows(
    target: np.ndarray,
    others: np.ndarray,
    forecast: int,
    window: int | None,
    validation: float,
    test: float,
) -> Windows:
    """Cut a series into windows; the last ones are for testing, those before for validation.

    A window belongs to the part that contains all of its targets. Windows whose targets are in two
    parts are left out, so that no value is both trained and tested on.

    Args:
        target: The values to predict, `(steps,)`.
        others: Other measurements, `(steps, channels)`.
        forecast: Steps to predict.
        window: Steps to predict from; twice `forecast` if None, less for a short series.
        validation: Fraction of the steps for validation.
        test: Fraction of the steps for the test part.

    Raises:
        ValueError: If the series is too short.
    """
    steps = len(target)
    if window is None:
        window = max(1, min(2 * forecast, steps // 4))
    ends = _part_ends(steps, forecast, validation, test)
    first = ends[0]
    if first < window + forecast:
        raise ValueError(_too_short(steps, forecast, window, validation, test))
    starts = np.arange(window, steps - forecast + 1)
    before = starts[:, None] - window + np.arange(window)
    values = np.concatenate([target[:, None], others], axis=1)
    x = values[before].astype("float32")
    y = target[starts[:, None] + np.arange(forecast)].astype("float32")
    begins = (0, *ends[:-1])
    parts = [
        np.flatnonzero((starts >= begin) & (starts + forecast <= end))
        for begin, end in zip(begins, ends, strict=True)
    ]
    return Windows(x, y, starts, Split("by time, the last for test", *parts))


def _too_short(steps: int, forecast: int, window: int, validation: float, test: float) -> str:
    """A message that says why a series is too short, with arguments for which it is not."""
    held_out = steps - _part_ends(steps, forecast, validation, test)[0]
    what = (
        f"The series has {steps:,} steps, too few to predict {forecast} from {window}: that takes "
        f"{window + forecast}, and {held_out:,} are kept for validation and test."
    )

    def is_enough(forecast: int, window: int, validation: float, test: float) -> bool:
        return _part_ends(steps, forecast, validation, test)[0] >= window + forecast

    smaller_window = next(
        (w for w in range(window - 1, 0, -1) if is_enough(forecast, w, validation, test)), None
    )
    if smaller_window is not None:
        return f"{what}\n  Fix: window={smaller_window} or less."
    smaller_forecast = next(
        (f for f in range(forecast - 1, 0, -1) if is_enough(f, 1, validation, test)), 0
    )
    if smaller_forecast:
        return f"{what}\n  Fix: forecast={smaller_forecast}, window=1."
    if is_enough(forecast, 1, 0.15, 0.15):
        return f"{what}\n  Fix: validation=0.15, test=0.15, window=1."
    if is_enough(forecast, 1, 0, 0):
        return f"{what}\n  Fix: validation=0, test=0, window=1, and more steps to measure on."
    return f"{what}\n  Fix: a longer series; of {steps:,} steps nothing can be learnt."


def _part_ends(steps: int, forecast: int, validation: float, test: float) -> tuple[int, int, int]:
    """The steps before which the training, validation and test parts end."""
    test_steps = max(forecast, round(test * steps)) if test else 0
    val_steps = max(forecast, round(validation * steps)) if validation else 0
    return steps - test_steps - val_steps, steps - test_steps, steps


def interpolate_gaps(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Interpolate the missing values of a series; also return their number.

    Example:
        >>> filled, missing = interpolate_gaps(np.array([1.0, np.nan, 3.0]))
        >>> filled.tolist(), missing
        ([1.0, 2.0, 3.0], 1)
    """
    gaps = np.isnan(values)
    if not gaps.any():
        return values, 0
    present = np.flatnonzero(~gaps)
    return np.interp(np.arange(len(values)), present, values[present]), int(gaps.sum())
