"""What batch normalisation consists of: sums down the columns of a float32 matrix, in one pass.

Element-wise steps are left to XLA, which merges them with their neighbours.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.interpreters import ad

from lamina_kernels.convolution import shaped
from lamina_kernels.library import Array, call
from lamina_kernels.primitives import primitive


def moments(x: Array) -> tuple[Array, Array]:
    """Mean and variance of each column.

    Args:
        x: `(rows, columns)`, float32, at least one row.

    Returns:
        Two vectors, `(columns,)`.

    Example:
        >>> mean, variance = moments(jnp.array([[1.0], [3.0]]))
        >>> mean.tolist(), variance.tolist()
        ([2.0], [1.0])
    """
    both = _moments(x)
    return both[0], both[1]


def scale_and_shift(x: Array, factor: Array, shift: Array) -> Array:
    """`x * factor + shift`, with the gradients of factor and shift in one pass.

    Args:
        x: `(rows, columns)`, float32.
        factor, shift: `(columns,)`, float32.

    Example:
        >>> scale_and_shift(jnp.ones((1, 2)), jnp.array([2.0, 3.0]), jnp.ones(2)).tolist()
        [[3.0, 4.0]]
    """
    return _scale_and_shift.bind(x, jnp.stack([factor, shift]))


# -- the kernels ---------------------------------------------------------------------------------


@jax.custom_jvp
def _moments(x: Array) -> Array:
    return call("moments", shaped(2, x.shape[1]), x)


@_moments.defjvp
def _moments_jvp(primals: tuple, tangents: tuple) -> tuple:
    (x,), (change,) = primals, tangents
    both = _moments(x)
    of_mean = jnp.mean(change, 0)
    of_variance = 2 * jnp.mean((x - both[0]) * change, 0)
    return both, jnp.stack([of_mean, of_variance])


_scale_and_shift = primitive(
    "lamina_scale_and_shift",
    lambda x, weights: shaped(*x.shape),
    lambda x, weights: x * weights[0] + weights[1],
)
# The sums of `x * y` and of `y`: the gradient of the two weights.
_weighted_sums = primitive(
    "lamina_weighted_sums",
    lambda x, y: shaped(2, x.shape[1]),
    lambda x, y: call("weighted_sums", shaped(2, x.shape[1]), x, y),
)


def _transpose_of_scale(cotangent: Any, x: Any, weights: Any) -> tuple:
    return None, None if type(cotangent) is ad.Zero else _weighted_sums.bind(x, cotangent)


def _transpose_of_sums(cotangent: Any, x: Any, y: Any) -> tuple:
    return None, None if type(cotangent) is ad.Zero else _scale_and_shift.bind(x, cotangent)


def _change_of_sums(change: Array, x: Array, y: Array) -> Array:
    products = jnp.sum(change * y, 0)
    return jnp.stack([products, jnp.zeros_like(products)])


ad.defjvp(
    _scale_and_shift,
    lambda change, x, weights: change * weights[0],
    lambda change, x, weights: _scale_and_shift.bind(x, change),
)
ad.primitive_transposes[_scale_and_shift] = _transpose_of_scale
ad.defjvp(
    _weighted_sums,
    _change_of_sums,
    lambda change, x, y: _weighted_sums.bind(x, change),
)
ad.primitive_transposes[_weighted_sums] = _transpose_of_sums
