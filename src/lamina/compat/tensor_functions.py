"""TensorFlow's functions of tensors, for JAX arrays: those that JAX does not have as such.

Argument names and defaults are TensorFlow's. `adapt` adds the conventions that
all of TensorFlow's functions share.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina import activations, ops, random
from lamina.compat.tensorflow_types import (
    array,
    check_equal_dtypes,
    check_operator_dtypes,
    refuse_integers,
    to_jax_dtype,
    to_strong_dtype,
)
from lamina.core.graph.operation import symbolic
from lamina.core.types import DTypeLike
from lamina.core.user_data.data_kinds import is_text
from lamina.core.user_data.text import as_host_array
from lamina.core.variable import seed as seeds
from lamina.core.variable.variable import Variable as LaminaVariable
from lamina.data.dataset import HostArray

Tensor = jax.Array


def adapt(function: Callable, arrays: int = 0) -> Callable:
    """Give a function the calling conventions of TensorFlow.

    Args:
        function: A function of arrays.
        arrays: Number of first arguments that are converted to arrays, so that lists are accepted.

    Returns:
        The function, with a `name` argument that is ignored, for symbolic tensors as well.
    """

    def adapted(*args: Any, name: str | None = None, **kwargs: Any) -> Any:
        return function(*map(array, args[:arrays]), *args[arrays:], **kwargs)

    adapted.__name__ = function.__name__
    adapted.__doc__ = function.__doc__
    return symbolic(adapted, function.__name__.title().replace("_", ""))[0]


def require_equal_dtypes(function: Callable, name: str | None = None) -> Callable:
    """The function with a check that both tensors have the same dtype.

    Args:
        function: A function of arrays.
        name: TensorFlow's name, for messages; the function's own name if None.
    """
    label = name or function.__name__

    def checked(x: Any, y: Any, *args: Any, **kwargs: Any) -> Any:
        check_equal_dtypes(label, x, y)
        return function(array(x), array(y), *args, **kwargs)

    checked.__name__ = function.__name__
    return adapt(checked)


def require_float(function: Callable) -> Callable:
    """The function with a check that its tensor is not of integers, which TensorFlow refuses."""

    def checked(x: Any, *args: Any, **kwargs: Any) -> Any:
        x = array(x)
        refuse_integers(function.__name__, x)
        return function(x, *args, **kwargs)

    checked.__name__ = function.__name__
    return adapt(checked)


class Variable(LaminaVariable):
    """`tf.Variable`: a value that can be assigned."""

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        shape: Sequence[int] | None = None,
    ):
        value = initial_value() if callable(initial_value) else initial_value
        super().__init__(
            value,
            shape=shape,
            dtype=dtype,
            trainable=trainable is not False,
            name=name or "Variable",
        )


check_operator_dtypes(Variable)


# Making arrays


def constant(value: Any, dtype: DTypeLike | None = None, shape: Sequence[int] | None = None) -> Any:
    if is_text(value):
        # JAX has no arrays of text; layers for text take NumPy arrays.
        texts = as_host_array(value).view(HostArray)
        return texts if shape is None else np.broadcast_to(texts, tuple(shape))
    result = to_strong_dtype(array(value, dtype))
    return result if shape is None else jnp.broadcast_to(result, tuple(shape))


def convert_to_tensor(value: Any, dtype: DTypeLike | None = None, dtype_hint: Any = None) -> Any:
    return constant(value, dtype)


def cast(x: Any, dtype: DTypeLike) -> Tensor:
    target_dtype = to_jax_dtype(dtype)
    if isinstance(x, np.ndarray):
        return jnp.asarray(x.astype(target_dtype))
    return to_strong_dtype(array(x).astype(target_dtype))


def zeros(shape: Sequence[int], dtype: DTypeLike = "float32") -> Tensor:
    return jnp.zeros(_shape(shape), to_jax_dtype(dtype))


def ones(shape: Sequence[int], dtype: DTypeLike = "float32") -> Tensor:
    return jnp.ones(_shape(shape), to_jax_dtype(dtype))


def zeros_like(input: Any, dtype: DTypeLike | None = None) -> Tensor:
    return jnp.zeros_like(array(input), dtype=dtype and to_jax_dtype(dtype))


def ones_like(input: Any, dtype: DTypeLike | None = None) -> Tensor:
    return jnp.ones_like(array(input), dtype=dtype and to_jax_dtype(dtype))


def fill(dims: Sequence[int], value: Any) -> Tensor:
    return jnp.full(_shape(dims), value)


def eye(num_rows: int, num_columns: int | None = None, dtype: DTypeLike = "float32") -> Tensor:
    return jnp.eye(num_rows, num_columns, dtype=to_jax_dtype(dtype))


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: DTypeLike | None = None) -> Tensor:
    start, limit = (0, start) if limit is None else (start, limit)
    return jnp.arange(start, limit, delta, dtype=dtype and to_jax_dtype(dtype))


def one_hot(
    indices: Any,
    depth: int,
    on_value: float = 1,
    off_value: float = 0,
    axis: int = -1,
    dtype: DTypeLike = "float32",
) -> Tensor:
    encoded = jax.nn.one_hot(array(indices), depth, axis=axis)
    return (encoded * on_value + (1 - encoded) * off_value).astype(to_jax_dtype(dtype))


# Shapes


def shape(input: Any, out_type: Any = "int32") -> np.ndarray:
    # NumPy, so that an entry may be used as a size while JAX traces.
    return np.array(np.shape(input), dtype=out_type)


def size(input: Any, out_type: Any = "int32") -> int:
    return int(np.prod(np.shape(input)))


def rank(input: Any) -> int:
    return len(np.shape(input))


def reshape(tensor: Any, shape: Sequence[int]) -> Tensor:
    return jnp.reshape(array(tensor), _shape(shape))


def transpose(a: Any, perm: Sequence[int] | None = None, conjugate: bool = False) -> Tensor:
    result = jnp.transpose(array(a), perm)
    return jnp.conj(result) if conjugate else result


def expand_dims(input: Any, axis: int) -> Tensor:
    return jnp.expand_dims(array(input), axis)


def squeeze(input: Any, axis: Any = None) -> Tensor:
    return jnp.squeeze(array(input), tuple(axis) if isinstance(axis, list) else axis)


def concat(values: Sequence[Any], axis: int) -> Tensor:
    for value in values[1:]:
        check_equal_dtypes("ConcatV2", values[0], value)
    return jnp.concatenate([array(v) for v in values], axis)


def stack(values: Sequence[Any], axis: int = 0) -> Tensor:
    for value in values[1:]:
        check_equal_dtypes("Pack", values[0], value)
    return jnp.stack([array(v) for v in values], axis)


def unstack(value: Any, num: int | None = None, axis: int = 0) -> list[Tensor]:
    return list(jnp.moveaxis(array(value), axis, 0))


def split(value: Any, num_or_size_splits: Any, axis: int = 0) -> list[Tensor]:
    parts = num_or_size_splits
    if not isinstance(parts, int):
        parts = np.cumsum(parts)[:-1].tolist()
    return jnp.split(array(value), parts, axis)


def tile(input: Any, multiples: Sequence[int]) -> Tensor:
    return jnp.tile(array(input), _shape(multiples))


def repeat(input: Any, repeats: Any, axis: int | None = None) -> Tensor:
    return jnp.repeat(array(input), repeats, axis)


def reverse(tensor: Any, axis: Any) -> Tensor:
    return jnp.flip(array(tensor), tuple(np.atleast_1d(axis).tolist()))


def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: float = 0) -> Tensor:
    widths = np.asarray(paddings).tolist()
    if mode.upper() == "CONSTANT":
        return jnp.pad(array(tensor), widths, constant_values=constant_values)
    return jnp.pad(array(tensor), widths, mode=mode.lower())


def gather(params: Any, indices: Any, axis: int = 0) -> Tensor:
    return jnp.take(array(params), array(indices), axis=axis)


def where(condition: Any, x: Any = None, y: Any = None) -> Tensor:
    if x is None:
        return jnp.argwhere(array(condition))
    return jnp.where(array(condition), array(x), array(y))


def boolean_mask(tensor: Any, mask: Any) -> Tensor:
    return array(tensor)[np.asarray(mask)]


def meshgrid(*args: Any, indexing: str = "xy") -> list[Tensor]:
    return list(jnp.meshgrid(*map(array, args), indexing=indexing))


# Reducing and ordering


def reduction(function: Callable) -> Callable:
    """TensorFlow's function `reduce_…`, made from NumPy's function with the same meaning."""

    def reduce(input_tensor: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
        axis = tuple(axis) if isinstance(axis, list) else axis
        return function(array(input_tensor), axis=axis, keepdims=keepdims)

    reduce.__name__ = f"reduce_{function.__name__}"
    return reduce


def argmax(input: Any, axis: int | None = None, output_type: Any = None) -> Tensor:
    return jnp.argmax(array(input), axis=0 if axis is None else axis)


def argmin(input: Any, axis: int | None = None, output_type: Any = None) -> Tensor:
    return jnp.argmin(array(input), axis=0 if axis is None else axis)


def sort(values: Any, axis: int = -1, direction: str = "ASCENDING") -> Tensor:
    return jnp.sort(array(values), axis, descending=direction.upper() == "DESCENDING")


def argsort(
    values: Any, axis: int = -1, direction: str = "ASCENDING", stable: bool = False
) -> Tensor:
    return jnp.argsort(array(values), axis, descending=direction.upper() == "DESCENDING")


def top_k(input: Any, k: int = 1, sorted: bool = True) -> tuple[Tensor, Tensor]:
    return jax.lax.top_k(array(input), k)


def in_top_k(targets: Any, predictions: Any, k: int) -> Tensor:
    targets, predictions = array(targets), array(predictions)
    target_scores = jnp.take_along_axis(predictions, targets[:, None], axis=-1)
    return jnp.sum(predictions > target_scores, axis=-1) < k


def unique(x: Any) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values in order of first occurrence, and the index of each value in them."""
    values, first, inverse = np.unique(np.asarray(x), return_index=True, return_inverse=True)
    order = np.argsort(first)
    return values[order], np.argsort(order)[inverse]


