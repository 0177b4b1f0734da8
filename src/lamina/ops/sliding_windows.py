"""Windows of convolution and pooling: sizes, strides and padding, for any number of axes.

`spatial` below means the axes that a window moves over: height and width of an image.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from lamina.core.types import Array

# A larger table of positions is computed by the compiled program instead of while tracing.
_LARGE_TABLE = 2**20


def to_integers_per_axis(value: Any, rank: int, name: str, minimum: int = 1) -> tuple[int, ...]:
    """One integer for every spatial axis, from one number or a sequence.

    Example:
        >>> to_integers_per_axis(3, rank=2, name="kernel_size")
        (3, 3)
    """
    value = value.tolist() if isinstance(value, (np.ndarray, np.integer)) else value
    values = (value,) * rank if isinstance(value, int) else value
    is_right_length = isinstance(values, Sequence) and len(values) == rank
    if not is_right_length or not all(isinstance(v, int) and v >= minimum for v in values):
        expected = "an integer" if rank == 1 else f"an integer or {rank} of them"
        raise ValueError(f"{name} must be {expected}, {minimum} or more; received {value!r}.")
    return tuple(values)


def check_padding(padding: Any, allowed: Sequence[str] = ("valid", "same")) -> str:
    """`padding` in lower case, if it is one of the allowed words."""
    if str(padding).lower() not in allowed:
        words = " or ".join(map(repr, allowed))
        raise ValueError(f"padding must be {words}; received {padding!r}.")
    return str(padding).lower()


def spatial_axes(ndim: int, data_format: str) -> tuple[int, ...]:
    """The axes that windows move over, of an array with `ndim` axes.

    Example:
        >>> spatial_axes(4, "channels_last"), spatial_axes(4, "channels_first")
        ((1, 2), (2, 3))
    """
    return tuple(range(1, ndim - 1)) if data_format == "channels_last" else tuple(range(2, ndim))


def output_size(
    size: int | None, window: int, stride: int = 1, padding: str = "valid", dilation: int = 1
) -> int | None:
    """The number of windows along an axis; None if its size is unknown.

    Example:
        >>> output_size(28, window=3), output_size(28, window=3, stride=2, padding="same")
        (26, 14)
    """
    if size is None:
        return None
    dilated_size = (window - 1) * dilation + 1
    return -(-size // stride) if padding != "valid" else (size - dilated_size) // stride + 1


def padding_amounts(
    sizes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    padding: str,
    dilation: Sequence[int] | None = None,
) -> list[tuple[int, int]]:
    """The padding before and after every spatial axis; an odd amount has more after.

    Example:
        >>> padding_amounts([28], window=[4], strides=[1], padding="same")
        [(1, 2)]
    """
    if padding == "valid":
        return [(0, 0)] * len(sizes)
    amounts = []
    for i, (size, width, stride) in enumerate(zip(sizes, window, strides, strict=True)):
        dilated_size = (width - 1) * (dilation[i] if dilation else 1) + 1
        if padding == "causal":
            amounts.append((dilated_size - 1, 0))
            continue
        total = max((-(-size // stride) - 1) * stride + dilated_size - size, 0)
        amounts.append((total // 2, total - total // 2))
    return amounts


def conv_transpose_padding(
    dilated_size: int, stride: int, padding: str, extra: int | None = None
) -> tuple[int, int]:
    """The padding of a transposed convolution around its inputs, which are `stride` apart.

    Args:
        dilated_size: Size of the kernel, including dilation.
        stride: Distance between the kernels of neighbouring values.
        padding: `"valid"` or `"same"`.
        extra: Keras's `output_padding`; None for results that are `stride` times as long
            (`"same"`), or long enough for all kernels and a stride at least (`"valid"`).

    Example:
        >>> conv_transpose_padding(dilated_size=3, stride=2, padding="same")
        (2, 1)
    """
    if padding == "valid":
        extra_after = max(dilated_size, stride) - dilated_size if extra is None else extra
        return dilated_size - 1, dilated_size - 1 + extra_after
    total = (
        dilated_size + stride - 2 if extra is None else dilated_size - 2 + dilated_size % 2 + extra
    )
    before = min(-(-total // 2), dilated_size - 1)
    return before, total - before


def transposed_size(
    size: int | None, dilated_size: int, stride: int, padding: str, extra: int | None = None
) -> int | None:
    """The size of the result of a transposed convolution; None if that of the inputs is unknown.

    Example:
        >>> transposed_size(7, dilated_size=3, stride=2, padding="same")
        14
    """
    if size is None:
        return None
    return (
        (size - 1) * stride
        + 2
        - dilated_size
        + sum(conv_transpose_padding(dilated_size, stride, padding, extra))
    )


def pad(x: Array, axes: Sequence[int], amounts: Sequence[tuple[int, int]], value: Any) -> Array:
    """`x` padded with a constant along some of its axes."""
    if not any(before or after for before, after in amounts):
        return x
    by_axis = dict(zip(axes, amounts, strict=True))
    widths = [(*by_axis.get(axis, (0, 0)), 0) for axis in range(x.ndim)]
    return lax.pad(x, lax.convert_element_type(value, x.dtype), widths)


def shifted_slices(
    x: Array,
    axes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int] | None = None,
) -> Iterator[Array]:
    """For every position in the window, in row-major order, the values of all windows there.

    Example:
        >>> slices = shifted_slices(jnp.arange(4), axes=[0], window=[2], strides=[2])
        >>> [part.tolist() for part in slices]
        [[0, 2], [1, 3]]
    """
    dilation = dilation or (1,) * len(window)
    for position in itertools.product(*map(range, window)):
        starts, limits, steps = [0] * x.ndim, list(x.shape), [1] * x.ndim
        for axis, index, width, stride, gap in zip(
            axes, position, window, strides, dilation, strict=True
        ):
            count = output_size(x.shape[axis], width, stride, "valid", gap) or 0
            starts[axis] = index * gap
            limits[axis] = index * gap + (count - 1) * stride + 1
            steps[axis] = stride
        yield lax.slice(x, starts, limits, steps)


def windows_along_axis(
    x: Array, axis: int, width: int, stride: int = 1, dilation: int = 1
) -> Array:
    """Every window along one axis: the axis becomes two, `(windows, width)`.

    Example:
        >>> windows_along_axis(jnp.arange(4), axis=0, width=2).tolist()
        [[0, 1], [1, 2], [2, 3]]
    """
    axis %= x.ndim
    count = max(output_size(x.shape[axis], width, stride, "valid", dilation) or 0, 0)
    if width == stride and dilation == 1:  # windows are adjacent: a reshape is enough
        x = lax.slice_in_dim(x, 0, count * width, axis=axis)
        return x.reshape(*x.shape[:axis], count, width, *x.shape[axis + 1 :])
    arange = np.arange if count * width < _LARGE_TABLE else jnp.arange
    positions = arange(count)[:, None] * stride + arange(width) * dilation
    return jnp.take(x, positions, axis=axis)


def add_overlapping(
    parts: Sequence[Array],
    axes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
    sizes: Sequence[int],
    crops: Sequence[int],
) -> Array:
    """The transpose of `shifted_slices`: every part is added at the positions of its windows.

    Args:
        parts: For every position in the window, in row-major order, one value for each window.
        axes, window, strides, dilation: As for `shifted_slices`.
        sizes: Sizes of the axes in the result.
        crops: Number of values cropped at the start of each axis; negative for padding.

    Example:
        >>> parts = [jnp.array([1, 2]), jnp.array([10, 20])]
        >>> add_overlapping(parts, [0], window=[2], strides=[1], dilation=[1], sizes=[3], crops=[0])
        Array([ 1, 12, 20], dtype=int32)
    """
    total = None
    for part, position in zip(parts, itertools.product(*map(range, window)), strict=True):
        widths = [(0, 0, 0)] * part.ndim
        for axis, index, stride, gap, size, crop in zip(
            axes, position, strides, dilation, sizes, crops, strict=True
        ):
            start = index * gap - crop
            end = start + (part.shape[axis] - 1) * stride + 1
            widths[axis] = (start, size - end, stride - 1)
        padded = lax.pad(part, lax.convert_element_type(0, part.dtype), widths)
        total = padded if total is None else total + padded
    assert total is not None
    return total
