"""`normalize` and `to_categorical`: preparation of arrays for training."""

import sys
from typing import Any

import numpy as np

from lamina.core.configuration import config
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import ArrayLike
from lamina.core.user_data.data_kinds import is_text

# Samples are processed in blocks of this size, which fit into the cache of the processor.
_BLOCK_BYTES = 1 << 19


@filter_traceback
def normalize(x: ArrayLike, axis: int = -1, order: float = 2) -> Any:
    """Divides by the norm along an axis, so that every vector along it gets length 1.

    A vector of zeros is not changed. On whole images, `normalize(x, axis=1)` treats every pixel
    column as a vector of its own; to bring pixels into the range 0–1 a `Rescaling` layer inside
    the model is the better choice, because it is saved with the model.

    Args:
        x: Array of any shape. NumPy in, NumPy out (float64 for integers); anything else
            becomes a JAX array.
        axis: Axis along which the norm is taken. (Keras confuses axes for `axis=0`.)
        order: Which norm: 2 is the Euclidean length, 1 the sum of magnitudes.

    Returns:
        Array of the same shape.

    Example:
        >>> normalize(np.array([[3, 4], [0, 0]])).tolist()
        [[0.6, 0.8], [0.0, 0.0]]
    """
    if isinstance(order, str) or np.ndim(order) != 0:
        raise ValueError(f"normalize: order is a number, 2 or 1 for example; received {order!r}.")
    if x is None or is_text(x) or getattr(x, "dtype", None) == np.dtype(object):
        raise TypeError(f"normalize takes an array of numbers; received {str(x)[:80]!r}.")
    if not isinstance(x, np.ndarray):
        return _normalize_array(x, axis, order)
    if x.ndim == 0 or (axis is not None and not -x.ndim <= axis < x.ndim):
        raise ValueError(f"normalize: axis {axis} does not exist in an array of shape {x.shape}.")
    if axis is None or axis % x.ndim == 0:
        return _divide_by_norm(x, axis, order)
    dtype = x.dtype if x.dtype.kind in "fc" else np.dtype("float64")
    result = np.empty(x.shape, dtype=dtype)
    sample_bytes = max(1, dtype.itemsize * x[:1].size)
    step = max(1, _BLOCK_BYTES // sample_bytes)
    for start in range(0, len(x), step):
        block = x[start : start + step].astype(dtype, copy=False)
        result[start : start + step] = _divide_by_norm(block, axis, order)
    return result


@filter_traceback
def to_categorical(x: ArrayLike, num_classes: int | None = None) -> Any:
    """Class numbers as one-hot vectors.

    Args:
        x: Integers from 0 to `num_classes - 1`, any shape; a last axis of length 1 is
            dropped. NumPy array or list in, NumPy float64 out; a JAX array gives a float32 one.
        num_classes: Length of the new last axis; the largest number plus one for None.

    Returns:
        Array `(..., num_classes)` with a single 1 along the last axis.

    Raises:
        ValueError: If a number is negative, too large or not whole. (Keras lets negative ones
            count from the end.)

    Example:
        >>> to_categorical([0, 2], num_classes=3).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    labels = np.asarray(x)
    if labels.dtype.kind not in "iub":
        integers = labels.astype("int64") if labels.dtype.kind == "f" else None
        if integers is None or not np.array_equal(integers, labels):
            raise ValueError(
                "to_categorical needs integer class indices; "
                f"received {labels.dtype} values such as {labels.flat[0] if labels.size else ''!r}."
                "\n  Fix: number the classes first, "
                "e.g. `names, x = numpy.unique(x, return_inverse=True)`."
            )
        labels = integers
    if labels.size == 0 and not num_classes:
        raise ValueError(
            "to_categorical cannot count the classes of an empty array; give num_classes."
        )
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    classes = int(num_classes) if num_classes else int(labels.max()) + 1
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        invalid = labels[(labels < 0) | (labels >= classes)]
        raise ValueError(
            f"to_categorical: class index {int(invalid.flat[0])} lies outside 0…{classes - 1} "
            f"(num_classes={classes}).\n"
            "  Likely cause: labels that start at 1, or a num_classes that is too small."
        )
    one_hot = np.zeros((*labels.shape, classes))
    np.put_along_axis(one_hot, labels[..., None].astype("int64"), 1.0, axis=-1)
    return _to_same_library(x, one_hot)


def _divide_by_norm(x: np.ndarray, axis: int | None, order: float) -> np.ndarray:
    norm = np.linalg.norm(x, order, axis, keepdims=True)
    norm[norm == 0] = 1
    return x / norm


def _normalize_array(x: ArrayLike, axis: int, order: float) -> Any:
    import jax.numpy as jnp

    x = jnp.atleast_1d(jnp.asarray(x))
    norm = jnp.linalg.norm(x.astype(jnp.result_type(x, float)), order, axis, keepdims=True)
    return x / jnp.maximum(norm, config.epsilon())


def _to_same_library(x: ArrayLike, result: np.ndarray) -> Any:
    """Convert `result` to a JAX array if `x` is one, without importing JAX."""
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(x, jax.Array):
        return jax.numpy.asarray(result, dtype="float32")
    return result
