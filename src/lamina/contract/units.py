"""Finds a column of numbers in another unit than in training: feet for metres, °F for °C.

The quantiles of training, brought to the other unit, divide the values as they divided those of
training, and as they are they do not.
"""

import math
from typing import Any, NamedTuple

import numpy as np

# Shares of the values of training that are below the quantiles that a contract keeps.
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
# Columns of fewer different values, such as numbers of rooms, are not judged.
_FEWEST_VALUES, _FEWEST_QUANTILES = 20, 7
_FEWEST_ROWS = 30
# Largest difference of shares: values in their unit stay below the first, unless all rows are of
# one kind. Those of another unit, brought back, stay below the second divided by the square root of
# their number, and the third, because the shares of training are not exact. docs/your-data.md has
# how often.
_FAR, _NEAR, _INEXACT = 0.7, 1.2, 0.04


class Unit(NamedTuple):
    """What values of one unit are in another: `factor * value + offset`.

    Args:
        factor: The factor.
        offset: What is added.
        names: `"feet in place of metres"`; empty for a power of ten.
    """

    factor: float
    offset: float = 0.0
    names: str = ""

    def back(self, name: str) -> str:
        """The expression that brings values of that name back."""
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


def quantiles_of(values: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The quantiles of numbers, and the shares of them that are below; empty for a few values.

    Args:
        values: `(rows,)`; NaN is passed over.

    Example:
        >>> quantiles, shares = quantiles_of(np.arange(101.0))
        >>> quantiles[5], round(shares[5], 2)
        (50.0, 0.5)
    """
    values = values[np.isfinite(values)]
    if len(np.unique(values)) < _FEWEST_VALUES:
        return (), ()
    quantiles = np.quantile(values, SHARES)
    if len(np.unique(quantiles)) < _FEWEST_QUANTILES:
        return (), ()
    return _plain(quantiles), _plain(_shares_below(np.sort(values), quantiles))


def other_unit(
    quantiles: tuple[float, ...], shares: tuple[float, ...], values: np.ndarray
) -> Unit | None:
    """The unit that values are likely to have in place of that of training; None if it is the same.

    Args:
        quantiles: Those of training, by `quantiles_of`.
        shares: The shares of the values of training below them.
        values: Numbers of the same column, `(rows,)`.

    Example:
        >>> celsius = np.random.default_rng(0).normal(15, 8, 500)
        >>> known = quantiles_of(celsius)
        >>> other_unit(*known, celsius[:50] * 1.8 + 32).names
        '°F in place of °C'
        >>> other_unit(*known, celsius[:50]) is None
        True
    """
    values = np.sort(values[np.isfinite(values)])
    if not quantiles or len(quantiles) != len(shares) or len(values) < _FEWEST_ROWS:
        return None
    known, below = np.array(quantiles), np.array(shares)

    def difference(unit: Unit) -> float:
        brought = known * unit.factor + unit.offset
        return float(np.abs(_shares_below(values, brought) - below).max())

    if difference(Unit(1)) <= _FAR:
        return None
    likeliest = min(_UNITS, key=difference)
    most = _NEAR / math.sqrt(len(values)) + _INEXACT
    return likeliest if difference(likeliest) < most else None


def _shares_below(ordered: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """The share of values below each limit; half of those that are equal to it count."""
    margin = 1e-6 * np.abs(limits)
    first = np.searchsorted(ordered, limits - margin, side="left")
    last = np.searchsorted(ordered, limits + margin, side="right")
    shares: np.ndarray = (first + last) / (2 * len(ordered))
    return shares


def _plain(values: Any) -> tuple[float, ...]:
    """Plain numbers of eight digits, which keep the file small."""
    return tuple(float(f"{value:.8g}") for value in values)
