"""Convolution as matrix products, which are fast on CPUs inside loops, too.

There are two methods. *Patches*: the inputs, shifted to every position of the kernel, are
concatenated and multiplied by the kernel as one matrix. *Rows*: the inputs are shifted along all
axes but the first; they are multiplied by every row of the kernel, and the products are shifted and
summed. The method that stores fewer numbers is used. Large batches are divided into chunks whose
patches stay in the cache and are recomputed for the gradient, so that they are never all in memory.

All operations are JAX's own, which differentiates them to products of the same form.
"""

import math
from collections.abc import Sequence
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.types import Array
from lamina.ops import sliding_windows
from lamina.ops.lowering import products
from lamina.ops.lowering.low_precision import (
    in_float32,
    in_float32_outside,
    is_low_precision,
    move,
)

# docs/performance.md, `patches-in-pieces`.
_MAX_UNDIVIDED_BYTES = 8 * 2**20
_MAX_CHUNK_BYTES = 3 * 2**20
# The program grows with every group: docs/performance.md, `groups-one-by-one`.
MAX_GROUPS = 32
# With more values, the patches would take too much memory.
MAX_PATCH_VALUES = 2**28


def suits(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> bool:
    """Not too many groups of channels, and not too many patches."""
    groups = x.shape[-1 if data_format == "channels_last" else 1] // kernel.shape[-2]
    values = x.size * math.prod(kernel.shape[:-2]) // math.prod(strides)
    return groups <= MAX_GROUPS and values <= MAX_PATCH_VALUES


def by_patches(
    x: Array, kernel: Array, strides: tuple, padding: str, data_format: str, dilation: tuple
) -> Array:
    """`convolution.reference` as matrix products."""
    if data_format == "channels_first":
        x = jnp.moveaxis(x, 1, -1)
    amounts = sliding_windows.padding_amounts(
        x.shape[1:-1], kernel.shape[:-2], strides, padding, dilation
    )
    settings = tuple(strides), tuple(map(tuple, amounts)), tuple(dilation)
    groups = x.shape[-1] // kernel.shape[-2]
    pairs = zip(jnp.split(x, groups, -1), jnp.split(kernel, groups, -1), strict=True)
    parts = [convolve(part, part_of_kernel, *settings) for part, part_of_kernel in pairs]
    y = parts[0] if groups == 1 else jnp.concatenate(parts, -1)
    return jnp.moveaxis(y, -1, 1) if data_format == "channels_first" else y


# Jitted, so that layers of equal shape are traced and differentiated once: docs/performance.md,
# `one-trace-a-shape`.
@partial(jax.jit, static_argnames=("strides", "amounts", "dilation"))
def convolve(
    x: Array, kernel: Array, strides: tuple, amounts: tuple[tuple[int, int], ...], dilation: tuple
) -> Array:
    """A convolution with the channels last and one group.

    Args:
        x: `(batch, *spatial, channels)`.
        kernel: `(*window, channels, filters)`.
        strides, dilation: One number for each axis.
        amounts: Zeros before and after every spatial axis.
    """
    by_rows = strides[0] == 1 and not _uses_all_axes(kernel.shape)
    method = partial(
        _by_rows if by_rows else _by_patches, strides=strides, amounts=amounts, dilation=dilation
    )
    if max(kernel.shape[:-2]) == 1:
        return method(x, kernel)  # a single matrix product
    numbers = _values_per_position(kernel.shape) if by_rows else math.prod(kernel.shape[:-1])
    positions = math.prod(x.shape[1:-1]) // math.prod(strides)
    size = _chunk_size(x.shape[0], numbers * positions * x.dtype.itemsize)
    if size == x.shape[0]:
        return method(x, kernel)
    if is_low_precision(x, kernel):
        method = partial(in_float32_outside(method, x.dtype))
    # Without `checkpoint` the loop would store the patches of all chunks for the gradient.
    method_on_chunk = jax.checkpoint(method, prevent_cse=False)
    chunks, kernel = in_float32(x).reshape(-1, size, *x.shape[1:]), in_float32(kernel)
    y = lax.map(lambda chunk: method_on_chunk(chunk, kernel), chunks)
    return y.reshape(x.shape[0], *y.shape[2:]).astype(x.dtype)


def _uses_all_axes(kernel: tuple) -> bool:
    """Whether patches along all axes take fewer numbers: docs/performance.md, `patches-or-rows`."""
    return math.prod(kernel[:-1]) <= _values_per_position(kernel)


def _values_per_position(kernel: tuple) -> int:
    """Numbers per position, before and after the product."""
    rows, *other_sizes, channels, filters = kernel
    width = math.prod(other_sizes)
    return (width * channels if width > 1 else 0) + rows * filters


def _chunk_size(batch: int, bytes_per_sample: int) -> int:
    """Samples in a chunk: a divisor of the batch; all of them if they are few."""
    if not isinstance(batch, int) or batch * bytes_per_sample <= _MAX_UNDIVIDED_BYTES:
        return batch
    limit = max(_MAX_CHUNK_BYTES // bytes_per_sample, 1)
    size = max(n for n in range(1, limit + 1) if batch % n == 0)
    # A batch of, say, 127 samples has no divisor that gives more than one sample per chunk.
    return size if 2 * size > limit else batch


def _by_patches(
    x: Array,
    kernel: Array,
    strides: tuple,
    amounts: Sequence[tuple[int, int]],
    dilation: tuple,
    dtype: Any = None,
) -> Array:
    axes = range(1, x.ndim - 1)

    def join_shifted(x: Array) -> Array:
        padded = sliding_windows.pad(x, axes, amounts, 0)
        parts = list(
            sliding_windows.shifted_slices(padded, axes, kernel.shape[:-2], strides, dilation)
        )
        return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=-1)

    patches = move(join_shifted, x)
    # As matrices: with more axes, XLA copies the patches in another order for the gradient.
    matrix = kernel.reshape(-1, kernel.shape[-1])
    y = products.matmul(patches.reshape(-1, matrix.shape[0]), matrix, dtype)
    return y.reshape(*patches.shape[:-1], matrix.shape[-1])


def _by_rows(
    x: Array, kernel: Array, strides: tuple, amounts: Sequence[tuple[int, int]], dilation: tuple
) -> Array:
    rows, *_, filters = kernel.shape
    # Without the first axis it is a convolution by patches, with more filters.
    matrix = jnp.moveaxis(kernel, 0, -2).reshape(1, *kernel.shape[1:-1], rows * filters)
    dtype = jnp.float32 if is_low_precision(x, kernel) else None  # several are summed
    row_amounts = [(0, 0), *amounts[1:]]
    sums = _by_patches(x, matrix, strides, row_amounts, (1, *dilation[1:]), dtype)
    before, after = amounts[0]
    height = before + x.shape[1] + after - (rows - 1) * dilation[0]
    shifted = []
    for row, part in enumerate(jnp.split(sums, rows, axis=-1)):
        offset = before - row * dilation[0]
        widths = [(0, 0, 0)] * part.ndim
        widths[1] = (offset, height - offset - part.shape[1], 0)
        shifted.append(lax.pad(part, jnp.zeros((), part.dtype), widths))
    return reduce(jnp.add, shifted).astype(x.dtype)
