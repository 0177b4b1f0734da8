"""Finds a column of numbers in another unit than in training: feet for metres, °F for °C.

The quantiles of training are converted to the other unit. The values are in that unit if the
converted quantiles divide them into the same fractions as in training, and the original quantiles
do not.
"""

import math
from typing import Any, NamedTuple

import numpy as np

# The fractions of the quantiles that a contract stores.
FRACTIONS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
# Columns with fewer distinct values, such as numbers of rooms, are not examined.
_MIN_VALUES, _MIN_QUANTILES = 20, 7
_MIN_ROWS = 30
# The largest difference between the fractions below the quantiles must exceed `_MIN_DIFFERENCE` in
# the unit of training. In the other unit it must be below `_MAX_DIFFERENCE` divided by the square
# root of the number of values, plus `_TOLERANCE`, since the fractions of training are inexact.
# docs/your-data.md says how often this is wrong.
_MIN_DIFFERENCE, _MAX_DIFFERENCE, _TOLERANCE = 0.7, 1.2, 0.04


class Unit(NamedTuple):
    """A conversion of units, `factor * value + offset`.

    Args:
        factor: The factor.
        offset: The offset.
        names: `"feet in place of metres"`; empty for a power of ten.
    """

    factor: float
    offset: float = 0.0
    names: str = ""

    def inverse_expression(self, name: str) -> str:
        """The expression that converts an array of this name back."""
        if self.offset:
            return f"({name} - 32) / 1.8" if self.factor > 1 else f"{name} * 1.8 + 32"
        if self.factor > 1:
            return f"{name} / {self.factor:g}"
        return f"{name} * {1 / self.factor:g}"


_UNITS = (
    *(Unit(factor) for factor in (10, 100, 1000, 0.1, 0.01, 0.001)),
    Unit(1 / 0.3048, 0, "feet in place of metres"),
    Unit(0.3048, 0, "metres in place of feet"),
    Unit(1 / 0.45359237, 0, "pounds in place of kilograms"),
    Unit(0.45359237, 0, "kilograms in place of pounds"),
    Unit(1.609344, 0, "kilometres in place of miles"),
    Unit(1 / 1.609344, 0, "miles in place of kilometres"),
    Unit(2.54, 0, "centimetres in place of inches"),
    Unit(1 / 2.54, 0, "inches in place of centimetres"),
    Unit(1.8, 32, "°F in place of °C"),
    Unit(1 / 1.8, -32 / 1.8, "°C in place of °F"),
)


def compute_quantiles(values: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The quantiles of numbers, and the fractions of the numbers below them; empty for few values.

    Args:
        values: `(rows,)`; NaN is ignored.

    Example:
        >>> quantiles, shares = compute_quantiles(np.arange(101.0))
        >>> quantiles[5], round(shares[5], 2)
        (50.0, 0.5)
    """
    values = values[np.isfinite(values)]
    if len(np.unique(values)) < _MIN_VALUES:
        return (), ()
    quantiles = np.quantile(values, FRACTIONS)
    if len(np.unique(quantiles)) < _MIN_QUANTILES:
        return (), ()
    return _round(quantiles), _round(_fractions_below(np.sort(values), quantiles))


def find_other_unit(
    quantiles: tuple[float, ...], shares: tuple[float, ...], values: np.ndarray
) -> Unit | None:
    """The conversion from the unit of training to that of the values; None if they are the same.

    Args:
        quantiles: The quantiles of training, from `compute_quantiles`.
        shares: The fractions of the values of training below them.
        values: Numbers of the same column, `(rows,)`.

    Example:
        >>> celsius = np.random.default_rng(0).normal(15, 8, 500)
        >>> known = compute_quantiles(celsius)
        >>> find_other_unit(*known, celsius[:50] * 1.8 + 32).names
        '°F in place of °C'
        >>> find_other_unit(*known, celsius[:50]) is None
        True
    """
    values = np.sort(values[np.isfinite(values)])
    if not quantiles or len(quantiles) != len(shares) or len(values) < _MIN_ROWS:
        return None
    training_quantiles, fractions = np.array(quantiles), np.array(shares)

    def difference(unit: Unit) -> float:
        converted = training_quantiles * unit.factor + unit.offset
        return float(np.abs(_fractions_below(values, converted) - fractions).max())

    if difference(Unit(1)) <= _MIN_DIFFERENCE:
        return None
    likeliest = min(_UNITS, key=difference)
    limit = _MAX_DIFFERENCE / math.sqrt(len(values)) + _TOLERANCE
    return likeliest if difference(likeliest) < limit else None


def _fractions_below(ordered: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """The fraction of values below each limit; values equal to it count half."""
    margin = 1e-6 * np.abs(limits)
    first = np.searchsorted(ordered, limits - margin, side="left")
    last = np.searchsorted(ordered, limits + margin, side="right")
    shares: np.ndarray = (first + last) / (2 * len(ordered))
    return shares


def _round(values: Any) -> tuple[float, ...]:
    """Numbers rounded to eight digits, which keep the file small."""
    return tuple(float(f"{value:.8g}") for value in values)
