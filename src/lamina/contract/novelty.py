"""Novelty: whether an input is far from all inputs that a model was trained on.

A classifier predicts one of its classes for any input, often with high confidence. The distance
computed here tells when such a prediction is meaningless. It is a statistic of process control by
principal component analysis (Jackson and Mudholkar, 1979): along the principal components of the
training inputs, squared differences from the mean are divided by their variance; in the other
directions, where training inputs hardly vary, by the mean variance. The threshold is a quantile of
the distances of held-out training inputs.
"""

import base64
import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lamina.contract.contract import Novelty

# Numbers of rows that are used. Every fourth row is held out for the threshold.
_MAX_ROWS, _MIN_ROWS = 2048, 200
_HELD_OUT_STEP = 4
# Fraction of the held-out inputs that are above the threshold.
_EXPECTED = 0.01
# Maximum number of values of a sample; images and longer vectors are averaged.
_MAX_VALUES = 196
_MAX_COMPONENTS = 64
# With up to this many values, all directions are components.
_FEW_VALUES = 16
# Numbers that are processed at a time.
_BLOCK_SIZE = 2**22
# Smaller images are treated as vectors.
_MIN_SIDE = 8
# Variances below this fraction of the mean variance are rounding errors.
_MIN_VARIANCE = 1e-4
# Limit of standardized values, so that their squares are finite.
_MAX_STANDARDIZED = 1e100


