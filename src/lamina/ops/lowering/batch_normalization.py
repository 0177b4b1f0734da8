"""Parts of batch normalisation: moments of each channel, then a scale and a shift."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.types import Array
from lamina.ops.arrays import at_least_float32
from lamina.ops.lowering import compiled_kernels

# The kernels are faster for images: docs/performance.md, `kernel-batch-normalization`.
_IMAGE_AXES = 4


# Layers of one shape are traced and differentiated once: docs/performance.md, `one-trace-a-shape`.
@functools.partial(jax.jit, static_argnums=(1, 2))
def moments(x: Array, axes: int | tuple[int, ...] | None, keepdims: bool) -> tuple[Array, Array]:
    """Mean and variance over axes, in the type of `x`, half-precision floats summed in float32."""
    wide = x.astype(at_least_float32(x))
    mean = jnp.mean(wide, axes, keepdims=keepdims)
    variance = jnp.var(wide, axes, keepdims=keepdims)
    return _cast_with_saturation(mean, x.dtype), _cast_with_saturation(variance, x.dtype)


def _cast_with_saturation(x: Array, dtype: Any) -> Array:
    """Cast to a dtype; values out of its range become its largest number, not infinity."""
    if dtype != jnp.float16:
        return x.astype(dtype)
    limits = jnp.finfo(dtype)
    return jnp.clip(x, limits.min, limits.max).astype(dtype)


def suits_kernel_of_moments(x: Array, axes: int | tuple[int, ...] | None, keepdims: bool) -> bool:
    """Images with the channels last."""
    is_image_batch = x.ndim == _IMAGE_AXES and axes == tuple(range(x.ndim - 1)) and not keepdims
    return is_image_batch and compiled_kernels.accepts(x)


def moments_by_kernel(
    x: Array, axes: int | tuple[int, ...] | None, keepdims: bool
) -> tuple[Array, Array]:
    return compiled_kernels.kernel_package().moments(x.reshape(-1, x.shape[-1]))


def suits_kernel_of_scale(x: Array, factor: Array, shift: Array, axis: int) -> bool:
    """Images with the channels last."""
    is_image_batch = x.ndim == _IMAGE_AXES and axis % x.ndim == x.ndim - 1
    has_channel_factors = (
        is_image_batch and factor.shape == x.shape[-1:] and shift.shape == factor.shape
    )
    return has_channel_factors and compiled_kernels.accepts(x, factor, shift)


def scale_by_kernel(x: Array, factor: Array, shift: Array, axis: int) -> Array:
    rows = x.reshape(-1, x.shape[-1])
    return compiled_kernels.kernel_package().scale_and_shift(rows, factor, shift).reshape(x.shape)


@functools.partial(jax.jit, static_argnums=3)
def scale_and_shift(x: Array, factor: Array, shift: Array, axis: int) -> Array:
    """`x * factor + shift`, both vectors along one axis."""
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    return x * factor.reshape(shape) + shift.reshape(shape)
