"""Normalisation to mean 0 and variance 1, or to length 1, and moments."""

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.configuration import config
from lamina.core.types import Array, ArrayLike
from lamina.ops.arrays import Axes, as_axes, at_least_float32, broadcast_along_axes, to_floats
from lamina.ops.define import operations
from lamina.ops.lowering import run_lowering

op = operations("nn")


@op("x")
def moments(
    x: ArrayLike, axes: Axes, keepdims: bool = False, synchronized: bool = False
) -> tuple[Array, Array]:
    """Mean and variance over axes; half-precision floats are summed in float32.

    Args:
        x: Any array.
        axes: Axes to average over.
        keepdims: Keep those axes with size 1.
        synchronized: Accepted for compatibility. Arrays are global on any number of devices, so
            the statistics always are.

    Returns:
        Two arrays without these axes; with `keepdims` they stay, of size 1.

    Example:
        >>> mean, variance = moments(jnp.array([1.0, 3.0]), axes=0)
        >>> float(mean), float(variance)
        (2.0, 1.0)
    """
    x = to_floats(x)
    return run_lowering("moments", x, as_axes(axes), keepdims)


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
    x = to_floats(x)
    vectors = [None if v is None else to_floats(v) for v in (mean, variance, offset, scale)]
    factor, shift = _factor_and_shift(*vectors, epsilon=epsilon)
    return run_lowering("scale_and_shift", x, factor, shift, axis)


@jax.jit
def _factor_and_shift(
    mean: Array, variance: Array, offset: Array | None, scale: Array | None, *, epsilon: float
) -> tuple[Array, Array]:
    factor = lax.rsqrt(variance + epsilon)
    if scale is not None:
        factor = factor * scale
    shift = -mean * factor
    return factor, shift if offset is None else shift + offset


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
    """Normalises every sample to mean 0 and variance 1 over some axes, then scales and shifts it.

    Args:
        x: Any array.
        gamma, beta: Arrays with the shape of those axes, or None.
        axis: One axis or several.
        epsilon: Keeps the division finite; `lamina.config.epsilon()` for None.
        rms_scaling: Do not subtract the mean and do not add beta, as in Keras.

    Returns:
        Array of the same shape.

    Source: Ba et al., 2016, "Layer Normalization", arXiv:1607.06450.

    Example:
        >>> layer_normalization(jnp.array([[1.0, 3.0]])).round(3).tolist()
        [[-1.0, 1.0]]
    """
    x = to_floats(x)
    wide = x.astype(at_least_float32(x))
    epsilon = config.epsilon() if epsilon is None else epsilon
    if rms_scaling:
        factor = lax.rsqrt(jnp.var(wide, axis, keepdims=True) + epsilon)
        factor = factor if gamma is None else factor * broadcast_along_axes(gamma, wide, axis)
        return (wide * factor).astype(x.dtype)
    return run_lowering("layer_normalization", wide, gamma, beta, axis, epsilon).astype(x.dtype)


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
    x = to_floats(x)
    wide = x.astype(at_least_float32(x))
    square = jnp.mean(jnp.square(wide), as_axes(axis), keepdims=True)
    wide = wide * lax.rsqrt(square + (config.epsilon() if epsilon is None else epsilon))
    if scale is not None:
        wide = wide * broadcast_along_axes(scale, wide, axis)
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
    x = jnp.atleast_1d(to_floats(x))
    epsilon = config.epsilon() if epsilon is None else epsilon
    if order == 2:
        wide = x.astype(at_least_float32(x))  # squares, and 1 / epsilon, overflow a float16
        square = jnp.sum(jnp.square(wide), as_axes(axis), keepdims=True)
        return (wide * jnp.minimum(lax.rsqrt(square), 1 / epsilon)).astype(x.dtype)
    norm = jnp.linalg.norm(x, order, as_axes(axis), keepdims=True)
    return x / jnp.maximum(norm, epsilon)
