"""Depthwise convolution, by shifted products or by XLA's library."""

import math
from functools import reduce

import jax.numpy as jnp

from lamina.core.types import Array
from lamina.ops import sliding_windows
from lamina.ops.lowering import convolution

# The program grows with every slice; windows larger than 8x8 are rare.
MAX_SLICES = 64


def reference(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> Array:
    """A convolution with as many groups as channels.

    Args:
        x: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        kernel: `(*window, channels, multiplier)`.
        strides, dilation: One number for each axis.
        padding: `"valid"` or `"same"`.
    """
    kernel = kernel.reshape(*kernel.shape[:-2], 1, -1)
    return convolution.reference(x, kernel, strides, padding, data_format, dilation)


def suits_shifts(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> bool:
    return math.prod(kernel.shape[:-2]) <= MAX_SLICES


def by_shifts(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> Array:
    """One product of whole arrays for every position of the window.

    The channels are the last axis; each is repeated if it has several kernels.
    """
    if data_format == "channels_first":
        x = jnp.moveaxis(x, 1, -1)
    axes, (*window, channels, multiplier) = range(1, x.ndim - 1), kernel.shape
    amounts = sliding_windows.padding_amounts(x.shape[1:-1], window, strides, padding, dilation)
    wide = jnp.promote_types(x.dtype, "float32")  # many small terms are added up
    x = x if multiplier == 1 else jnp.repeat(x, multiplier, axis=-1)
    padded = sliding_windows.pad(x.astype(wide), axes, amounts, 0)
    factors = kernel.reshape(-1, channels * multiplier).astype(wide)
    parts = sliding_windows.shifted_slices(padded, axes, window, strides, dilation)
    y = reduce(jnp.add, map(jnp.multiply, parts, factors)).astype(x.dtype)
    return jnp.moveaxis(y, -1, 1) if data_format == "channels_first" else y


def suits_convolution(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> bool:
    """As many groups as channels, and more than one."""
    channels = x.shape[-1 if data_format == "channels_last" else 1]
    is_depthwise = kernel.shape[-2] == 1 and channels > 1
    return is_depthwise and suits_shifts(x, kernel, strides, padding, data_format, dilation)


def convolution_by_shifts(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> Array:
    """`convolution.reference` with as many groups as channels."""
    channels = x.shape[-1 if data_format == "channels_last" else 1]
    kernel = kernel.reshape(*kernel.shape[:-2], channels, -1)
    return by_shifts(x, kernel, strides, padding, data_format, dilation)
