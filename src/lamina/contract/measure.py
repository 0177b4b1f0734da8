"""Measures the range, mean and spread of an array, for the contract."""

import math
from typing import Any

import numpy as np

from lamina.contract.contract import InputRange, TargetRange
from lamina.contract.units import quantiles_of

# Rows that are looked at, spread evenly over the array; fewer of large ones, and some of any.
_ROWS, _FEWEST_ROWS = 2048, 64
_NUMBERS = 2**23


def measured(name: str, array: Any) -> InputRange | None:
    """The range of an array with one row for each sample; None if its values are not numbers.

    Args:
        name: The name of the input.
        array: `(samples, …)`. Of many rows, some are measured, spread evenly. Missing values are
            ignored.

    Example:
        >>> found = measured("x", np.array([[0.0, 1.0], [0.5, 0.5]]))
        >>> found.low, found.high, found.mean, found.shape
        (0.0, 1.0, 0.5, (2,))
    """
    dtype = getattr(array, "dtype", None)
    if dtype is None or np.dtype(dtype).kind not in "biuf" or not len(array):
        return None
    rows = some_rows(array)
    finite = rows[np.isfinite(rows)]
    if not finite.size:
        return None
    samples = rows.reshape(len(rows), -1)
    with np.errstate(invalid="ignore"):
        means = samples.mean(axis=1)
    means = means[np.isfinite(means)]
    quantiles, shares = quantiles_of(samples[:, 0]) if samples.shape[1] == 1 else ((), ())
    in_colour = rows.ndim == 4 and rows.shape[-1] == 3
    return InputRange(
        name=name,
        shape=tuple(map(int, array.shape[1:])),
        dtype=str(dtype),
        low=float(finite.min()),
        high=float(finite.max()),
        mean=float(finite.mean()),
        spread=float(finite.std()),
        sample_spread=float(means.std()) if means.size else 0.0,
        channels=tuple(map(float, rows.mean(axis=(0, 1, 2)))) if in_colour else (),
        quantiles=quantiles,
        shares=shares,
    )


def measured_target(values: np.ndarray) -> TargetRange:
    """The range of a target that is a number."""
    values = np.asarray(values, dtype="float64")
    return TargetRange(
        float(values.min()), float(values.max()), float(values.mean()), float(values.std())
    )


def some_rows(array: Any, most: int = _ROWS) -> np.ndarray:
    """At most so many rows, spread evenly, as float64; fewer of large ones."""
    most = min(most, max(_FEWEST_ROWS, _NUMBERS // max(1, math.prod(array.shape[1:]))))
    step = -(-len(array) // most)
    return np.asarray(array[::step], dtype="float64")
