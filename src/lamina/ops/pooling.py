"""Maximum and average over windows, for any number of spatial axes.

On CPU the windows are combined from slices, because XLA's `reduce_window` and its gradient are slow
there: shifted ones, or blocks where windows lie side by side. Elsewhere, and for large windows, it
is `reduce_window`.
"""

import math
from collections.abc import Sequence
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lamina.core.config import standardize_data_format
from lamina.core.variable import Array, ArrayLike
from lamina.ops import kernels, windows
from lamina.ops.arrays import as_array
from lamina.ops.define import operations

op = operations("nn")

# A program grows with every slice; larger windows than 8x8 are rare.
_MOST_SLICES = 64


@op("inputs")
def max_pool(
    inputs: ArrayLike,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """The largest value in every window.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        pool_size: Size of the window, one number or one an axis.
        strides: Step of the window; None for its size, so that windows don't overlap.
        padding: `"valid"` (windows inside the input only) or `"same"`.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        `(batch, *positions, channels)`, or with the channels as second axis. Of equal values in a
        window, the gradient goes to the first.

    Example:
        >>> max_pool(jnp.array([[[1.0], [3.0], [2.0], [0.0]]]), 2)[0, :, 0].tolist()
        [3.0, 2.0]
    """
    x, axes, window, steps, amounts = _prepare(inputs, pool_size, strides, padding, data_format)
    lowest = -np.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    if _suits_slices(window):
        if window == steps and not any(map(sum, amounts)):
            compiled = kernels.max_pool(x, axes, window)
            if compiled is not None:
                return compiled
        padded = windows.pad(x, axes, amounts, lowest)
        if window == steps:
            return _largest_of_blocks(_blocks(padded, axes, window), axes)
        return reduce(_larger, windows.shifted(padded, axes, window, steps))
    return _reduce_window(x, lowest, lax.max, axes, window, steps, amounts)


@op("inputs")
def average_pool(
    inputs: ArrayLike,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """The mean of every window; padding does not count.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        pool_size: Size of the window, one number or one an axis.
        strides: Step of the window; None for its size, so that windows don't overlap.
        padding: `"valid"` (windows inside the input only) or `"same"`.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        `(batch, *positions, channels)`, or with the channels as second axis.

    Example:
        >>> average_pool(jnp.array([[[1.0], [3.0], [2.0], [0.0]]]), 2)[0, :, 0].tolist()
        [2.0, 1.0]
    """
    x, axes, window, steps, amounts = _prepare(inputs, pool_size, strides, padding, data_format)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(jnp.result_type(float))
    if _suits_slices(window):
        padded = windows.pad(x, axes, amounts, 0)
        if window == steps:
            total = jnp.sum(_blocks(padded, axes, window), _within(axes))
        else:
            total = reduce(jnp.add, windows.shifted(padded, axes, window, steps))
    else:
        total = _reduce_window(x, 0.0, lax.add, axes, window, steps, amounts)
    return total / _counts(x, axes, window, steps, amounts)


@op("inputs")
def adaptive_max_pool(inputs: ArrayLike, output_size: Any, data_format: str | None = None) -> Array:
    """The largest value of each of so many stretches, whatever the size of the inputs.

    Stretch `i` of `n` begins at `floor(i * size / n)` and ends before `ceil((i + 1) * size / n)`,
    so neighbours may share a value.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        output_size: Number of stretches, one number or one an axis.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        `(batch, *output_size, channels)`, or with the channels as second axis.

    Example:
        >>> adaptive_max_pool(jnp.array([[[1.0], [3.0], [2.0], [0.0], [5.0]]]), 2)[0, :, 0].tolist()
        [3.0, 5.0]
    """
    x, stretches = _prepare_adaptive(inputs, output_size, data_format)
    for axis, (starts, ends) in stretches.items():
        # The last place is repeated where a stretch is shorter than the longest.
        places = np.minimum(starts[:, None] + np.arange(max(ends - starts)), ends[:, None] - 1)
        x = jnp.max(jnp.take(x, places, axis=axis), axis=axis + 1)
    return x


@op("inputs")
def adaptive_average_pool(
    inputs: ArrayLike, output_size: Any, data_format: str | None = None
) -> Array:
    """The mean of each of so many stretches, whatever the size of the inputs.

    Stretch `i` of `n` begins at `floor(i * size / n)` and ends before `ceil((i + 1) * size / n)`,
    so neighbours may share a value.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        output_size: Number of stretches, one number or one an axis.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        `(batch, *output_size, channels)`, or with the channels as second axis.

    Example:
        >>> x = jnp.array([[[1.0], [3.0], [2.0], [0.0]]])
        >>> adaptive_average_pool(x, 2)[0, :, 0].tolist()
        [2.0, 1.0]
    """
    x, stretches = _prepare_adaptive(inputs, output_size, data_format)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(jnp.result_type(float))
    for axis, (starts, ends) in stretches.items():
        places = np.arange(x.shape[axis])
        inside = (places >= starts[:, None]) & (places < ends[:, None])
        means = jnp.asarray(inside / (ends - starts)[:, None], x.dtype)
        x = jnp.moveaxis(jnp.tensordot(x, means, (axis, 1)), -1, axis)
    return x


def _prepare_adaptive(
    inputs: ArrayLike, output_size: Any, data_format: str | None
) -> tuple[Array, dict[int, tuple[np.ndarray, np.ndarray]]]:
    """The inputs, and where the stretches of each spatial axis begin and end."""
    x = as_array(inputs)
    axes = windows.spatial_axes(x.ndim, standardize_data_format(data_format))
    if not axes or 0 in x.shape[1:]:
        raise ValueError(
            f"Pooling needs inputs (batch, …, channels) of at least 3 axes; received {x.shape}."
        )
    counts = windows.per_axis(output_size, len(axes), "output_size")
    stretches = {}
    for axis, count in zip(axes, counts, strict=True):
        numbers, size = np.arange(count), x.shape[axis]
        stretches[axis] = (numbers * size // count, -(-(numbers + 1) * size // count))
    return x, stretches


def _prepare(
    inputs: ArrayLike, pool_size: Any, strides: Any, padding: str, data_format: str | None
) -> tuple[Array, tuple, tuple, tuple, list]:
    x = as_array(inputs)
    axes = windows.spatial_axes(x.ndim, standardize_data_format(data_format))
    if not axes:
        raise ValueError(
            f"Pooling needs inputs (batch, …, channels) of at least 3 axes; received {x.shape}."
        )
    window = windows.per_axis(pool_size, len(axes), "pool_size")
    steps = window if strides is None else windows.per_axis(strides, len(axes), "strides")
    padding = windows.checked_padding(padding)
    sizes = [x.shape[axis] for axis in axes]
    for size, width, step in zip(sizes, window, steps, strict=True):
        if (windows.output_size(size, width, step, padding) or 0) < 1:
            raise ValueError(
                f"Pooling windows of size {window} do not fit into inputs of shape {x.shape}.\n"
                "  Fix: use padding='same' or a smaller pool_size."
            )
    return x, axes, window, steps, windows.padding_amounts(sizes, window, steps, padding)


def _suits_slices(window: tuple) -> bool:
    return jax.default_backend() == "cpu" and math.prod(window) <= _MOST_SLICES


def _blocks(x: Array, axes: tuple, window: tuple) -> Array:
    """Windows that lie side by side: every axis becomes two, `(windows, places in a window)`."""
    for axis, width in reversed(list(zip(axes, window, strict=True))):
        x = windows.along(x, axis, width, width)
    return x


def _within(axes: tuple) -> tuple[int, ...]:
    """Where `_blocks` has put the places in a window."""
    return tuple(axis + number + 1 for number, axis in enumerate(axes))


# The gradient of one comparison after the other is a dozen passes over the inputs. Two poolings of
# a small CNN (128 images of 26x26x32 and 11x11x64) took 6.0 ms a step with it, and take 2.4 so.
@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _largest_of_blocks(blocks: Array, axes: tuple) -> Array:
    return reduce(lax.max, _places(blocks, axes))


@_largest_of_blocks.defjvp
def _largest_of_blocks_jvp(
    axes: tuple, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Array, Array]:
    (blocks,), (tangent,) = primals, tangents
    y = _largest_of_blocks(blocks, axes)
    places = _places(blocks, axes)
    # The first place that holds the largest value, as the library has it; the last one for NaN.
    chosen = jnp.full(y.shape, len(places) - 1, "int32")
    for number, values in reversed(list(enumerate(places[:-1]))):
        chosen = jnp.where(values == y, number, chosen)
    within = _within(axes)
    sizes = [blocks.shape[axis] if axis in within else 1 for axis in range(blocks.ndim)]
    numbers = np.arange(len(places), dtype="int32").reshape(sizes)
    taken = jnp.where(jnp.expand_dims(chosen, within) == numbers, tangent, 0)
    return y, jnp.sum(taken, within, dtype=tangent.dtype)


def _places(blocks: Array, axes: tuple) -> list[Array]:
    """The values at every place in the windows, in row-major order."""
    within = _within(axes)
    sizes = [blocks.shape[axis] for axis in within]
    places = []
    for position in np.ndindex(*sizes):
        index: list[Any] = [slice(None)] * blocks.ndim
        for axis, place in zip(within, position, strict=True):
            index[axis] = place
        places.append(blocks[tuple(index)])
    return places


def _larger(a: Array, b: Array) -> Array:
    # Not jnp.maximum, which shares the gradient between equal values: after a ReLU, zeros are
    # often equal, and the library's max-pooling gives it to the first. NaN must stay NaN.
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


def _counts(x: Array, axes: tuple, window: tuple, steps: tuple, amounts: list) -> Array:
    """How many values of the input, without padding, each window holds; a constant."""
    counts = np.ones((1,) * x.ndim)
    for axis, width, step, (before, after) in zip(axes, window, steps, amounts, strict=True):
        size = x.shape[axis]
        starts = np.arange((size + before + after - width) // step + 1) * step - before
        along = np.minimum(starts + width, size) - np.maximum(starts, 0)
        counts = counts * np.expand_dims(along, [a for a in range(x.ndim) if a != axis])
    return jnp.asarray(counts if counts.min() < counts.max() else counts.max(), x.dtype)
