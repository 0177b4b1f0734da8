"""Maximum and sum over windows: by slices, by a compiled kernel, or by XLA's `reduce_window`.

On CPUs XLA's `reduce_window` and its gradient are slow, so windows are combined from slices there:
blocks if windows are adjacent, else shifted slices.
"""

import math
from collections.abc import Sequence
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lamina.core.types import Array
from lamina.ops import sliding_windows
from lamina.ops.lowering import compiled_kernels, convolution
from lamina.ops.lowering.convolution_depthwise import MAX_SLICES
from lamina.ops.lowering.fusion import recorded_convolution
from lamina.ops.lowering.low_precision import in_float32

# docs/performance.md, `kernel-pooled-convolution`. The kernel stores positions in a byte.
_WINDOW_SIZES_OF_KERNEL = range(4, 256)


def max_pool(x: Array, axes: tuple, window: tuple, steps: tuple, amounts: list) -> Array:
    """The largest value of every window: the reference.

    Args:
        x: Any array.
        axes: The axes that windows move over.
        window, steps: Size and step of the window, one number for each axis.
        amounts: Padding before and after, one pair for each axis.
    """
    return _reduce_window(x, _lowest_value(x), lax.max, axes, window, steps, amounts)


def sum_pool(x: Array, axes: tuple, window: tuple, steps: tuple, amounts: list) -> Array:
    """The sum of every window: the reference; arguments as for `max_pool`."""
    return _reduce_window(x, 0.0, lax.add, axes, window, steps, amounts)


def suits_slices(x: Array, axes: tuple, window: tuple, steps: tuple, amounts: list) -> bool:
    return math.prod(window) <= MAX_SLICES


def suits_blocks(x: Array, axes: tuple, window: tuple, steps: tuple, amounts: list) -> bool:
    """Only adjacent windows."""
    return window == steps and math.prod(window) <= MAX_SLICES


def suits_kernel(x: Array, axes: tuple, window: tuple, steps: tuple, amounts: list) -> bool:
    """Only adjacent windows, and if the result of a convolution has no other consumer."""
    if window != steps or any(map(sum, amounts)) or math.prod(window) > MAX_SLICES:
        return False
    source = recorded_convolution(x)
    if source is None or axes != (1, 2) or math.prod(window) not in _WINDOW_SIZES_OF_KERNEL:
        return False
    settings = source.strides, source.padding, source.data_format, source.dilation
    arrays = (x,) if source.bias is None else (x, source.bias)
    suits = convolution.suits_kernel(source.x, source.kernel, *settings)
    return suits and compiled_kernels.accepts(*arrays)


def max_pool_by_kernel(x: Array, axes: tuple, window: tuple, steps: tuple, amounts: list) -> Array:
    """The convolution that made `x` and its pooling as one kernel."""
    source = recorded_convolution(x)
    assert source is not None
    kernel = source.kernel
    bias = jnp.zeros(kernel.shape[-1:], kernel.dtype) if source.bias is None else source.bias
    sizes = source.x.shape[1:-1], kernel.shape[:2]
    pads = sliding_windows.padding_amounts(*sizes, source.strides, source.padding, source.dilation)
    pooled = compiled_kernels.kernel_package().pooled_convolution
    return pooled(source.x, kernel, bias, source.strides, pads, rectified=source.relu, block=window)


def max_pool_by_blocks(x: Array, axes: tuple, window: tuple, steps: tuple, amounts: list) -> Array:
    padded = sliding_windows.pad(in_float32(x), axes, amounts, _lowest_value(x))
    return _largest_of_blocks(_blocks(padded, axes, window), axes).astype(x.dtype)


def max_pool_by_slices(x: Array, axes: tuple, window: tuple, steps: tuple, amounts: list) -> Array:
    padded = sliding_windows.pad(in_float32(x), axes, amounts, _lowest_value(x))
    return reduce(_larger, sliding_windows.shifted_slices(padded, axes, window, steps)).astype(
        x.dtype
    )


