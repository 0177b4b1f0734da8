"""Convolution over any number of axes, by XLA's library or by a compiled kernel.

The implementations for CPUs without kernels are in `convolution_patches.py`.
"""

from jax import lax

from lamina.core.types import Array
from lamina.ops import sliding_windows
from lamina.ops.lowering import compiled_kernels

# docs/performance.md, `kernel-convolution`: partial sums of larger gradients take too much memory.
_MAX_KERNEL_VALUES = 2**20


def reference(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> Array:
    """A convolution; the number of groups follows from the sizes of the channel axes.

    Args:
        x: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        kernel: `(*window, channels / groups, filters)`.
        strides, dilation: One number for each axis.
        padding: `"valid"`, `"same"` or `"causal"`.
    """
    axes = sliding_windows.spatial_axes(x.ndim, data_format)
    sizes = [x.shape[axis] for axis in axes]
    axes_of_x, letters = layout(len(axes), data_format)
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=strides,
        padding=sliding_windows.padding_amounts(
            sizes, kernel.shape[:-2], strides, padding, dilation
        ),
        rhs_dilation=dilation,
        dimension_numbers=(axes_of_x, f"{letters}IO", axes_of_x),
        feature_group_count=x.shape[axes_of_x.index("C")] // kernel.shape[-2],
    )


def layout(rank: int, data_format: str) -> tuple[str, str]:
    """JAX's letters for all axes of the inputs, and for the spatial axes."""
    letters = "DHW"[-rank:]
    return f"N{letters}C" if data_format == "channels_last" else f"NC{letters}", letters


def suits_kernel(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> bool:
    """Two spatial axes, channels last, one group, no dilation."""
    is_supported = kernel.ndim == 4 and data_format == "channels_last" and set(dilation) == {1}
    is_small = (
        is_supported and x.shape[-1] == kernel.shape[-2] and kernel.size <= _MAX_KERNEL_VALUES
    )
    return is_small and compiled_kernels.accepts(x, kernel)


def by_kernel(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> Array:
    amounts = sliding_windows.padding_amounts(
        x.shape[1:-1], kernel.shape[:2], strides, padding, dilation
    )
    return compiled_kernels.kernel_package().convolution(x, kernel, strides, amounts)
