"""Convolution over any number of spatial axes: checked here, computed by a lowering.

The implementations for each platform are in `lowering/convolution*.py`.
"""

from typing import Any

from lamina.core.configuration.config import standardize_data_format
from lamina.core.types import Array, ArrayLike, SizeLike
from lamina.ops import sliding_windows
from lamina.ops.arrays import as_array
from lamina.ops.define import operations
from lamina.ops.lowering import run_lowering

op = operations("nn")


@op("inputs", "kernel")
def conv(
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: SizeLike = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: SizeLike = 1,
) -> Array:
    """Convolution over one, two or three spatial axes.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        kernel: `(*window, channels, filters)`. If the inputs have n times as many channels,
            n groups of channels are convolved separately.
        strides: Step of the kernel, one number or one for each axis.
        padding: `"valid"` (windows inside the input only), `"same"` (zero padding on both
            sides) or `"causal"` (zero padding at the start).
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        dilation_rate: Distance between neighbouring values of a window.

    Returns:
        `(batch, *positions, filters)`, or with the filters as second axis.

    Example:
        >>> import jax.numpy as jnp
        >>> image = jnp.arange(9.0).reshape(1, 3, 3, 1)
        >>> conv(image, jnp.ones((2, 2, 1, 1)))[0, :, :, 0].tolist()
        [[8.0, 12.0], [20.0, 24.0]]
    """
    kernel = as_array(kernel)
    inputs = as_array(inputs).astype(kernel.dtype)
    data_format = standardize_data_format(data_format)
    rank = kernel.ndim - 2
    strides = sliding_windows.to_integers_per_axis(strides, rank, "strides")
    dilation = sliding_windows.to_integers_per_axis(dilation_rate, rank, "dilation_rate")
    padding = sliding_windows.check_padding(padding, ("valid", "same", "causal"))
    caller = "conv"
    _check_shapes(caller, inputs.shape, kernel.shape, strides, padding, data_format, dilation)
    return run_lowering("conv", inputs, kernel, strides, padding, data_format, dilation)


@op("inputs", "kernel")
def depthwise_conv(
    inputs: ArrayLike,
    kernel: ArrayLike,
    strides: SizeLike = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: SizeLike = 1,
) -> Array:
    """Convolves every channel separately with its own kernels.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        kernel: `(*window, channels, multiplier)`, with `multiplier` kernels for each channel.
        strides: Step of the kernel, one number or one for each axis.
        padding: `"valid"` (windows inside the input only) or `"same"` (zeros around it).
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        dilation_rate: Distance between neighbouring values of a window.

    Returns:
        `(batch, *positions, channels * multiplier)`, those of one channel next to each other.

    Example:
        >>> import jax.numpy as jnp
        >>> image = jnp.arange(8.0).reshape(1, 4, 2)
        >>> depthwise_conv(image, jnp.ones((2, 2, 1)))[0].tolist()
        [[2.0, 4.0], [6.0, 8.0], [10.0, 12.0]]
    """
    kernel = as_array(kernel)
    inputs = as_array(inputs).astype(kernel.dtype)
    data_format = standardize_data_format(data_format)
    rank = kernel.ndim - 2
    strides = sliding_windows.to_integers_per_axis(strides, rank, "strides")
    dilation = sliding_windows.to_integers_per_axis(dilation_rate, rank, "dilation_rate")
    padding = sliding_windows.check_padding(padding)
    caller = "depthwise_conv"
    _check_shapes(caller, inputs.shape, kernel.shape, strides, padding, data_format, dilation)
    channels = _channels(inputs.shape, data_format)
    if channels != kernel.shape[-2]:
        raise ValueError(
            f"depthwise_conv: the inputs have {channels} channels, the kernel of shape "
            f"{kernel.shape} expects {kernel.shape[-2]}.\n"
            f"  Received: inputs of shape {inputs.shape}, {data_format}."
        )
    return run_lowering("depthwise_conv", inputs, kernel, strides, padding, data_format, dilation)


