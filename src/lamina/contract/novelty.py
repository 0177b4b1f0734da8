"""Novelty: whether an input is far from all inputs that a model was trained on.

A classifier names one of its classes for any input, often with high confidence. The distance here
says when that means nothing. It is the statistic of principal component analysis for process
control (Jackson and Mudholkar, 1979): along the principal components of the training inputs,
squared differences from the mean are divided by their variance; in the other directions, where
inputs of training hardly vary, by the mean variance there. Inputs of training that were held out
give the threshold.
"""

import base64
import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lamina.contract.contract import Novelty

# Rows that are looked at. A quarter of them is held out for the threshold.
_ROWS = 2048
_FEWEST_ROWS = 200
_HELD_OUT = 4
# Share of the inputs held out that are above the threshold.
_EXPECTED = 0.01
# Values of a sample: images and longer vectors are averaged down to so many.
_VALUES = 196
_COMPONENTS = 64
# With so few values, all directions are components.
_FEW_VALUES = 16
# Numbers that are examined at a time.
_NUMBERS = 2**22
# Smaller images are vectors.
_SMALLEST_SIDE = 8
# Variances below this share of the mean variance are rounding errors.
_LEAST_VARIANCE = 1e-4
# Beyond what float32 holds; keeps squares finite.
_LARGEST = 1e100


