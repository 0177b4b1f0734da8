"""Convolution over any number of spatial axes, in the form that suits the platform.

On GPU and TPU it is the library's convolution. XLA's CPU backend runs that one many times slower
inside a compiled loop than outside, so there the same numbers come from patches: the input,
shifted to every position of the kernel, side by side, times the kernel as one matrix.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.config import standardize_data_format
from lamina.core.variable import Array, ArrayLike
from lamina.ops import windows
from lamina.ops.define import operations

op = operations("nn")

# Beyond this many values the patches cost more memory than the convolution is worth.
_MOST_PATCH_VALUES = 2**28


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
    kernel = jnp.asarray(kernel)
    inputs = jnp.asarray(inputs).astype(kernel.dtype)
    data_format = standardize_data_format(data_format)
    rank = kernel.ndim - 2
    strides = windows.per_axis(strides, rank, "strides")
    dilation = windows.per_axis(dilation_rate, rank, "dilation_rate")
    padding = windows.checked_padding(padding, ("valid", "same", "causal"))
    _check_shapes(inputs.shape, kernel.shape, strides, padding, data_format, dilation)
    method = _patches if _suits_patches(inputs, kernel, strides, data_format) else _library
    return method(inputs, kernel, strides, padding, data_format, dilation)


def _suits_patches(x: Array, kernel: Array, strides: tuple, data_format: str) -> bool:
    channels = x.shape[-1 if data_format == "channels_last" else 1]
    groups = channels // kernel.shape[-2]
    values = x.size * math.prod(kernel.shape[:-2]) // math.prod(strides)
    return jax.default_backend() == "cpu" and groups == 1 and values <= _MOST_PATCH_VALUES


def _patches(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> Array:
    if data_format == "channels_first":
        x = jnp.moveaxis(x, 1, -1)
    window, axes = kernel.shape[:-2], range(1, x.ndim - 1)
    amounts = windows.padding_amounts(x.shape[1:-1], window, strides, padding, dilation)
    x = windows.pad(x, axes, amounts, 0)
    parts = list(windows.shifted(x, axes, window, strides, dilation))
    patches = parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=-1)
    y = patches @ kernel.reshape(-1, kernel.shape[-1])
    return jnp.moveaxis(y, -1, 1) if data_format == "channels_first" else y


def _library(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> Array:
    axes = windows.spatial_axes(x.ndim, data_format)
    sizes, rank = [x.shape[axis] for axis in axes], len(axes)
    letters = "DHW"[-rank:]
    layout = f"N{letters}C" if data_format == "channels_last" else f"NC{letters}"
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=strides,
        padding=windows.padding_amounts(sizes, kernel.shape[:-2], strides, padding, dilation),
        rhs_dilation=dilation,
        dimension_numbers=(layout, f"{letters}IO", layout),
        feature_group_count=x.shape[layout.index("C")] // kernel.shape[-2],
    )


def _check_shapes(
    shape: tuple, kernel: tuple, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> None:
    if len(shape) != len(kernel):
        raise ValueError(
            f"conv with a kernel of shape {kernel} needs inputs with {len(kernel)} axes, batch and "
            f"channels included; received shape {shape}."
        )
    channels = shape[-1 if data_format == "channels_last" else 1]
    if channels % kernel[-2]:
        raise ValueError(
            f"conv: the inputs have {channels} channels, the kernel of shape {kernel} expects "
            f"{kernel[-2]} or a multiple.\n  Received: inputs of shape {shape}, {data_format}."
        )
    for axis, width, stride, gap in zip(
        windows.spatial_axes(len(shape), data_format), kernel, strides, dilation, strict=False
    ):
        if (windows.output_size(shape[axis], width, stride, padding, gap) or 0) < 1:
            raise ValueError(
                f"conv: a kernel of shape {kernel} does not fit into inputs of shape {shape}.\n"
                "  Fix: use padding='same' or a smaller kernel."
            )
