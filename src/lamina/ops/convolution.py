"""Convolution over any number of spatial axes, in the form that suits the platform.

On GPU and TPU it is the library's convolution. XLA's CPU backend runs that one many times slower
inside a compiled loop than outside, so there the same numbers come from matrix products
(`convolution_products.py`). A depthwise convolution multiplies the shifted inputs and adds them
up; a transposed one multiplies first and lays the products over each other.
"""

import math
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.config import standardize_data_format
from lamina.core.variable import Array, ArrayLike
from lamina.ops import convolution_products, kernels, windows
from lamina.ops.arrays import as_array
from lamina.ops.define import operations

op = operations("nn")

# Beyond this many values the patches cost more memory than the convolution is worth.
_MOST_PATCH_VALUES = 2**28
# A program grows with every slice; larger windows than 8x8 are rare.
_MOST_SLICES = 64


@op("inputs", "kernel")
def conv(
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    """Slides a kernel over one, two or three spatial axes.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        kernel: `(*window, channels, filters)`. Fewer channels than the inputs have, by a factor of
            n, make n groups of channels that are convolved separately.
        strides: Step of the kernel, one number or one an axis.
        padding: `"valid"` (windows inside the input only), `"same"` (zeros around it: as many
            windows as steps) or `"causal"` (all zeros in front).
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        dilation_rate: Distance between neighbouring values of a window.

    Returns:
        `(batch, *positions, filters)`, or with the filters as second axis.

    Example:
        >>> image = jnp.arange(9.0).reshape(1, 3, 3, 1)
        >>> conv(image, jnp.ones((2, 2, 1, 1)))[0, :, :, 0].tolist()
        [[8.0, 12.0], [20.0, 24.0]]
    """
    kernel = as_array(kernel)
    inputs = as_array(inputs).astype(kernel.dtype)
    data_format = standardize_data_format(data_format)
    rank = kernel.ndim - 2
    strides = windows.per_axis(strides, rank, "strides")
    dilation = windows.per_axis(dilation_rate, rank, "dilation_rate")
    padding = windows.checked_padding(padding, ("valid", "same", "causal"))
    caller = "conv"
    _check_shapes(caller, inputs.shape, kernel.shape, strides, padding, data_format, dilation)
    compiled = kernels.convolution(inputs, kernel, strides, padding, data_format, dilation)
    if compiled is not None:
        return compiled
    method = _patches if _suits_patches(inputs, kernel, strides, data_format) else _library
    return method(inputs, kernel, strides, padding, data_format, dilation)


@op("inputs", "kernel")
def depthwise_conv(
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    """Slides kernels over every channel by itself: channels are not mixed.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        kernel: `(*window, channels, multiplier)`: so many kernels for each channel.
        strides: Step of the kernel, one number or one an axis.
        padding: `"valid"` (windows inside the input only) or `"same"` (zeros around it).
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        dilation_rate: Distance between neighbouring values of a window.

    Returns:
        `(batch, *positions, channels * multiplier)`, those of one channel next to each other.

    Example:
        >>> image = jnp.arange(8.0).reshape(1, 4, 2)
        >>> depthwise_conv(image, jnp.ones((2, 2, 1)))[0].tolist()
        [[2.0, 4.0], [6.0, 8.0], [10.0, 12.0]]
    """
    kernel = as_array(kernel)
    inputs = as_array(inputs).astype(kernel.dtype)
    data_format = standardize_data_format(data_format)
    rank = kernel.ndim - 2
    strides = windows.per_axis(strides, rank, "strides")
    dilation = windows.per_axis(dilation_rate, rank, "dilation_rate")
    padding = windows.checked_padding(padding)
    caller = "depthwise_conv"
    _check_shapes(caller, inputs.shape, kernel.shape, strides, padding, data_format, dilation)
    channels = _channels(inputs.shape, data_format)
    if channels != kernel.shape[-2]:
        raise ValueError(
            f"depthwise_conv: the inputs have {channels} channels, the kernel of shape "
            f"{kernel.shape} expects {kernel.shape[-2]}.\n"
            f"  Received: inputs of shape {inputs.shape}, {data_format}."
        )
    if _suits_slices(kernel.shape[:-2]):
        return _multiply_adds(inputs, kernel, strides, padding, data_format, dilation)
    # To the library it is a convolution with as many groups as channels.
    kernel = kernel.reshape(*kernel.shape[:-2], 1, -1)
    return _library(inputs, kernel, strides, padding, data_format, dilation)


@op("inputs", "depthwise_kernel", "pointwise_kernel")
def separable_conv(
    inputs: ArrayLike,
    depthwise_kernel: ArrayLike,
    pointwise_kernel: ArrayLike,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    """A depthwise convolution, then a mix of the channels at every position.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        depthwise_kernel: `(*window, channels, multiplier)`.
        pointwise_kernel: `(1, …, 1, channels * multiplier, filters)`.
        strides: Step of the depthwise kernel, one number or one an axis.
        padding: `"valid"` (windows inside the input only) or `"same"` (zeros around it).
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        dilation_rate: Distance between neighbouring values of a window.

    Returns:
        `(batch, *positions, filters)`, or with the filters as second axis.

    Source: Chollet, 2016, "Xception: Deep Learning with Depthwise Separable Convolutions",
    arXiv:1610.02357.

    Example:
        >>> image = jnp.arange(8.0).reshape(1, 4, 2)
        >>> separable_conv(image, jnp.ones((2, 2, 1)), jnp.ones((1, 2, 1)))[0].tolist()
        [[6.0], [14.0], [22.0]]
    """
    x = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(x, pointwise_kernel, data_format=data_format)


@op("inputs", "kernel")
def conv_transpose(
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    """The way back of a convolution's shapes: every value spreads a kernel, and they are summed.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        kernel: `(*window, filters, channels)`.
        strides: Distance between the kernels of neighbouring values, one number or one an axis.
        padding: `"valid"` (all that the kernels reach) or `"same"` (`strides` times the size of
            the inputs).
        output_padding: By how much the result is longer behind, one number or one an axis; None
            for the sizes above.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        dilation_rate: Distance between neighbouring values of a kernel.

    Returns:
        `(batch, *positions, filters)`, or with the filters as second axis.

    Source: Zeiler et al., 2010, "Deconvolutional Networks".

    Example:
        >>> conv_transpose(jnp.array([[[1.0], [2.0]]]), jnp.ones((3, 1, 1)))[0, :, 0].tolist()
        [1.0, 3.0, 3.0, 2.0]
    """
    kernel = as_array(kernel)
    inputs = as_array(inputs).astype(kernel.dtype)
    data_format = standardize_data_format(data_format)
    rank = kernel.ndim - 2
    strides = windows.per_axis(strides, rank, "strides")
    dilation = windows.per_axis(dilation_rate, rank, "dilation_rate")
    padding = windows.checked_padding(padding)
    if output_padding is not None:
        output_padding = windows.per_axis(output_padding, rank, "output_padding", minimum=0)
    channels = _channels(inputs.shape, data_format) if inputs.ndim == kernel.ndim else None
    if channels != kernel.shape[-1]:
        raise ValueError(
            f"conv_transpose with a kernel of shape {kernel.shape} needs inputs with {rank + 2} "
            f"axes and {kernel.shape[-1]} channels; received shape {inputs.shape}, {data_format}."
        )
    axes, extra = windows.spatial_axes(inputs.ndim, data_format), output_padding or (None,) * rank
    reaches = [(size - 1) * gap + 1 for size, gap in zip(kernel.shape, dilation, strict=False)]
    settings = [(*s, padding, e) for *s, e in zip(reaches, strides, extra, strict=True)]
    pads = [windows.transposed_padding(*each) for each in settings]
    sizes = [
        windows.transposed_size(inputs.shape[a], *each)
        for a, each in zip(axes, settings, strict=True)
    ]
    if min(sizes) < 1:  # type: ignore[operator, type-var]
        raise ValueError(
            f"conv_transpose of inputs of shape {inputs.shape} would leave nothing: padding='same' "
            f"cuts off what a kernel of shape {kernel.shape} adds.\n  Fix: padding='valid'."
        )
    values = inputs.size // kernel.shape[-1] * math.prod(kernel.shape[:-1])
    fits = jax.default_backend() == "cpu" and values <= _MOST_PATCH_VALUES
    method = _spread if fits and _suits_slices(kernel.shape[:-2]) else _library_transpose
    return method(inputs, kernel, strides, pads, sizes, data_format, dilation)


def _suits_patches(x: Array, kernel: Array, strides: tuple, data_format: str) -> bool:
    groups = _channels(x.shape, data_format) // kernel.shape[-2]
    values = x.size * math.prod(kernel.shape[:-2]) // math.prod(strides)
    return jax.default_backend() == "cpu" and groups == 1 and values <= _MOST_PATCH_VALUES


def _patches(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> Array:
    if data_format == "channels_first":
        x = jnp.moveaxis(x, 1, -1)
    amounts = windows.padding_amounts(x.shape[1:-1], kernel.shape[:-2], strides, padding, dilation)
    y = convolution_products.convolve(
        x, kernel, tuple(strides), tuple(map(tuple, amounts)), tuple(dilation)
    )
    return jnp.moveaxis(y, -1, 1) if data_format == "channels_first" else y


def _suits_slices(window: tuple) -> bool:
    return jax.default_backend() == "cpu" and math.prod(window) <= _MOST_SLICES


def _multiply_adds(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> Array:
    """Depthwise: every position of the window is one product of whole arrays.

    The channels stay on the last axis, repeated for several kernels each: with the kernels on an
    axis of their own a step took 26 ms, and not 1 (16 images of 28x28x32, 3x3, two cores).
    """
    if data_format == "channels_first":
        x = jnp.moveaxis(x, 1, -1)
    axes, (*window, channels, multiplier) = range(1, x.ndim - 1), kernel.shape
    amounts = windows.padding_amounts(x.shape[1:-1], window, strides, padding, dilation)
    wide = jnp.promote_types(x.dtype, "float32")  # many small terms are added up
    x = x if multiplier == 1 else jnp.repeat(x, multiplier, axis=-1)
    padded = windows.pad(x, axes, amounts, 0).astype(wide)
    factors = kernel.reshape(-1, channels * multiplier).astype(wide)
    parts = windows.shifted(padded, axes, window, strides, dilation)
    y = reduce(jnp.add, map(jnp.multiply, parts, factors)).astype(x.dtype)
    return jnp.moveaxis(y, -1, 1) if data_format == "channels_first" else y


def _spread(
    x: Array,
    kernel: Array,
    strides: tuple,
    pads: list,
    sizes: list,
    data_format: str,
    dilation: tuple,
) -> Array:
    """Transposed: one matrix product for all kernels, whose parts are laid over each other."""
    if data_format == "channels_first":
        x = jnp.moveaxis(x, 1, -1)
    window = kernel.shape[:-2]
    wide = jnp.promote_types(x.dtype, "float32")  # many small terms are added up
    matrix = kernel.reshape(-1, kernel.shape[-1]).T
    parts = jnp.split(jnp.matmul(x, matrix, preferred_element_type=wide), math.prod(window), -1)
    crops = [
        (width - 1) * gap - before
        for width, gap, (before, _) in zip(window, dilation, pads, strict=True)
    ]
    axes = range(1, x.ndim - 1)
    y = windows.overlapped(parts, axes, window, strides, dilation, sizes, crops).astype(x.dtype)
    return jnp.moveaxis(y, -1, 1) if data_format == "channels_first" else y


def _library_transpose(
    x: Array,
    kernel: Array,
    strides: tuple,
    pads: list,
    sizes: list,
    data_format: str,
    dilation: tuple,
) -> Array:
    rank = len(sizes)
    layout, letters = _layout(rank, data_format)
    return lax.conv_general_dilated(
        x,
        jnp.flip(kernel, range(rank)),
        window_strides=(1,) * rank,
        padding=pads,
        lhs_dilation=strides,
        rhs_dilation=dilation,
        dimension_numbers=(layout, f"{letters}OI", layout),
    )


def _library(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> Array:
    axes = windows.spatial_axes(x.ndim, data_format)
    sizes = [x.shape[axis] for axis in axes]
    layout, letters = _layout(len(axes), data_format)
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=strides,
        padding=windows.padding_amounts(sizes, kernel.shape[:-2], strides, padding, dilation),
        rhs_dilation=dilation,
        dimension_numbers=(layout, f"{letters}IO", layout),
        feature_group_count=x.shape[layout.index("C")] // kernel.shape[-2],
    )


def _layout(rank: int, data_format: str) -> tuple[str, str]:
    letters = "DHW"[-rank:]
    return f"N{letters}C" if data_format == "channels_last" else f"NC{letters}", letters


def _channels(shape: tuple, data_format: str) -> int:
    return shape[-1 if data_format == "channels_last" else 1]


def _check_shapes(
    caller: str,
    shape: tuple,
    kernel: tuple,
    strides: tuple,
    padding: str,
    data_format: str,
    dilation: tuple,
) -> None:
    if len(shape) != len(kernel):
        raise ValueError(
            f"{caller} with a kernel of shape {kernel} needs inputs with {len(kernel)} axes, batch "
            f"and channels included; received shape {shape}."
        )
    channels = _channels(shape, data_format)
    if channels % kernel[-2]:
        raise ValueError(
            f"{caller}: the inputs have {channels} channels, the kernel of shape {kernel} expects "
            f"{kernel[-2]} or a multiple.\n  Received: inputs of shape {shape}, {data_format}."
        )
    for axis, width, stride, gap in zip(
        windows.spatial_axes(len(shape), data_format), kernel, strides, dilation, strict=False
    ):
        if (windows.output_size(shape[axis], width, stride, padding, gap) or 0) < 1:
            raise ValueError(
                f"{caller}: a kernel of shape {kernel} does not fit into inputs of shape {shape}.\n"
                "  Fix: use padding='same' or a smaller kernel."
            )
