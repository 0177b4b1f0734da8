"""Maximum and average over windows, for any number of spatial axes.

On CPU the windows are combined from shifted slices, because XLA's `reduce_window` and its gradient
are slow there; elsewhere, and for large windows, it is `reduce_window`.
"""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lamina.core.config import standardize_data_format
from lamina.core.variable import Array, ArrayLike
from lamina.ops import windows
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
        padded = windows.pad(x, axes, amounts, lowest)
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
        total = reduce(jnp.add, windows.shifted(padded, axes, window, steps))
    else:
        total = _reduce_window(x, 0.0, lax.add, axes, window, steps, amounts)
    return total / _counts(x, axes, window, steps, amounts)


def _prepare(
    inputs: ArrayLike, pool_size: Any, strides: Any, padding: str, data_format: str | None
) -> tuple[Array, tuple, tuple, tuple, list]:
    x = jnp.asarray(inputs)
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
