"""Measures the range, mean and standard deviation of an array.

They are part of the contract, the description of the training data that a model remembers.
"""

import math
from typing import Any

import numpy as np

from lamina.contract.contract import InputRange, TargetRange
from lamina.contract.units import compute_quantiles

# Maximum number of rows that are measured; fewer if they would have more than `_MAX_NUMBERS`
# numbers, but at least `_MIN_ROWS`.
_MAX_ROWS, _MIN_ROWS = 2048, 64
_MAX_NUMBERS = 2**23


def measure_range(name: str, array: Any) -> InputRange | None:
    """The range of an array with one row for each sample; None if its values are not numbers.

    Args:
        name: The name of the input.
        array: `(samples, …)`. Of many rows, evenly spaced ones are measured. Missing values are
            ignored.

    Example:
        >>> x_range = measure_range("x", np.array([[0.0, 1.0], [0.5, 0.5]]))
        >>> x_range.low, x_range.high, x_range.mean, x_range.shape
        (0.0, 1.0, 0.5, (2,))
    """
    dtype = getattr(array, "dtype", None)
    if dtype is None or np.dtype(dtype).kind not in "biuf" or not len(array):
        return None
    rows = sample_rows(array)
    finite = rows[np.isfinite(rows)]
    if not finite.size:
        return None
    samples = rows.reshape(len(rows), -1)
    with np.errstate(invalid="ignore"):
        means = samples.mean(axis=1)
    means = means[np.isfinite(means)]
    # Values, and the fraction of the numbers below each of them.
    quantiles, shares = compute_quantiles(samples[:, 0]) if samples.shape[1] == 1 else ((), ())
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


def measure_target(values: np.ndarray) -> TargetRange:
    """The range of a target that is a number."""
    values = np.asarray(values, dtype="float64")
    return TargetRange(
        float(values.min()), float(values.max()), float(values.mean()), float(values.std())
    )


def sample_rows(array: Any, limit: int = _MAX_ROWS) -> np.ndarray:
    """At most `limit` rows, evenly spaced, as float64; fewer if the rows are large."""
    limit = min(limit, max(_MIN_ROWS, _MAX_NUMBERS // max(1, math.prod(array.shape[1:]))))
    step = -(-len(array) // limit)
    return np.asarray(array[::step], dtype="float64")
