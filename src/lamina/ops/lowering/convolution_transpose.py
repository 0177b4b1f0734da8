"""Transposed convolution, by one product whose parts overlap, or by XLA's library."""

import math

import jax.numpy as jnp
from jax import lax

from lamina.core.types import Array
from lamina.ops import sliding_windows
from lamina.ops.lowering import products
from lamina.ops.lowering.convolution import layout
from lamina.ops.lowering.convolution_depthwise import MAX_SLICES
from lamina.ops.lowering.convolution_patches import MAX_PATCH_VALUES


def reference(
    x: Array,
    kernel: Array,
    strides: tuple,
    pads: list,
    sizes: list,
    data_format: str,
    dilation: tuple,
) -> Array:
    """Every value is multiplied by the kernel, and overlapping values are summed.

    Args:
        x: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        kernel: `(*window, filters, channels)`.
        strides, dilation: One number for each axis.
        pads: Zeros before and after the dilated inputs, one pair for each axis.
        sizes: Sizes of the result, one number for each axis.
    """
    rank = len(sizes)
    axes_of_x, letters = layout(rank, data_format)
    return lax.conv_general_dilated(
        x,
        jnp.flip(kernel, range(rank)),
        window_strides=(1,) * rank,
        padding=pads,
        lhs_dilation=strides,
        rhs_dilation=dilation,
        dimension_numbers=(axes_of_x, f"{letters}OI", axes_of_x),
    )


def suits_overlap(
    x: Array,
    kernel: Array,
    strides: tuple,
    pads: list,
    sizes: list,
    data_format: str,
    dilation: tuple,
) -> bool:
    values = x.size // kernel.shape[-1] * math.prod(kernel.shape[:-1])
    return values <= MAX_PATCH_VALUES and math.prod(kernel.shape[:-2]) <= MAX_SLICES


def by_overlap(
    x: Array,
    kernel: Array,
    strides: tuple,
    pads: list,
    sizes: list,
    data_format: str,
    dilation: tuple,
) -> Array:
    """One matrix product for all positions of the kernel, whose overlapping parts are summed."""
    if data_format == "channels_first":
        x = jnp.moveaxis(x, 1, -1)
    window = kernel.shape[:-2]
    wide = jnp.promote_types(x.dtype, "float32")  # many small terms are added up
    matrix = kernel.reshape(-1, kernel.shape[-1]).T
    parts = jnp.split(products.matmul(x, matrix, wide), math.prod(window), -1)
    crops = [
        (width - 1) * gap - before
        for width, gap, (before, _) in zip(window, dilation, pads, strict=True)
    ]
    axes = range(1, x.ndim - 1)
    y = sliding_windows.add_overlapping(
        parts, axes, window, strides, dilation, sizes, crops
    ).astype(x.dtype)
    return jnp.moveaxis(y, -1, 1) if data_format == "channels_first" else y
