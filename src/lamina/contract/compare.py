"""Finds inputs that differ from those of training: scaled, inverted, of another unit.

`predict` warns about the difference.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from lamina.contract.contract import InputRange
from lamina.contract.measure import sample_rows
from lamina.contract.units import find_other_unit

# Values have another scale if they are larger or smaller than in training by this factor.
_MIN_FACTOR = 20.0
# Means are different if they differ by more than the first number of standard errors, and equal if
# they differ by less than the second.
_MIN_DIFFERENCE, _MAX_AGREEMENT = 6.0, 3.0
# Number of rows of a call that are compared.
_MAX_ROWS = 64
# With fewer numbers, the scale cannot be judged.
_MIN_NUMBERS = 16
# Smaller images, and windows of a series, are not compared for light and dark.
_MIN_SIDE = 8


class Difference(NamedTuple):
    """Differences of inputs from those of training, as sentences.

    Args:
        kind: `"scale"`, `"inverted"`, `"channels"` or `"unit"`.
        evidence: The observation, with its numbers.
        fix: An expression that corrects the input.
    """

    kind: str
    evidence: str
    fix: str


def difference(input_range: InputRange, array: Any) -> Difference | None:
    """The most likely difference between inputs and those of training, or None.

    Args:
        input_range: The values of that input in training.
        array: `(samples, …)`, as given to `predict`.

    Example:
        >>> from lamina.contract.measure import measure_range
        >>> rng = np.random.default_rng(0)
        >>> known = measure_range("x", rng.random((100, 8, 8)))
        >>> difference(known, 255 * rng.random((3, 8, 8))).fix
        'x / 255'
    """
    dtype = getattr(array, "dtype", None)
    if dtype is None or np.dtype(dtype).kind not in "biuf" or not len(array):
        return None
    rows = sample_rows(array, _MAX_ROWS)
    if not np.isfinite(rows).any():
        return None
    return (
        _find_scale_difference(input_range, rows)
        or _find_swapped_channels(input_range, rows)
        or _inverted(input_range, rows)
        or _find_unit_difference(input_range, array)
    )


def _find_scale_difference(input_range: InputRange, rows: np.ndarray) -> Difference | None:
    largest, largest_before = (
        np.nanmax(np.abs(rows)),
        max(abs(input_range.low), abs(input_range.high)),
    )
    usual = math.hypot(input_range.mean, input_range.spread)
    if not largest or not largest_before or not usual or not np.isfinite(largest):
        return None
    ratio = float(largest / largest_before)
    # A few extreme values do not mean another scale: all values would have to be larger, or
    # smaller.
    typical = math.sqrt(float(np.nanmean(rows**2))) / usual
    if rows.size < _MIN_NUMBERS or not (
        (ratio > _MIN_FACTOR and typical > _MIN_FACTOR / 2)
        or (ratio < 1 / _MIN_FACTOR and typical < 2 / _MIN_FACTOR)
    ):
        return None
    # A single faint sample does not mean another scale: most values in training must be larger.
    if ratio < 1 and largest > abs(input_range.mean) + input_range.spread / _MIN_FACTOR:
        return None
    factor = _round_factor(ratio if ratio > 1 else 1 / ratio)
    direction = "larger" if ratio > 1 else "smaller"
    fix = f"{input_range.name} / {factor:g}" if ratio > 1 else f"{input_range.name} * {factor:g}"
    return Difference(
        "scale",
        f"its values are about {factor:,g} times {direction} than in training: up to "
        f"{largest:,.4g} in place of {largest_before:,.4g}",
        fix,
    )


def _find_unit_difference(input_range: InputRange, array: Any) -> Difference | None:
    """A column in another unit: its values are those of training times a common factor."""
    if not input_range.quantiles or math.prod(array.shape[1:]) != 1:
        return None
    values = sample_rows(array).reshape(-1)
    unit = find_other_unit(input_range.quantiles, input_range.shares, values)
    if unit is None:
        return None
    first, last = np.nanquantile(values, (0.25, 0.75))
    in_training = np.interp((0.25, 0.75), input_range.shares, input_range.quantiles)
    names = f", as for {unit.names}" if unit.names else f" by a factor of {unit.factor:g}"
    return Difference(
        "unit",
        f"it seems to have another unit{names}: half of its values are from {first:.4g} to "
        f"{last:.4g}, in training from {in_training[0]:.4g} to {in_training[1]:.4g}",
        unit.inverse_expression(input_range.name),
    )


def _inverted(input_range: InputRange, rows: np.ndarray) -> Difference | None:
    """Light and dark swapped: the mean is where that of the inverse would be."""
    if len(input_range.shape) < 2 or min(input_range.shape[:2]) < _MIN_SIDE or input_range.low < 0:
        return None
    if not input_range.sample_spread or np.nanstd(rows) < input_range.spread / 4:
        return None
    error = input_range.sample_spread / math.sqrt(len(rows))
    mean = float(np.nanmean(rows))
    swapped = input_range.low + input_range.high - input_range.mean
    if (
        abs(mean - input_range.mean) < _MIN_DIFFERENCE * error
        or abs(mean - swapped) > abs(mean - input_range.mean) / 2
    ):
        return None
    low_plus_high = f"{input_range.low + input_range.high:.3g}"
    return Difference(
        "inverted",
        f"light and dark seem to be swapped: its mean is {mean:.3g}, in training it was "
        f"{input_range.mean:.3g} of {input_range.low:g} to {input_range.high:g}",
        f"{low_plus_high} - {input_range.name}",
    )


def _find_swapped_channels(input_range: InputRange, rows: np.ndarray) -> Difference | None:
    """Blue, green, red in place of red, green, blue: the means of the channels are swapped."""
    if len(input_range.channels) != 3 or rows.ndim != 4 or rows.shape[-1] != 3:
        return None
    means_before, means = np.array(input_range.channels), rows.mean(axis=(0, 1, 2))
    error = input_range.sample_spread / math.sqrt(len(rows))
    red_to_blue, red_to_blue_before = means[0] - means[2], means_before[0] - means_before[2]
    if (
        not error
        or abs(red_to_blue_before) < _MIN_DIFFERENCE * error
        or abs(red_to_blue + red_to_blue_before) > _MAX_AGREEMENT * error
    ):
        return None
    return Difference(
        "channels",
        "its channels seem to be blue, green, red: their means are "
        f"{_format_numbers(means)}, in training they were {_format_numbers(means_before)}",
        f"{input_range.name}[..., ::-1]",
    )


def _format_numbers(values: np.ndarray) -> str:
    return ", ".join(f"{value:.3g}" for value in values)


def _round_factor(ratio: float) -> float:
    """A usual factor such as 255 if it is near, else the ratio rounded to two digits."""
    for factor in (255.0, 127.5, 65535.0, 100.0, 1000.0):
        if abs(ratio / factor - 1) < 0.1:
            return factor
    return float(f"{ratio:.2g}")
