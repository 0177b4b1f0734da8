"""What layers for categories and text share: they compute where their input lies."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration.context import context
from lamina.core.layer.layer import Layer
from lamina.core.memory_limit import reserve_bytes
from lamina.core.messages.errors import unknown_name
from lamina.core.user_data.data_kinds import is_text
from lamina.core.user_data.masked_arrays import unmasked
from lamina.core.user_data.text import as_user_results, as_values


class HostLayer(Layer):
    """A layer that takes lists, columns, texts and NumPy arrays, and computes there in NumPy.

    With JAX arrays it computes in JAX, so that such a layer can stand in a compiled program,
    unless it is for text. Who calls it gets a JAX array either way, or an array of texts; inside
    `Dataset.map`, and where a model prepares its inputs on the host, results stay in NumPy.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.adaptations = 0  # a compiled program holds what was learned; it asks for this number

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = tuple(map(self._values, args))
        results = super().__call__(*args, **{k: self._values(v) for k, v in kwargs.items()})
        return results if context.layers else as_user_results(results)

    builds_nothing = True

    def build(self, input_shape: Any = None) -> None:
        """Nothing to make: there are no weights.

        Args:
            input_shape: Shape of the inputs.
        """

    def _values(self, given: Any) -> Any:
        return given if given is None or isinstance(given, bool) else as_values(given, self._label)

    def _as_tensor(self, value: Any) -> Any:
        return value  # neither to the device nor to another dtype

    def _refuse_text(self, inputs: Any, instead: str) -> None:
        if is_text(inputs):
            raise TypeError(
                f"{self._label} takes numbers and received text.\n  Fix: put {instead} before it."
            )


def whole_numbers(inputs: Any, layer: str) -> Any:
    """The inputs as integers; fractions are refused where they can be seen."""
    if inputs.dtype.kind in "iu":
        return inputs
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind == "f" and inputs.size:
        fractions = inputs[inputs != np.trunc(inputs)]
        if fractions.size:
            raise TypeError(
                f"{layer} takes whole numbers and received {fractions[0]}.\n"
                "  Fix: x = numpy.round(x), or a Discretization layer before it."
            )
    return inputs.astype("int32" if isinstance(inputs, jax.Array) else "int64")


def checked_mode(layer: str, output_mode: Any, allowed: Sequence[str]) -> str:
    """The output mode under its present name, or an error that names those there are."""
    mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode)
    if mode not in allowed:
        raise unknown_name(f"output_mode of {layer}", output_mode, allowed)
    return mode


def count_row(layer: str, output_mode: str, depth: int | None) -> None:
    """Count one row of a dense output where a file says how wide it is."""
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
    """Integers as vectors: one a number, or one for all numbers of a sample.

    Args:
        indices: `(..., numbers)`, NumPy or JAX; what lies outside 0 … depth - 1 counts nowhere.
        output_mode: `"int"` leaves them; `"one_hot"` gives each number a vector of its own,
            `"multi_hot"` says which numbers a sample has, `"count"` how often.
        depth: Length of the vectors.
        dtype: Of the vectors.
        weights: What each number counts, in the shape of `indices`; 1 if None.

    Returns:
        `(..., depth)`; for `"one_hot"` `(..., numbers, depth)`, where an axis of 1 is dropped.
    """
    if output_mode == "int":
        return indices
    indices = indices.reshape(_sample_shape(indices.shape, output_mode))
    if isinstance(indices, np.ndarray):
        samples, numbers = indices[..., 0].size, indices.shape[-1]
        rows = np.repeat(np.arange(samples), numbers)
        flat = None if weights is None else np.broadcast_to(weights, indices.shape).ravel()
        shape = (samples, depth)
        encoded = count_rows(rows, indices.ravel(), shape, output_mode, dtype, flat)
        return encoded.reshape(*indices.shape[:-1], depth)
    marks = jax.nn.one_hot(indices, depth, dtype=dtype)
    if weights is not None:
        marks = marks * jnp.broadcast_to(weights, indices.shape)[..., None].astype(dtype)
    return marks.max(axis=-2) if output_mode == "multi_hot" else marks.sum(axis=-2)


def count_rows(
    rows: np.ndarray, indices: np.ndarray, shape: tuple, output_mode: str, dtype: Any, weights: Any
) -> np.ndarray:
    """Which indices come in each row, or how often; large results take no more than their size.

    Args:
        rows, indices: One of each for every number; indices outside the shape count nowhere.
        shape: `(rows, depth)` of the result.
        output_mode: `"multi_hot"` for ones; else counts.
        dtype: Of the result.
        weights: What each number counts; 1 if None.
    """
    result = np.zeros(shape, jnp.dtype(dtype))
    known = (indices >= 0) & (indices < shape[1])
    places = rows[known] * shape[1] + indices[known]
    if output_mode == "multi_hot":
        result.ravel()[places] = 1
    elif weights is None:
        places, counts = np.unique(places, return_counts=True)
        result.ravel()[places] = counts
    else:
        places, number = np.unique(places, return_inverse=True)
        result.ravel()[places] = np.bincount(number, weights[known])
    return result


def encoded_shape(shape: Sequence, output_mode: str, depth: int | None) -> tuple:
    """Shape of what `encode` gives."""
    if output_mode == "int":
        return tuple(shape)
    return (*_sample_shape(tuple(shape), output_mode)[:-1], depth)


def _sample_shape(shape: tuple, output_mode: str) -> tuple:
    """The shape with the numbers of one vector on the last axis."""
    alone = output_mode == "one_hot" and not (len(shape) > 1 and shape[-1] == 1)
    return (*shape, 1) if alone or not shape else shape


def batches(data: Any, steps: int | None = None) -> Iterator[np.ndarray]:
    """The arrays that together hold the data which a layer is to adapt to.

    Args:
        data: An array, a column, a list of rows, or an iterable of arrays (batches) or of tuples
            that begin with one, as data sets for training have them.
        steps: Number of batches to take; None takes all.
    """
    if isinstance(data, (list, tuple)) and not any(map(_is_batch, data)):
        data = as_values(data, "the data of adapt()")  # rows, not a list of batches
    data = unmasked(data, "the data of adapt()")
    if _is_batch(data):
        yield np.asarray(as_values(data, "the data of adapt()"))
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
        batch = unmasked(batch, f"batch {number} of the data of adapt()")
        yield np.asarray(as_values(batch, f"batch {number} of the data of adapt()"))


def _is_batch(part: Any) -> bool:
    first = part[0] if isinstance(part, tuple) and part else part
    return hasattr(first, "shape")