@op("inputs", "depthwise_kernel", "pointwise_kernel")
def separable_conv(
    inputs: ArrayLike,
    depthwise_kernel: ArrayLike,
    pointwise_kernel: ArrayLike,
    strides: SizeLike = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: SizeLike = 1,
) -> Array:
    """A depthwise convolution, then a pointwise (1 × 1) convolution.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        depthwise_kernel: `(*window, channels, multiplier)`.
        pointwise_kernel: `(1, …, 1, channels * multiplier, filters)`.
        strides: Step of the depthwise kernel, one number or one for each axis.
        padding: `"valid"` (windows inside the input only) or `"same"` (zeros around it).
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        dilation_rate: Distance between neighbouring values of a window.

    Returns:
        `(batch, *positions, filters)`, or with the filters as second axis.

    Source: Chollet, 2016, "Xception: Deep Learning with Depthwise Separable Convolutions",
    arXiv:1610.02357.

    Example:
        >>> import jax.numpy as jnp
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
    strides: SizeLike = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: SizeLike = 1,
) -> Array:
    """Transposed convolution: every value is multiplied by the kernel; overlaps are summed.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        kernel: `(*window, filters, channels)`.
        strides: Distance between the kernels of neighbouring values, one number or one for each
            axis.
        padding: `"valid"` (all that the kernels reach) or `"same"` (`strides` times the size of
            the inputs).
        output_padding: Extra size of the result at the end, one number or one for each axis; None
            for the sizes above.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        dilation_rate: Distance between neighbouring values of a kernel.

    Returns:
        `(batch, *positions, filters)`, or with the filters as second axis.

    Source: Zeiler et al., 2010, "Deconvolutional Networks".

    Example:
        >>> import jax.numpy as jnp
        >>> conv_transpose(jnp.array([[[1.0], [2.0]]]), jnp.ones((3, 1, 1)))[0, :, 0].tolist()
        [1.0, 3.0, 3.0, 2.0]
    """
    kernel = as_array(kernel)
    inputs = as_array(inputs).astype(kernel.dtype)
    data_format = standardize_data_format(data_format)
    rank = kernel.ndim - 2
    strides = sliding_windows.to_integers_per_axis(strides, rank, "strides")
    dilation = sliding_windows.to_integers_per_axis(dilation_rate, rank, "dilation_rate")
    padding = sliding_windows.check_padding(padding)
    if output_padding is not None:
        output_padding = sliding_windows.to_integers_per_axis(
            output_padding, rank, "output_padding", minimum=0
        )
    channels = _channels(inputs.shape, data_format) if inputs.ndim == kernel.ndim else None
    if channels != kernel.shape[-1]:
        raise ValueError(
            f"conv_transpose with a kernel of shape {kernel.shape} needs inputs with {rank + 2} "
            f"axes and {kernel.shape[-1]} channels; received shape {inputs.shape}, {data_format}."
        )
    axes = sliding_windows.spatial_axes(inputs.ndim, data_format)
    extra = output_padding or (None,) * rank
    # A kernel of `size` values covers this many positions of the result.
    widths = [(size - 1) * rate + 1 for size, rate in zip(kernel.shape, dilation, strict=False)]
    settings = [
        (width, stride, padding, extra_size)
        for width, stride, extra_size in zip(widths, strides, extra, strict=True)
    ]
    pads = [sliding_windows.conv_transpose_padding(*axis_settings) for axis_settings in settings]
    sizes = [
        sliding_windows.transposed_size(inputs.shape[axis], *axis_settings)
        for axis, axis_settings in zip(axes, settings, strict=True)
    ]
    if min(sizes) < 1:  # type: ignore[operator, type-var]
        raise ValueError(
            f"conv_transpose of inputs of shape {inputs.shape} has an empty result: padding='same' "
            f"removes what a kernel of shape {kernel.shape} adds.\n  Fix: padding='valid'."
        )
    return run_lowering(
        "conv_transpose", inputs, kernel, strides, pads, sizes, data_format, dilation
    )


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
    for axis, width, stride, rate in zip(
        sliding_windows.spatial_axes(len(shape), data_format),
        kernel,
        strides,
        dilation,
        strict=False,
    ):
        if (sliding_windows.output_size(shape[axis], width, stride, padding, rate) or 0) < 1:
            raise ValueError(
                f"{caller}: a kernel of shape {kernel} does not fit into inputs of shape {shape}.\n"
                "  Fix: use padding='same' or a smaller kernel."
            )
