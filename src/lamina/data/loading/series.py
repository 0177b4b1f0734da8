"""A table of measurements in the order of time, as windows and what follows each of them."""

from typing import NamedTuple

import numpy as np

from lamina.data.loading.splits import Split


class Windows(NamedTuple):
    """Windows of a series and their targets.

    Args:
        x: What was before, `(windows, steps, channels)`; the target's own past is channel 0.
        y: What followed, `(windows, forecast)`.
        starts: The step that each forecast begins at, `(windows,)`.
        split: Which windows are in which part.
    """

    x: np.ndarray
    y: np.ndarray
    starts: np.ndarray
    split: Split


def windows_of(
    target: np.ndarray,
    others: np.ndarray,
    forecast: int,
    window: int | None,
    validation: float,
    test: float,
) -> Windows:
    """Cut a series into windows, the last part of it for testing and the one before for validation.

    A window belongs to the part that all of its targets lie in. Windows whose targets would be in
    two parts are left out, so that no value is both learnt and measured on.

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
    ends = _ends(steps, forecast, validation, test)
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
    """Why a series cannot be divided, and a forecast, window or parts with which it can be."""
    held_out = steps - _ends(steps, forecast, validation, test)[0]
    what = (
        f"The series has {steps:,} steps, too few to learn {forecast} from {window}: that takes "
        f"{window + forecast}, and {held_out:,} are kept for validation and test."
    )

    def is_enough(forecast: int, window: int, validation: float, test: float) -> bool:
        return _ends(steps, forecast, validation, test)[0] >= window + forecast

    shorter = next(
        (w for w in range(window - 1, 0, -1) if is_enough(forecast, w, validation, test)), None
    )
    if shorter is not None:
        return f"{what}\n  Fix: window={shorter} or less."
    nearer = next((f for f in range(forecast - 1, 0, -1) if is_enough(f, 1, validation, test)), 0)
    if nearer:
        return f"{what}\n  Fix: forecast={nearer}, window=1."
    if is_enough(forecast, 1, 0.15, 0.15):
        return f"{what}\n  Fix: validation=0.15, test=0.15, window=1."
    if is_enough(forecast, 1, 0, 0):
        return f"{what}\n  Fix: validation=0, test=0, window=1, and more steps to measure on."
    return f"{what}\n  Fix: a longer series; of {steps:,} steps nothing can be learnt."


def _ends(steps: int, forecast: int, validation: float, test: float) -> tuple[int, int, int]:
    """The steps before which the training, validation and test parts end."""
    wanted_test = max(forecast, round(test * steps)) if test else 0
    wanted_val = max(forecast, round(validation * steps)) if validation else 0
    return steps - wanted_test - wanted_val, steps - wanted_test, steps


def without_gaps(values: np.ndarray) -> tuple[np.ndarray, int]:
    """A series with its missing values interpolated, and how many they were.

    Example:
        >>> filled, missing = without_gaps(np.array([1.0, np.nan, 3.0]))
        >>> filled.tolist(), missing
        ([1.0, 2.0, 3.0], 1)
    """
    gaps = np.isnan(values)
    if not gaps.any():
        return values, 0
    known = np.flatnonzero(~gaps)
    return np.interp(np.arange(len(values)), known, values[known]), int(gaps.sum())
