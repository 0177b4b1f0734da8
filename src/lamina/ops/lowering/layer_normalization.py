"""Layer normalisation: the reference, and by products with ones."""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.types import Array
from lamina.ops.arrays import Axes, as_array, as_axes, broadcast_along_axes
from lamina.ops.lowering.batch_normalization import moments
from lamina.ops.lowering.compilation_unit import compilation_unit


def reference(
    x: Array, gamma: Array | None, beta: Array | None, axis: Axes, epsilon: float
) -> Array:
    """Normalises to mean 0 and variance 1 over some axes, times gamma, plus beta.

    Args:
        x: Any array of floats.
        gamma, beta: Arrays with the shape of those axes, or None.
        axis: One axis or several.
        epsilon: Added to the variance.
    """
    mean, variance = moments(x, as_axes(axis), True)
    factor = lax.rsqrt(variance + epsilon)
    shift = -mean * factor
    if gamma is not None:
        gamma = broadcast_along_axes(gamma, x, axis)
        factor, shift = factor * gamma, shift * gamma
    if beta is not None:
        shift = shift + broadcast_along_axes(beta, x, axis)
    return x * factor + shift


def suits_rows(
    x: Array, gamma: Array | None, beta: Array | None, axis: Axes, epsilon: float
) -> bool:
    """Only the last axes, and no empty arrays."""
    return bool(_sizes_at_the_end(x.shape, axis))


def by_rows(x: Array, gamma: Array | None, beta: Array | None, axis: Axes, epsilon: float) -> Array:
    """Sums over rows as products with ones, which are faster in XLA's CPU backend.

    The gradient is a compilation unit, so that it is not recomputed at each residual connection:
    docs/performance.md, `layer-normalization-by-rows`.
    """
    sizes = _sizes_at_the_end(x.shape, axis)
    assert sizes is not None
    width = math.prod(sizes)
    gamma = jnp.ones(sizes, x.dtype) if gamma is None else as_array(gamma)
    beta = jnp.zeros(sizes, x.dtype) if beta is None else as_array(beta)
    weights = (w.astype(x.dtype).reshape(width) for w in (gamma, beta))
    y = _normalize_rows(epsilon, x.reshape(-1, width), *weights)
    return y.reshape(x.shape)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _normalize_rows(epsilon: float, x: Array, gamma: Array, beta: Array) -> Array:
    """`x`, `(rows, width)`, normalised over its last axis, times gamma, plus beta."""
    centered, factor = _row_statistics(x, epsilon)
    return centered * factor * gamma + beta


@_normalize_rows.defjvp
def _normalize_rows_jvp(epsilon: float, primals: tuple, tangents: tuple) -> tuple:
    x, gamma, beta = primals
    centered, factor = _row_statistics(x, epsilon)
    y = centered * factor * gamma + beta
    return y, _normalize_rows_tangent(centered, factor, gamma, *tangents)


def _row_statistics(x: Array, epsilon: float) -> tuple[Array, Array]:
    """`x` minus the mean of each row, and one over the standard deviation, `(rows, 1)`."""
    centered = x - _row_means(x)
    return centered, lax.rsqrt(_row_means(jnp.square(centered)) + epsilon)


@compilation_unit
def _normalize_rows_tangent(
    centered: Array, factor: Array, gamma: Array, dx: Array, dgamma: Array, dbeta: Array
) -> Array:
    rows, width = centered.shape
    ones_of_row, ones_of_column = jnp.ones((1, width), dx.dtype), jnp.ones((rows, 1), dx.dtype)
    normalized = centered * factor
    # The sums are products with ones, so that their transposes in the gradient are products, too.
    mean_part = _row_means(dx) @ ones_of_row + normalized * (
        _row_means(dx * normalized) @ ones_of_row
    )
    return (
        (dx - mean_part) * factor * gamma
        + normalized * (ones_of_column @ dgamma[None])
        + ones_of_column @ dbeta[None]
    )


def _row_means(x: Array) -> Array:
    return x @ jnp.full((x.shape[-1], 1), 1 / x.shape[-1], x.dtype)


def _sizes_at_the_end(shape: tuple, axis: Axes) -> tuple | None:
    """The sizes of the axes, if they are the last ones of a shape and nothing is empty."""
    axes = sorted(a % len(shape) for a in ((axis,) if isinstance(axis, int) else axis))
    last = list(range(len(shape) - len(axes), len(shape)))
    return tuple(shape[a] for a in axes) if axes == last and math.prod(shape) else None
