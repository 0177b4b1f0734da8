"""`keras.backend` for older scripts, with its functions of arrays.

Custom losses and metrics use it, as in `K.mean(K.square(y_pred - y_true))`.
"""

from typing import Any

import jax.numpy as jnp

from lamina import activations, random
from lamina.backend import *  # noqa: F403 - the settings, with the same names
from lamina.backend import floatx
from lamina.compat import tensor_functions as functions
from lamina.compat.tensor_functions import Tensor, adapt
from lamina.core.types import DTypeLike

abs = adapt(jnp.abs, 1)
argmax = adapt(lambda x, axis=-1: jnp.argmax(x, axis), 1)
argmin = adapt(lambda x, axis=-1: jnp.argmin(x, axis), 1)
cast = adapt(functions.cast)
clip = adapt(jnp.clip, 1)
concatenate = adapt(lambda tensors, axis=-1: functions.concat(tensors, axis))
constant = adapt(functions.constant)
dot = adapt(jnp.dot, 2)
equal = adapt(jnp.equal, 2)
exp = adapt(jnp.exp, 1)
expand_dims = adapt(lambda x, axis=-1: jnp.expand_dims(x, axis), 1)
flatten = adapt(jnp.ravel, 1)
greater = adapt(jnp.greater, 2)
less = adapt(jnp.less, 2)
log = adapt(jnp.log, 1)
max = adapt(jnp.max, 1)
maximum = adapt(jnp.maximum, 2)
mean = adapt(jnp.mean, 1)
min = adapt(jnp.min, 1)
minimum = adapt(jnp.minimum, 2)
not_equal = adapt(jnp.not_equal, 2)
ones_like = adapt(functions.ones_like)
pow = adapt(jnp.power, 1)
prod = adapt(jnp.prod, 1)
reshape = adapt(functions.reshape)
round = adapt(jnp.round, 1)
sign = adapt(jnp.sign, 1)
sqrt = adapt(lambda x: jnp.sqrt(jnp.maximum(x, 0)), 1)
square = adapt(jnp.square, 1)
squeeze = adapt(jnp.squeeze, 1)
stack = adapt(functions.stack)
std = adapt(jnp.std, 1)
sum = adapt(jnp.sum, 1)
transpose = adapt(jnp.transpose, 1)
var = adapt(jnp.var, 1)
zeros_like = adapt(functions.zeros_like)

relu = activations.relu
sigmoid = activations.sigmoid
softmax = activations.softmax
tanh = activations.tanh


all = adapt(jnp.all, 1)
any = adapt(jnp.any, 1)
cos = adapt(jnp.cos, 1)
cumprod = adapt(lambda x, axis=0: jnp.cumprod(x, axis), 1)
cumsum = adapt(lambda x, axis=0: jnp.cumsum(x, axis), 1)
greater_equal = adapt(jnp.greater_equal, 2)
less_equal = adapt(jnp.less_equal, 2)
permute_dimensions = adapt(lambda x, pattern: jnp.transpose(x, pattern), 1)
reverse = adapt(lambda x, axes: jnp.flip(x, axes), 1)
sin = adapt(jnp.sin, 1)
tile = adapt(lambda x, n: jnp.tile(x, n), 1)


def int_shape(x: Any) -> tuple | None:
    """The shape, with None for unknown sizes; None for an object without a shape."""
    return tuple(x.shape) if hasattr(x, "shape") else None


def ndim(x: Any) -> int:
    """Number of axes."""
    return len(x.shape)


def dtype(x: Any) -> str:
    """Name of the type, e.g. `"float32"`."""
    return str(x.dtype)


def ones(shape: Any, dtype: DTypeLike | None = None, name: str | None = None) -> Tensor:
    """An array of ones."""
    return functions.constant(1, dtype or floatx(), tuple(shape))


def zeros(shape: Any, dtype: DTypeLike | None = None, name: str | None = None) -> Tensor:
    """An array of zeros."""
    return functions.constant(0, dtype or floatx(), tuple(shape))


def random_normal(
    shape: Any,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: DTypeLike | None = None,
    seed: int | None = None,
) -> Tensor:
    """Numbers with a normal distribution."""
    return functions.constant(random.normal(tuple(shape), mean, stddev, dtype, seed))


def random_uniform(
    shape: Any,
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: DTypeLike | None = None,
    seed: int | None = None,
) -> Tensor:
    """Numbers with a uniform distribution."""
    return functions.constant(random.uniform(tuple(shape), minval, maxval, dtype, seed))


def random_bernoulli(
    shape: Any, p: float = 0.0, dtype: DTypeLike | None = None, seed: int | None = None
) -> Tensor:
    """Ones with probability `p`, else zeros."""
    is_one = random.uniform(tuple(shape), seed=seed) < p
    return functions.constant(is_one.astype(dtype or floatx()))


def truncated_normal(
    shape: Any,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: DTypeLike | None = None,
    seed: int | None = None,
) -> Tensor:
    """Numbers with a normal distribution that is cut off at two deviations."""
    return functions.constant(random.truncated_normal(tuple(shape), mean, stddev, dtype, seed))


def get_value(x: Any) -> Any:
    """A Variable's or array's value as NumPy."""
    return functions.array(x).__array__()


def set_value(x: Any, value: Any) -> None:
    """Give a Variable another value."""
    x.assign(value)


def shape(x: Any) -> tuple[int, ...]:
    return tuple(jnp.shape(x))


def eval(x: Any) -> Any:
    """The value of an array; arrays always have one, unlike tensors of TensorFlow 1."""
    return get_value(x)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """Per element, unlike the loss of that name, which takes the mean over the last axis."""
    target, output = functions.array(target), functions.array(output)
    if from_logits:
        return functions.sigmoid_cross_entropy_with_logits(target, output)
    output = jnp.clip(output, 1e-7, 1 - 1e-7)
    return -(target * jnp.log(output) + (1 - target) * jnp.log(1 - output))


_HELPERS = ("Any", "Tensor", "adapt")
__all__ = sorted(
    name
    for name, value in globals().items()
    if callable(value) and not name.startswith("_") and name not in _HELPERS
)
