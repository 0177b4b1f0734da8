"""Values brought to mean 0 and variance 1, or to length 1, and the statistics for it."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core import config
from lamina.core.variable import Array, ArrayLike
from lamina.ops import kernels
from lamina.ops.apart import apart
from lamina.ops.arrays import Axes, as_array, as_axes, at_least_float32, floats
from lamina.ops.define import operations

op = operations("nn")


@op("x")
def moments(
    x: ArrayLike, axes: Axes, keepdims: bool = False, synchronized: bool = False
) -> tuple[Array, Array]:
    """Mean and variance over axes; half-size floats are summed in float32.

    Args:
        x: Any array.
        axes: Axes to average over.
        keepdims: Keep those axes with size 1.
        synchronized: Accepted for compatibility. Arrays are global, however many devices hold
            them, so the statistics always are.

    Returns:
        Two arrays without these axes; with `keepdims` they stay, of size 1.

    Example:
        >>> mean, variance = moments(jnp.array([1.0, 3.0]), axes=0)
        >>> float(mean), float(variance)
        (2.0, 1.0)
    """
    x = floats(x)
    compiled = None if keepdims else kernels.moments(x, as_axes(axes))
    return _moments(x, as_axes(axes), keepdims) if compiled is None else compiled


# Layers of one shape are traced and differentiated once, as in `convolution_products.py`.
@functools.partial(jax.jit, static_argnums=(1, 2))
def _moments(x: Array, axes: int | tuple[int, ...] | None, keepdims: bool) -> tuple[Array, Array]:
    wide = x.astype(at_least_float32(x))
    mean = jnp.mean(wide, axes, keepdims=keepdims)
    variance = jnp.var(wide, axes, keepdims=keepdims)
    return _narrowed(mean, x.dtype), _narrowed(variance, x.dtype)


def _narrowed(x: Array, dtype: Any) -> Array:
    """In a smaller type; what is beyond float16 becomes its largest number, not infinity."""
    if dtype != jnp.float16:
        return x.astype(dtype)
    limits = jnp.finfo(dtype)
    return jnp.clip(x, limits.min, limits.max).astype(dtype)


@op("x", "mean", "variance", "offset", "scale", class_name="BatchNorm")
def batch_normalization(
    x: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    axis: int,
    offset: ArrayLike | None = None,
    scale: ArrayLike | None = None,
    epsilon: float = 1e-3,
) -> Array:
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`, each a vector along one axis.

    Args:
        x: Any array.
        mean, variance, offset, scale: Vectors of the size of `axis`; offset and scale may be None.
        axis: The axis of the channels.
        epsilon: Keeps the division finite.

    Returns:
        Array of the same shape.

    Example:
        >>> x = jnp.array([[1.0], [3.0]])
        >>> batch_normalization(x, mean=[2.0], variance=[1.0], axis=-1, epsilon=0.0).tolist()
        [[-1.0], [1.0]]
    """
    x = floats(x)
    vectors = [None if v is None else floats(v) for v in (mean, variance, offset, scale)]
    factor, shift = _factor_and_shift(*vectors, epsilon=epsilon)
    # Asked out here: what is traced is kept, and only some programs may have kernels in them.
    compiled = kernels.scale_and_shift(x, axis, factor, shift)
    return _scale_and_shift(x, factor, shift, axis) if compiled is None else compiled


@jax.jit
def _factor_and_shift(
    mean: Array, variance: Array, offset: Array | None, scale: Array | None, *, epsilon: float
) -> tuple[Array, Array]:
    factor = lax.rsqrt(variance + epsilon)
    if scale is not None:
        factor = factor * scale
    shift = -mean * factor
    return factor, shift if offset is None else shift + offset


@functools.partial(jax.jit, static_argnums=3)
def _scale_and_shift(x: Array, factor: Array, shift: Array, axis: int) -> Array:
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    return x * factor.reshape(shape) + shift.reshape(shape)


@op("x", "gamma", "beta", class_name="LayerNorm")
def layer_normalization(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    axis: Axes = -1,
    epsilon: float | None = None,
    *,
    rms_scaling: bool = False,
) -> Array:
    """Every sample with mean 0 and variance 1 over some axes, then times gamma, plus beta.

    Args:
        x: Any array.
        gamma, beta: Arrays with the shape of those axes, or None.
        axis: One axis or several.
        epsilon: Keeps the division finite; `lamina.config.epsilon()` for None.
        rms_scaling: Leave the mean as it is and add no beta: what Keras does under this name.

    Returns:
        Array of the same shape.

    Source: Ba et al., 2016, "Layer Normalization", arXiv:1607.06450.

    Example:
        >>> layer_normalization(jnp.array([[1.0, 3.0]])).round(3).tolist()
        [[-1.0, 1.0]]
    """
    x = floats(x)
    wide = x.astype(at_least_float32(x))
    epsilon = config.epsilon() if epsilon is None else epsilon
    if rms_scaling:
        factor = lax.rsqrt(jnp.var(wide, axis, keepdims=True) + epsilon)
        factor = factor if gamma is None else factor * _along(gamma, wide, axis)
        return (wide * factor).astype(x.dtype)
    sizes = _sizes_at_the_end(x.shape, axis)
    if sizes and jax.default_backend() == "cpu":
        width = math.prod(sizes)
        gamma = jnp.ones(sizes, wide.dtype) if gamma is None else as_array(gamma)
        beta = jnp.zeros(sizes, wide.dtype) if beta is None else as_array(beta)
        weights = (w.astype(wide.dtype).reshape(width) for w in (gamma, beta))
        y = _normalized_rows(epsilon, wide.reshape(-1, width), *weights)
        return y.reshape(x.shape).astype(x.dtype)
    mean, variance = moments(wide, axis, keepdims=True)
    factor = lax.rsqrt(variance + epsilon)
    shift = -mean * factor
    if gamma is not None:
        gamma = _along(gamma, wide, axis)
        factor, shift = factor * gamma, shift * gamma
    if beta is not None:
        shift = shift + _along(beta, wide, axis)
    return (wide * factor + shift).astype(x.dtype)