def learned(arrays: Mapping[str, Any]) -> Novelty | None:
    """What is needed to recognise inputs that are unlike these.

    Args:
        arrays: An array `(samples, …)`, or several with one value for each sample, by name. Texts
            among them are passed over.

    Returns:
        None for fewer than 200 samples without missing values, for text, and for several arrays of
        many values.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> novelty = learned({"x": rng.normal(size=(1000, 3))})
        >>> is_far(novelty, {"x": np.array([[0.0, 0.5, -1.0], [9.0, 9.0, 9.0]])}).tolist()
        [False, True]
    """
    arrays = {name: array for name, array in arrays.items() if _is_numbers(array)}
    rows_of_all = max((len(array) for array in arrays.values()), default=0)
    step = -(-rows_of_all // _ROWS) or 1
    parts: list[np.ndarray] = []
    for part in _in_parts({name: array[::step] for name, array in arrays.items()}):
        averaged = _values(part)
        if averaged is None:
            return None
        parts.append(averaged)
    if not parts:
        return None
    values = np.concatenate(parts)
    values = values[np.isfinite(values).all(axis=1)]
    if len(values) < _FEWEST_ROWS:
        return None
    mean, spreads = values.mean(axis=0), values.std(axis=0)
    if _is_image(arrays):
        spreads = np.full_like(spreads, math.sqrt(float(np.mean(spreads**2))))
    scale = np.where(spreads > 0, spreads, 1.0)
    rows = _standardized(values, mean, scale)
    held_out = np.arange(len(rows)) % _HELD_OUT == 0
    fitted = rows[~held_out]
    variances, directions = np.linalg.eigh(fitted.T @ fitted / len(fitted))
    variances, directions = variances[::-1], directions[:, ::-1].T
    count = len(variances)
    if count > _FEW_VALUES:
        count = min(_COMPONENTS, count // 2, len(fitted) // 10)
    least = _LEAST_VARIANCE * float(variances.mean())
    if least <= 0:
        return None  # all rows are the same
    rest = float(variances[count:].mean()) if count < len(variances) else least
    components = directions[:count].astype("<f4")
    found = Novelty(
        inputs=tuple(arrays),
        mean=_rounded(mean),
        scale=_rounded(scale),
        components=base64.b64encode(components.tobytes()).decode("ascii"),
        variances=_rounded(np.maximum(variances[:count], least)),
        rest=max(rest, least),
        threshold=0.0,
        expected=_EXPECTED,
    )
    distances = _distances(found, values[held_out])
    return dataclasses.replace(found, threshold=float(np.quantile(distances, 1 - _EXPECTED)))


def is_far(novelty: Novelty, arrays: Mapping[str, Any]) -> np.ndarray | None:
    """Whether each sample is far from all samples of training.

    Args:
        novelty: What was learned.
        arrays: Inputs of the same names and shapes.

    Returns:
        `(samples,)` of booleans, False for samples with missing values; None if the arrays are
        other ones than in training.
    """
    if not set(novelty.inputs) <= set(arrays):
        return None
    far: list[np.ndarray] = []
    for part in _in_parts({name: arrays[name] for name in novelty.inputs}):
        values = _values(part)
        if values is None or values.shape[1] != len(novelty.mean):
            return None
        far.append(_distances(novelty, values) > novelty.threshold)
    return np.concatenate(far) if far else np.zeros(0, bool)


def _in_parts(arrays: Mapping[str, Any]) -> Iterator[dict[str, np.ndarray]]:
    """The arrays in parts of few rows: they may be larger than memory."""
    samples = max((len(array) for array in arrays.values()), default=0)
    numbers = sum(math.prod(array.shape[1:]) for array in arrays.values())
    rows = max(1, _NUMBERS // max(1, numbers))
    for first in range(0, samples, rows):
        yield {name: np.asarray(array[first : first + rows]) for name, array in arrays.items()}


def _distances(novelty: Novelty, values: np.ndarray) -> np.ndarray:
    components = _components(novelty)
    rows = _standardized(values, np.array(novelty.mean), np.array(novelty.scale))
    along = rows @ components.T
    inside = (along**2 / np.array(novelty.variances)).sum(axis=1)
    if components.shape[0] == components.shape[1]:
        return np.asarray(inside)
    outside = np.maximum((rows**2).sum(axis=1) - (along**2).sum(axis=1), 0)
    return np.asarray(inside + outside / novelty.rest)


def _components(novelty: Novelty) -> np.ndarray:
    """The matrix, from the text of a file that somebody else may have written."""
    shape = len(novelty.variances), len(novelty.mean)
    try:
        numbers = np.frombuffer(base64.b64decode(novelty.components, validate=True), "<f4")
    except ValueError:
        numbers = np.zeros(0, "<f4")
    if numbers.size != shape[0] * shape[1] or not np.isfinite(numbers).all():
        raise ValueError(
            "The record of what the model was trained on is damaged: its components are not a "
            f"matrix of {shape[0]} × {shape[1]} numbers.\n"
            "  Fix: model.predict(x), which does not need it."
        )
    return numbers.reshape(shape).astype("float64")


def _standardized(values: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):
        rows = (values - mean) / scale
    return np.clip(rows, -_LARGEST, _LARGEST)  # NaN stays NaN, and no distance is above a threshold


def _is_numbers(array: Any) -> bool:
    return np.dtype(getattr(array, "dtype", object)).kind in "biuf" and len(array.shape) > 0


def _values(arrays: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """The arrays as one with at most `_VALUES` numbers for each sample; None if that is no use."""
    parts = list(arrays.values())
    if not parts or any(part.dtype.kind not in "biuf" or part.ndim == 0 for part in parts):
        return None
    if len({len(part) for part in parts}) > 1 or not len(parts[0]):
        return None
    if len(parts) > 1:
        if len(parts) > _VALUES or any(part.size != len(part) for part in parts):
            return None
        return np.stack([part.reshape(-1).astype("float64") for part in parts], axis=1)
    array = parts[0].astype("float64")
    if _is_image(arrays):
        if array.ndim == 3:
            array = array[..., None]
        side = max(1, math.isqrt(_VALUES // array.shape[-1])) if array.shape[-1] <= _VALUES else 0
        if not side:
            return None
        array = _averaged(_averaged(array, 1, side), 2, side)
        return array.reshape(len(array), -1)
    return _averaged(array.reshape(len(array), -1), 1, _VALUES)


def _is_image(arrays: Mapping[str, Any]) -> bool:
    (first, *others) = arrays.values()
    shape = np.shape(first)
    return not others and len(shape) in (3, 4) and min(shape[1:3]) >= _SMALLEST_SIDE


def _averaged(array: np.ndarray, axis: int, most: int) -> np.ndarray:
    """Means of neighbours along an axis, so that at most so many values are left."""
    size = array.shape[axis]
    if size <= most:
        return array
    edges = np.linspace(0, size, most + 1).astype(int)
    shape = [1] * array.ndim
    shape[axis] = most
    means: np.ndarray = np.add.reduceat(array, edges[:-1], axis) / np.diff(edges).reshape(shape)
    return means


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    """Plain numbers of six digits, which keep the file small."""
    return tuple(float(f"{value:.6g}") for value in values)