def confusion_matrix(
    labels: Any, predictions: Any, num_classes: int | None = None, weights: Any = None
) -> Tensor:
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    size = num_classes or int(max(labels.max(), predictions.max())) + 1
    counts = np.zeros((size, size), dtype="int32" if weights is None else "float32")
    np.add.at(counts, (labels, predictions), 1 if weights is None else np.asarray(weights))
    return jnp.asarray(counts)


# Products


def matmul(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    check_equal_dtypes("MatMul", a, b)
    a, b = array(a), array(b)
    a = jnp.swapaxes(a, -1, -2) if transpose_a else a
    return jnp.matmul(a, jnp.swapaxes(b, -1, -2) if transpose_b else b)


def norm(tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool = False) -> Tensor:
    order = None if ord == "euclidean" else ord
    return jnp.linalg.norm(array(tensor), order, axis, keepdims)


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any) -> Tensor:
    return jnp.clip(array(t), clip_value_min, clip_value_max)


# tf.nn


def relu(features: Any) -> Tensor:
    return activations.relu(features)


def leaky_relu(features: Any, alpha: float = 0.2) -> Tensor:
    return activations.leaky_relu(array(features), negative_slope=alpha)


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12) -> Tensor:
    x = array(x)
    squares = jnp.sum(x * x, axis=axis, keepdims=True)
    return x / jnp.sqrt(jnp.maximum(squares, epsilon))