@op("x", "scale", class_name="RMSNorm")
def rms_normalization(
    x: ArrayLike, scale: ArrayLike | None = None, axis: Axes = -1, epsilon: float | None = None
) -> Array:
    """Divides every sample by the root of its mean square over some axes, then times scale.

    Args:
        x: Any array.
        scale: Array with the shape of those axes, or None.
        axis: One axis or several.
        epsilon: Keeps the division finite; `lamina.config.epsilon()` for None.

    Returns:
        Array of the same shape.

    Source: Zhang and Sennrich, 2019, "Root Mean Square Layer Normalization", arXiv:1910.07467.

    Example:
        >>> rms_normalization(jnp.array([[2.0, 2.0]])).round(3).tolist()
        [[1.0, 1.0]]
    """
    x = floats(x)
    wide = x.astype(at_least_float32(x))
    square = jnp.mean(jnp.square(wide), as_axes(axis), keepdims=True)
    wide = wide * lax.rsqrt(square + (config.epsilon() if epsilon is None else epsilon))
    if scale is not None:
        wide = wide * _along(scale, wide, axis)
    return wide.astype(x.dtype)


@op("x")
def normalize(x: ArrayLike, axis: Axes = -1, order: int = 2, epsilon: float | None = None) -> Array:
    """Vectors along an axis scaled to norm 1.

    Args:
        x: Any array.
        axis: The axis of the vectors, or two for matrices.
        order: 1 for the sum of magnitudes, 2 for the Euclidean norm, and so on.
        epsilon: The smallest norm to divide by; `lamina.config.epsilon()` for None.

    Returns:
        Array of the same shape, of floats.

    Example:
        >>> normalize(jnp.array([[3.0, 4.0]])).round(3).tolist()
        [[0.6..., 0.8...]]
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"normalize needs an order of 1, 2, …; received {order!r}.")
    x = jnp.atleast_1d(floats(x))
    epsilon = config.epsilon() if epsilon is None else epsilon
    if order == 2:
        wide = x.astype(at_least_float32(x))  # squares, and 1 / epsilon, overflow a float16
        square = jnp.sum(jnp.square(wide), as_axes(axis), keepdims=True)
        return (wide * jnp.minimum(lax.rsqrt(square), 1 / epsilon)).astype(x.dtype)
    norm = jnp.linalg.norm(x, order, as_axes(axis), keepdims=True)
    return x / jnp.maximum(norm, epsilon)


# Autodiff of the sums above is the dearest part of a GPT (4 blocks, width 128): 143 ms a step with
# it, 110 ms with what follows, on two cores; four steps of LayerNorm, product and residual by
# themselves 12.9 and 8.5 ms. Sums over rows are products with ones, which XLA's CPU backend is
# quicker at; compiled apart, the gradient is not worked out anew at each residual connection.


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _normalized_rows(epsilon: float, x: Array, gamma: Array, beta: Array) -> Array:
    """`x`, `(rows, width)`, normalised over its last axis, times gamma, plus beta."""
    centered, factor = _row_statistics(x, epsilon)
    return centered * factor * gamma + beta


@_normalized_rows.defjvp
def _normalized_rows_jvp(epsilon: float, primals: tuple, tangents: tuple) -> tuple:
    x, gamma, beta = primals
    centered, factor = _row_statistics(x, epsilon)
    y = centered * factor * gamma + beta
    return y, _change_of_rows(centered, factor, gamma, *tangents)


def _row_statistics(x: Array, epsilon: float) -> tuple[Array, Array]:
    """`x` minus the mean of each row, and one over the standard deviation, `(rows, 1)`."""
    centered = x - _row_means(x)
    return centered, lax.rsqrt(_row_means(jnp.square(centered)) + epsilon)


@apart
def _change_of_rows(
    centered: Array, factor: Array, gamma: Array, dx: Array, dgamma: Array, dbeta: Array
) -> Array:
    rows, width = centered.shape
    along, down = jnp.ones((1, width), dx.dtype), jnp.ones((rows, 1), dx.dtype)
    normalized = centered * factor
    # As products with ones, so that their transposes, which the gradient takes, are, too.
    spread = _row_means(dx) @ along + normalized * (_row_means(dx * normalized) @ along)
    return (dx - spread) * factor * gamma + normalized * (down @ dgamma[None]) + down @ dbeta[None]


def _row_means(x: Array) -> Array:
    return x @ jnp.full((x.shape[-1], 1), 1 / x.shape[-1], x.dtype)


def _sizes_at_the_end(shape: tuple, axis: Axes) -> tuple | None:
    """The sizes of the axes, if they are the last ones of a shape and nothing is empty."""
    axes = sorted(a % len(shape) for a in ((axis,) if isinstance(axis, int) else axis))
    last = list(range(len(shape) - len(axes), len(shape)))
    return tuple(shape[a] for a in axes) if axes == last and math.prod(shape) else None


def _along(vector: ArrayLike, x: Array, axis: Axes) -> Array:
    """A vector (or array) that spans some axes of x, shaped so that it broadcasts against x."""
    axes = {a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis)}
    shape = [size if a in axes else 1 for a, size in enumerate(x.shape)]
    return as_array(vector).astype(x.dtype).reshape(shape)
