"""HostLayer, base class of layers for categories and text, which may compute in NumPy."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration.context import context
from lamina.core.layer.layer import Layer
from lamina.core.memory_limit import reserve_bytes
from lamina.core.messages.errors import unknown_name
from lamina.core.types import DTypeLike, Inputs, Outputs
from lamina.core.user_data.data_kinds import is_text
from lamina.core.user_data.masked_arrays import remove_mask
from lamina.core.user_data.text import as_host_array, as_user_results


class HostLayer(Layer):
    """A layer that computes in NumPy for lists, columns, text and NumPy arrays.

    For JAX arrays it computes in JAX, so that it can be part of a compiled program, unless it is
    for text. The result is a JAX array in any case, or an array of text; inside `Dataset.map`, and
    when a model prepares its inputs on the host, results are NumPy arrays.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.adaptations = (
            0  # part of the cache key of compiled programs, which contain the learned values
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Outputs:
        args = tuple(map(self._values, args))
        results = super().__call__(*args, **{k: self._values(v) for k, v in kwargs.items()})
        return results if context.call_stack else as_user_results(results)

    has_nothing_to_build = True

    def build(self, input_shape: Any = None) -> None:
        """Nothing to build: there are no weights.

        Args:
            input_shape: Shape of the inputs.
        """

    def _values(self, value: Any) -> Any:
        return (
            value if value is None or isinstance(value, bool) else as_host_array(value, self._label)
        )

    def _as_tensor(self, value: Any) -> Any:
        return value  # neither moved to the device nor cast

    def _refuse_text(self, inputs: Inputs, alternative: str) -> None:
        if is_text(inputs):
            raise TypeError(
                f"{self._label} takes numbers and received text.\n  Fix: put {alternative} before "
                "it."
            )


def to_integers(inputs: Any, layer: str) -> Any:
    """The inputs as integers; fractions are refused if the values are known."""
    if inputs.dtype.kind in "iu":
        return inputs
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind == "f" and inputs.size:
        fractions = inputs[inputs != np.trunc(inputs)]
        if fractions.size:
            raise TypeError(
                f"{layer} takes integers and received {fractions[0]}.\n"
                "  Fix: x = numpy.round(x), or a Discretization layer before it."
            )
    return inputs.astype("int32" if isinstance(inputs, jax.Array) else "int64")


def check_output_mode(layer: str, output_mode: Any, allowed: Sequence[str]) -> str:
    """Check an output mode; returns its current name."""
    mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode)
    if mode not in allowed:
        raise unknown_name(f"output_mode of {layer}", output_mode, allowed)
    return mode


def reserve_row_memory(layer: str, output_mode: str, depth: int | None) -> None:
    """Count the memory of one dense output row towards the limit for loading a file."""
    if output_mode != "int" and depth:
        reserve_bytes(4 * depth, f"{layer}, {depth:,} wide with output_mode={output_mode!r},")


def refuse_sparse(layer: str, sparse: Any) -> None:
    if sparse:
        raise ValueError(
            f"{layer} has no sparse output; received sparse={sparse!r}.\n"
            "  Fix: leave it out, or output_mode='int' with an Embedding after it, which takes no "
            "more memory."
        )