def l2_loss(t: Any) -> Tensor:
    return jnp.sum(array(t) ** 2) / 2


def dropout(x: Any, rate: float, noise_shape: Any = None, seed: int | None = None) -> Tensor:
    return random.dropout(array(x), rate, noise_shape, seed)


def moments(x: Any, axes: Any, keepdims: bool = False) -> tuple[Tensor, Tensor]:
    x, axes = array(x), tuple(np.atleast_1d(axes).tolist())
    return jnp.mean(x, axes, keepdims=keepdims), jnp.var(x, axes, keepdims=keepdims)


def embedding_lookup(params: Any, ids: Any) -> Tensor:
    return gather(params, ids)


def bias_add(value: Any, bias: Any) -> Tensor:
    return array(value) + array(bias)


def softmax_cross_entropy_with_logits(labels: Any, logits: Any, axis: int = -1) -> Tensor:
    return -jnp.sum(array(labels) * jax.nn.log_softmax(array(logits), axis), axis)


def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any) -> Tensor:
    log_probabilities = jax.nn.log_softmax(array(logits))
    return -jnp.take_along_axis(log_probabilities, array(labels)[..., None], -1)[..., 0]


def sigmoid_cross_entropy_with_logits(labels: Any, logits: Any) -> Tensor:
    labels, logits = array(labels), array(logits)
    return jnp.maximum(logits, 0) - logits * labels + jnp.log1p(jnp.exp(-jnp.abs(logits)))