def compute_statistics(arrays: Mapping[str, Any]) -> Novelty | None:
    """Compute the statistics of training inputs by which `is_far` recognizes other inputs.

    Args:
        arrays: An array `(samples, …)`, or several with one value for each sample, by name. Texts
            among them are ignored.

    Returns:
        None for fewer than 200 samples without missing values, for text, and for several arrays of
        many values.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> novelty = compute_statistics({"x": rng.normal(size=(1000, 3))})
        >>> is_far(novelty, {"x": np.array([[0.0, 0.5, -1.0], [9.0, 9.0, 9.0]])}).tolist()
        [False, True]
    """
    arrays = {name: array for name, array in arrays.items() if _is_numbers(array)}
    rows_of_all = max((len(array) for array in arrays.values()), default=0)
    step = -(-rows_of_all // _MAX_ROWS) or 1
    blocks: list[np.ndarray] = []
    for block in _in_blocks({name: array[::step] for name, array in arrays.items()}):
        block_values = _values(block)
        if block_values is None:
            return None
        blocks.append(block_values)
    if not blocks:
        return None
    values = np.concatenate(blocks)
    values = values[np.isfinite(values).all(axis=1)]
    if len(values) < _MIN_ROWS:
        return None
    mean, deviations = values.mean(axis=0), values.std(axis=0)
    if _is_image(arrays):
        deviations = np.full_like(deviations, math.sqrt(float(np.mean(deviations**2))))
    scale = np.where(deviations > 0, deviations, 1.0)
    rows = _standardize(values, mean, scale)
    held_out = np.arange(len(rows)) % _HELD_OUT_STEP == 0
    fitted_rows = rows[~held_out]
    variances, directions = np.linalg.eigh(fitted_rows.T @ fitted_rows / len(fitted_rows))
    variances, directions = variances[::-1], directions[:, ::-1].T
    count = len(variances)
    if count > _FEW_VALUES:
        count = min(_MAX_COMPONENTS, count // 2, len(fitted_rows) // 10)
    min_variance = _MIN_VARIANCE * float(variances.mean())
    if min_variance <= 0:
        return None  # all rows are the same
    rest = float(variances[count:].mean()) if count < len(variances) else min_variance
    components = directions[:count].astype("<f4")
    novelty = Novelty(
        inputs=tuple(arrays),
        mean=_round(mean),
        scale=_round(scale),
        components=base64.b64encode(components.tobytes()).decode("ascii"),
        variances=_round(np.maximum(variances[:count], min_variance)),
        rest=max(rest, min_variance),
        threshold=0.0,
        expected=_EXPECTED,
    )
    distances = _distances(novelty, values[held_out])
    return dataclasses.replace(novelty, threshold=float(np.quantile(distances, 1 - _EXPECTED)))


def is_far(novelty: Novelty, arrays: Mapping[str, Any]) -> np.ndarray | None:
    """Whether each sample is far from all samples of training.

    Args:
        novelty: The statistics that `compute_statistics` has returned.
        arrays: Inputs of the same names and shapes.

    Returns:
        `(samples,)` of booleans, False for samples with missing values; None if the arrays have
        other names or shapes than in training.
    """
    if not set(novelty.inputs) <= set(arrays):
        return None
    far: list[np.ndarray] = []
    for block in _in_blocks({name: arrays[name] for name in novelty.inputs}):
        values = _values(block)
        if values is None or values.shape[1] != len(novelty.mean):
            return None
        far.append(_distances(novelty, values) > novelty.threshold)
    return np.concatenate(far) if far else np.zeros(0, bool)


def _in_blocks(arrays: Mapping[str, Any]) -> Iterator[dict[str, np.ndarray]]:
    """The arrays in blocks of rows, since they may be larger than memory."""
    samples = max((len(array) for array in arrays.values()), default=0)
    numbers = sum(math.prod(array.shape[1:]) for array in arrays.values())
    rows = max(1, _BLOCK_SIZE // max(1, numbers))
    for first in range(0, samples, rows):
        yield {name: np.asarray(array[first : first + rows]) for name, array in arrays.items()}


def _distances(novelty: Novelty, values: np.ndarray) -> np.ndarray:
    components = _components(novelty)
    rows = _standardize(values, np.array(novelty.mean), np.array(novelty.scale))
    along = rows @ components.T
    inside = (along**2 / np.array(novelty.variances)).sum(axis=1)
    if components.shape[0] == components.shape[1]:
        return np.asarray(inside)
    outside = np.maximum((rows**2).sum(axis=1) - (along**2).sum(axis=1), 0)
    return np.asarray(inside + outside / novelty.rest)


def _components(novelty: Novelty) -> np.ndarray:
    """The matrix of components, decoded from the text of an untrusted file."""
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


def _standardize(values: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):
        rows = (values - mean) / scale
    return np.clip(
        rows, -_MAX_STANDARDIZED, _MAX_STANDARDIZED
    )  # NaN stays NaN, and no distance is above a threshold


def _is_numbers(array: Any) -> bool:
    return np.dtype(getattr(array, "dtype", object)).kind in "biuf" and len(array.shape) > 0


def _values(arrays: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """The arrays as one with up to `_MAX_VALUES` numbers a sample; None if they are unsuitable."""
    parts = list(arrays.values())
    if not parts or any(part.dtype.kind not in "biuf" or part.ndim == 0 for part in parts):
        return None
    if len({len(part) for part in parts}) > 1 or not len(parts[0]):
        return None
    if len(parts) > 1:
        if len(parts) > _MAX_VALUES or any(part.size != len(part) for part in parts):
            return None
        return np.stack([part.reshape(-1).astype("float64") for part in parts], axis=1)
    array = parts[0].astype("float64")
    if _is_image(arrays):
        if array.ndim == 3:
            array = array[..., None]
        side = (
            max(1, math.isqrt(_MAX_VALUES // array.shape[-1]))
            if array.shape[-1] <= _MAX_VALUES
            else 0
        )
        if not side:
            return None
        array = _average(_average(array, 1, side), 2, side)
        return array.reshape(len(array), -1)
    return _average(array.reshape(len(array), -1), 1, _MAX_VALUES)


def _is_image(arrays: Mapping[str, Any]) -> bool:
    (first, *others) = arrays.values()
    shape = np.shape(first)
    return not others and len(shape) in (3, 4) and min(shape[1:3]) >= _MIN_SIDE


def _average(array: np.ndarray, axis: int, max_size: int) -> np.ndarray:
    """Average neighbours along an axis, so that at most `max_size` values remain."""
    size = array.shape[axis]
    if size <= max_size:
        return array
    edges = np.linspace(0, size, max_size + 1).astype(int)
    shape = [1] * array.ndim
    shape[axis] = max_size
    means: np.ndarray = np.add.reduceat(array, edges[:-1], axis) / np.diff(edges).reshape(shape)
    return means


def _round(values: np.ndarray) -> tuple[float, ...]:
    """Numbers rounded to six digits, which keep the file small."""
    return tuple(float(f"{value:.6g}") for value in values)
