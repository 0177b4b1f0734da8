"""Maximum and average over windows, for any number of spatial axes.

The implementations are in `lowering/pooling.py`.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from lamina.core.configuration.config import standardize_data_format
from lamina.core.types import Array, ArrayLike, SizeLike
from lamina.ops import sliding_windows
from lamina.ops.arrays import as_array
from lamina.ops.define import operations
from lamina.ops.lowering import run_lowering

op = operations("nn")


@op("inputs")
def max_pool(
    inputs: ArrayLike,
    pool_size: Any,
    strides: SizeLike | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """The largest value in every window.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        pool_size: Size of the window, one number or one for each axis.
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
    return run_lowering("max_pool", x, axes, window, steps, amounts)


@op("inputs")
def average_pool(
    inputs: ArrayLike,
    pool_size: Any,
    strides: SizeLike | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """The mean of every window; padding does not count.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        pool_size: Size of the window, one number or one for each axis.
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
    total = run_lowering("sum_pool", x, axes, window, steps, amounts)
    return total / _counts(x, axes, window, steps, amounts)


@op("inputs")
def adaptive_max_pool(inputs: ArrayLike, output_size: Any, data_format: str | None = None) -> Array:
    """The largest value of each of `output_size` windows, for inputs of any size.

    Window `i` of `n` begins at `floor(i * size / n)` and ends before `ceil((i + 1) * size / n)`,
    so neighbouring windows may overlap.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        output_size: Number of windows, one number or one for each axis.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        `(batch, *output_size, channels)`, or with the channels as second axis.

    Example:
        >>> adaptive_max_pool(jnp.array([[[1.0], [3.0], [2.0], [0.0], [5.0]]]), 2)[0, :, 0].tolist()
        [3.0, 5.0]
    """
    x, windows_of_axes = _prepare_adaptive(inputs, output_size, data_format)
    for axis, (starts, ends) in windows_of_axes.items():
        # The last position is repeated if a window is shorter than the longest.
        positions = np.minimum(starts[:, None] + np.arange(max(ends - starts)), ends[:, None] - 1)
        x = jnp.max(jnp.take(x, positions, axis=axis), axis=axis + 1)
    return x


@op("inputs")
def adaptive_average_pool(
    inputs: ArrayLike, output_size: Any, data_format: str | None = None
) -> Array:
    """The mean of each of `output_size` windows, for inputs of any size.

    Window `i` of `n` begins at `floor(i * size / n)` and ends before `ceil((i + 1) * size / n)`,
    so neighbouring windows may overlap.

    Args:
        inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for
            `data_format="channels_first"`.
        output_size: Number of windows, one number or one for each axis.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        `(batch, *output_size, channels)`, or with the channels as second axis.

    Example:
        >>> x = jnp.array([[[1.0], [3.0], [2.0], [0.0]]])
        >>> adaptive_average_pool(x, 2)[0, :, 0].tolist()
        [2.0, 1.0]
    """
    x, windows_of_axes = _prepare_adaptive(inputs, output_size, data_format)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(jnp.result_type(float))
    for axis, (starts, ends) in windows_of_axes.items():
        positions = np.arange(x.shape[axis])
        is_inside = (positions >= starts[:, None]) & (positions < ends[:, None])
        means = jnp.asarray(is_inside / (ends - starts)[:, None], x.dtype)
        x = jnp.moveaxis(jnp.tensordot(x, means, (axis, 1)), -1, axis)
    return x


def _prepare_adaptive(
    inputs: ArrayLike, output_size: Any, data_format: str | None
) -> tuple[Array, dict[int, tuple[np.ndarray, np.ndarray]]]:
    """The inputs, and where the windows of each spatial axis begin and end."""
    x = as_array(inputs)
    axes = sliding_windows.spatial_axes(x.ndim, standardize_data_format(data_format))
    if not axes or 0 in x.shape[1:]:
        raise ValueError(
            f"Pooling needs inputs (batch, …, channels) of at least 3 axes; received {x.shape}."
        )
    counts = sliding_windows.to_integers_per_axis(output_size, len(axes), "output_size")
    windows_of_axes = {}
    for axis, count in zip(axes, counts, strict=True):
        numbers, size = np.arange(count), x.shape[axis]
        windows_of_axes[axis] = (numbers * size // count, -(-(numbers + 1) * size // count))
    return x, windows_of_axes


def _prepare(
    inputs: ArrayLike,
    pool_size: Any,
    strides: SizeLike | None,
    padding: str,
    data_format: str | None,
) -> tuple[Array, tuple, tuple, tuple, list]:
    x = as_array(inputs)
    axes = sliding_windows.spatial_axes(x.ndim, standardize_data_format(data_format))
    if not axes:
        raise ValueError(
            f"Pooling needs inputs (batch, …, channels) of at least 3 axes; received {x.shape}."
        )
    window = sliding_windows.to_integers_per_axis(pool_size, len(axes), "pool_size")
    steps = (
        window
        if strides is None
        else sliding_windows.to_integers_per_axis(strides, len(axes), "strides")
    )
    padding = sliding_windows.check_padding(padding)
    sizes = [x.shape[axis] for axis in axes]
    for size, width, step in zip(sizes, window, steps, strict=True):
        if (sliding_windows.output_size(size, width, step, padding) or 0) < 1:
            raise ValueError(
                f"Pooling windows of size {window} do not fit into inputs of shape {x.shape}.\n"
                "  Fix: use padding='same' or a smaller pool_size."
            )
    return x, axes, window, steps, sliding_windows.padding_amounts(sizes, window, steps, padding)


def _counts(x: Array, axes: tuple, window: tuple, steps: tuple, amounts: list) -> Array:
    """The number of values in each window, without padding; a constant."""
    counts = np.ones((1,) * x.ndim)
    for axis, width, step, (before, after) in zip(axes, window, steps, amounts, strict=True):
        size = x.shape[axis]
        starts = np.arange((size + before + after - width) // step + 1) * step - before
        counts_along_axis = np.minimum(starts + width, size) - np.maximum(starts, 0)
        counts = counts * np.expand_dims(counts_along_axis, [a for a in range(x.ndim) if a != axis])
    return jnp.asarray(counts if counts.min() < counts.max() else counts.max(), x.dtype)