def conv2d(input: Any, filters: Any, strides: Any = 1, padding: str = "VALID") -> Tensor:
    return ops.conv(array(input), array(filters), _pair(strides), padding.lower())


def max_pool2d(input: Any, ksize: Any, strides: Any = None, padding: str = "VALID") -> Tensor:
    return ops.max_pool(array(input), _pair(ksize), _pair(strides or ksize), padding.lower())


def avg_pool2d(input: Any, ksize: Any, strides: Any = None, padding: str = "VALID") -> Tensor:
    return ops.average_pool(array(input), _pair(ksize), _pair(strides or ksize), padding.lower())


# tf.random


def random_normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: DTypeLike = "float32",
    seed: int | None = None,
) -> Tensor:
    return random.normal(_shape(shape), mean, stddev, to_jax_dtype(dtype).name, seed)


def random_truncated_normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: DTypeLike = "float32",
    seed: int | None = None,
) -> Tensor:
    return random.truncated_normal(_shape(shape), mean, stddev, to_jax_dtype(dtype).name, seed)


def random_uniform(
    shape: Sequence[int],
    minval: Any = 0,
    maxval: Any = None,
    dtype: DTypeLike = "float32",
    seed: int | None = None,
) -> Tensor:
    name = to_jax_dtype(dtype).name
    if name.startswith("int"):
        return random.randint(_shape(shape), minval, maxval, name, seed)
    return random.uniform(_shape(shape), minval, 1 if maxval is None else maxval, name, seed)


def random_shuffle(value: Any, seed: int | None = None) -> Tensor:
    # Rows stay whole, unlike in lamina.random.shuffle.
    return jax.random.permutation(seeds.draw_key(seed), array(value))


def random_categorical(logits: Any, num_samples: int, seed: int | None = None) -> Tensor:
    return random.categorical(array(logits), num_samples, seed=seed)


def set_seed(seed: int) -> None:
    seeds.set_random_seed(seed)


def _shape(shape: Any) -> tuple[int, ...]:
    return tuple(int(n) for n in np.atleast_1d(np.asarray(shape, dtype="int64")))


def _pair(sizes: Any) -> tuple[int, int]:
    """Height and width of `2`, `[2, 3]` or TensorFlow's `[1, 2, 3, 1]`."""
    values = np.atleast_1d(sizes).tolist()
    if len(values) == 4:
        values = values[1:3]
    return (values[0], values[-1])