def encode(indices: Any, output_mode: str, depth: int, dtype: Any, weights: Any = None) -> Any:
    """Encode integers as vectors: one per number, or one for all numbers of a sample.

    Args:
        indices: `(..., numbers)`, NumPy or JAX; numbers outside 0 … depth - 1 are ignored.
        output_mode: `"int"` for no change; `"one_hot"` for one vector per number, `"multi_hot"`
            for the set of numbers of a sample, `"count"` for their counts.
        depth: Length of the vectors.
        dtype: Dtype of the vectors.
        weights: Weight of each number, in the shape of `indices`; 1 if None.

    Returns:
        `(..., depth)`; for `"one_hot"` `(..., numbers, depth)`, where an axis of 1 is dropped.
    """
    if output_mode == "int":
        return indices
    indices = indices.reshape(_sample_shape(indices.shape, output_mode))
    if isinstance(indices, np.ndarray):
        samples, numbers = indices[..., 0].size, indices.shape[-1]
        rows = np.repeat(np.arange(samples), numbers)
        flat_weights = None if weights is None else np.broadcast_to(weights, indices.shape).ravel()
        shape = (samples, depth)
        encoded = count_rows(rows, indices.ravel(), shape, output_mode, dtype, flat_weights)
        return encoded.reshape(*indices.shape[:-1], depth)
    vectors = jax.nn.one_hot(indices, depth, dtype=dtype)
    if weights is not None:
        vectors = vectors * jnp.broadcast_to(weights, indices.shape)[..., None].astype(dtype)
    return vectors.max(axis=-2) if output_mode == "multi_hot" else vectors.sum(axis=-2)


def count_rows(
    rows: np.ndarray,
    indices: np.ndarray,
    shape: tuple,
    output_mode: str,
    dtype: DTypeLike,
    weights: Any,
) -> np.ndarray:
    """The set or the counts of indices in each row, without large intermediate arrays.

    Args:
        rows, indices: Row and index of every number; indices outside the shape are ignored.
        shape: `(rows, depth)` of the result.
        output_mode: `"multi_hot"` for ones; else counts.
        dtype: Dtype of the result.
        weights: Weight of each number; 1 if None.
    """
    result = np.zeros(shape, jnp.dtype(dtype))
    is_in_range = (indices >= 0) & (indices < shape[1])
    positions = rows[is_in_range] * shape[1] + indices[is_in_range]
    if output_mode == "multi_hot":
        result.ravel()[positions] = 1
    elif weights is None:
        positions, counts = np.unique(positions, return_counts=True)
        result.ravel()[positions] = counts
    else:
        positions, inverse = np.unique(positions, return_inverse=True)
        result.ravel()[positions] = np.bincount(inverse, weights[is_in_range])
    return result


def encoded_shape(shape: Sequence, output_mode: str, depth: int | None) -> tuple:
    """Shape of the result of `encode`."""
    if output_mode == "int":
        return tuple(shape)
    return (*_sample_shape(tuple(shape), output_mode)[:-1], depth)


def _sample_shape(shape: tuple, output_mode: str) -> tuple:
    """The shape with the numbers of one vector on the last axis."""
    one_vector_per_number = output_mode == "one_hot" and not (len(shape) > 1 and shape[-1] == 1)
    return (*shape, 1) if one_vector_per_number or not shape else shape


def batches(data: Any, steps: int | None = None) -> Iterator[np.ndarray]:
    """The arrays of the data that a layer adapts to.

    Args:
        data: An array, a column, a list of rows, or an iterable of arrays (batches) or of tuples
            that begin with one, as data sets for training have them.
        steps: Number of batches to take; None takes all.
    """
    if isinstance(data, (list, tuple)) and not any(map(_is_batch, data)):
        data = as_host_array(data, "the data of adapt()")  # rows, not a list of batches
    data = remove_mask(data, "the data of adapt()")
    if _is_batch(data):
        yield np.asarray(as_host_array(data, "the data of adapt()"))
        return
    if not isinstance(data, Iterable):
        if not (hasattr(data, "__getitem__") and hasattr(data, "__len__")):
            raise TypeError(
                "adapt() takes an array or an iterable of arrays; received "
                f"{type(data).__name__}.\n  Fix: adapt(np.asarray(data))."
            )
        data = map(data.__getitem__, range(len(data)))
    for number, batch in enumerate(data):
        if number == steps:
            return
        if isinstance(batch, (tuple, list)) and batch and hasattr(batch[0], "shape"):
            batch = batch[0]
        batch = remove_mask(batch, f"batch {number} of the data of adapt()")
        yield np.asarray(as_host_array(batch, f"batch {number} of the data of adapt()"))


def _is_batch(item: Any) -> bool:
    first = item[0] if isinstance(item, tuple) and item else item
    return hasattr(first, "shape")