def sum_pool_by_blocks(x: Array, axes: tuple, window: tuple, steps: tuple, amounts: list) -> Array:
    padded = sliding_windows.pad(in_float32(x), axes, amounts, 0)
    return jnp.sum(_blocks(padded, axes, window), _axes_in_window(axes)).astype(x.dtype)


def sum_pool_by_slices(x: Array, axes: tuple, window: tuple, steps: tuple, amounts: list) -> Array:
    padded = sliding_windows.pad(in_float32(x), axes, amounts, 0)
    return reduce(jnp.add, sliding_windows.shifted_slices(padded, axes, window, steps)).astype(
        x.dtype
    )


def _lowest_value(x: Array) -> Any:
    return -np.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min


def _blocks(x: Array, axes: tuple, window: tuple) -> Array:
    """Adjacent windows: every axis becomes two, `(windows, positions in a window)`."""
    for axis, width in reversed(list(zip(axes, window, strict=True))):
        x = sliding_windows.windows_along_axis(x, axis, width, width)
    return x


def _axes_in_window(axes: tuple) -> tuple[int, ...]:
    """The axes of `_blocks` that are positions in a window."""
    return tuple(axis + number + 1 for number, axis in enumerate(axes))


# The gradient of a series of comparisons takes many passes over the inputs:
# docs/performance.md, `pooling-by-blocks`.
@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _largest_of_blocks(blocks: Array, axes: tuple) -> Array:
    return reduce(lax.max, _positions(blocks, axes))


@_largest_of_blocks.defjvp
def _largest_of_blocks_jvp(
    axes: tuple, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Array, Array]:
    (blocks,), (tangent,) = primals, tangents
    y = _largest_of_blocks(blocks, axes)
    positions = _positions(blocks, axes)
    # The first position of the largest value, as in XLA; the last one for NaN.
    largest = jnp.full(y.shape, len(positions) - 1, "int32")
    for position, values in reversed(list(enumerate(positions[:-1]))):
        largest = jnp.where(values == y, position, largest)
    inner_axes = _axes_in_window(axes)
    sizes = [blocks.shape[axis] if axis in inner_axes else 1 for axis in range(blocks.ndim)]
    numbers = np.arange(len(positions), dtype="int32").reshape(sizes)
    tangent_of_y = jnp.where(jnp.expand_dims(largest, inner_axes) == numbers, tangent, 0)
    return y, jnp.sum(tangent_of_y, inner_axes, dtype=tangent.dtype)


def _positions(blocks: Array, axes: tuple) -> list[Array]:
    """The values at every position in the windows, in row-major order."""
    inner_axes = _axes_in_window(axes)
    sizes = [blocks.shape[axis] for axis in inner_axes]
    positions = []
    for position in np.ndindex(*sizes):
        index: list[Any] = [slice(None)] * blocks.ndim
        for axis, number in zip(inner_axes, position, strict=True):
            index[axis] = number
        positions.append(blocks[tuple(index)])
    return positions


def _larger(a: Array, b: Array) -> Array:
    # Not jnp.maximum, which divides the gradient between equal values: zeros after a ReLU are often
    # equal, and XLA's max pooling passes the gradient to the first. NaN must stay NaN.
    return jnp.where((a >= b) | (a != a), a, b)


def _reduce_window(
    x: Array, initial: Any, combine: Any, axes: tuple, window: tuple, steps: tuple, amounts: list
) -> Array:
    def on_all_axes(values: Sequence, other: Any) -> tuple:
        by_axis = dict(zip(axes, values, strict=True))
        return tuple(by_axis.get(axis, other) for axis in range(x.ndim))

    initial = np.asarray(initial, x.dtype)  # concrete, so that JAX knows how to differentiate it
    return lax.reduce_window(
        x,
        initial,
        combine,
        on_all_axes(window, 1),
        on_all_axes(steps, 1),
        on_all_axes(amounts, (0, 0)),
    )
