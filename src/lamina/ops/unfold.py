"""Patches of images: unfold, fold, space_to_depth and depth_to_space."""

from typing import Any

import jax.numpy as jnp

from lamina.core.configuration.config import standardize_data_format
from lamina.core.types import Array, ArrayLike, SizeLike
from lamina.ops import sliding_windows
from lamina.ops.arrays import as_array
from lamina.ops.define import operations

op = operations("nn")


@op("x")
def unfold(
    x: ArrayLike,
    kernel_size: SizeLike,
    dilation: SizeLike = 1,
    padding: Any = 0,
    stride: SizeLike = 1,
) -> Array:
    """Extracts sliding windows as columns ("im2col").

    Args:
        x: `(batch, channels, height, width)`.
        kernel_size: Height and width of a window, one number or two.
        dilation: Distance between neighbouring values of a window, one number or two.
        padding: Number of zeros to add on either side, one number or two.
        stride: Step of the window, one number or two.

    Returns:
        `(batch, channels * kernel_height * kernel_width, windows)`.

    Example:
        >>> unfold(jnp.arange(9.0).reshape(1, 1, 3, 3), kernel_size=2, stride=1)[0, :, 0].tolist()
        [0.0, 1.0, 3.0, 4.0]
    """
    x = as_array(x)
    if x.ndim != 4:
        raise ValueError(
            f"unfold needs images (batch, channels, height, width); received shape {x.shape}."
        )
    window, dilations, paddings, steps = _pairs(kernel_size, dilation, padding, stride)
    counts = _counts(x.shape[2:], window, dilations, paddings, steps)
    if min(counts) < 1:
        raise ValueError(
            f"unfold: a window of {window} does not fit into images of shape {x.shape}.\n"
            "  Fix: use a smaller kernel_size or more padding."
        )
    padded = sliding_windows.pad(x, (2, 3), [(n, n) for n in paddings], 0)
    parts = list(sliding_windows.shifted_slices(padded, (2, 3), window, steps, dilations))
    return jnp.stack(parts, axis=2).reshape(x.shape[0], -1, counts[0] * counts[1])


@op("x")
def fold(
    x: ArrayLike,
    output_size: Any,
    kernel_size: SizeLike,
    dilation: SizeLike = 1,
    padding: Any = 0,
    stride: SizeLike = 1,
) -> Array:
    """Combines the windows of `unfold` into images; overlapping values are summed.

    Args:
        x: `(batch, channels * kernel_height * kernel_width, windows)`.
        output_size: Height and width of the images, one number or two.
        kernel_size, dilation, padding, stride: The arguments of `unfold`.

    Returns:
        `(batch, channels, height, width)`.

    Example:
        >>> columns = unfold(jnp.ones((1, 1, 3, 3)), kernel_size=2)
        >>> fold(columns, output_size=3, kernel_size=2)[0, 0].tolist()
        [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    x = as_array(x)
    sizes = sliding_windows.to_integers_per_axis(output_size, 2, "output_size")
    window, dilations, paddings, steps = _pairs(kernel_size, dilation, padding, stride)
    counts = _counts(sizes, window, dilations, paddings, steps)
    positions = window[0] * window[1]
    if x.ndim != 3 or x.shape[1] % positions or x.shape[2] != counts[0] * counts[1]:
        raise ValueError(
            f"fold needs columns (batch, channels * {positions}, {counts[0] * counts[1]}) for "
            f"images of size {sizes}; received shape {x.shape}."
        )
    x = x.reshape(x.shape[0], -1, positions, *counts)
    parts = [x[:, :, position] for position in range(positions)]
    return sliding_windows.add_overlapping(parts, (2, 3), window, steps, dilations, sizes, paddings)


@op("x")
def space_to_depth(
    x: ArrayLike, block_size: int, data_format: str | None = "channels_last"
) -> Array:
    """Moves blocks of an image to the channels of a smaller image.

    Args:
        x: `(batch, height, width, channels)`, or `(batch, channels, height, width)` for
            `data_format="channels_first"`.
        block_size: Height and width of a block, 2 or more; both sizes must be multiples of it.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        `(batch, height / block_size, width / block_size, channels * block_size**2)`, or with the
        channels as second axis. With the channels last, those of one pixel stay together; with
        the channels first, the pixels of one channel do, as in Keras and PyTorch.

    Example:
        >>> space_to_depth(jnp.arange(4).reshape(1, 2, 2, 1), block_size=2)[0, 0, 0].tolist()
        [0, 1, 2, 3]
    """
    x, n, channels_last = _blocks("space_to_depth", x, block_size, data_format)
    height, width = x.shape[1:3] if channels_last else x.shape[2:]
    if height % n or width % n:
        raise ValueError(
            f"space_to_depth: height and width must be multiples of block_size={n}; received "
            f"shape {x.shape}."
        )
    if channels_last:
        x = x.reshape(-1, height // n, n, width // n, n, x.shape[3]).transpose(0, 1, 3, 2, 4, 5)
        return x.reshape(*x.shape[:3], -1)
    x = x.reshape(-1, x.shape[1], height // n, n, width // n, n).transpose(0, 1, 3, 5, 2, 4)
    return x.reshape(x.shape[0], -1, *x.shape[4:])


@op("x")
def depth_to_space(
    x: ArrayLike, block_size: int, data_format: str | None = "channels_last"
) -> Array:
    """The inverse of `space_to_depth`: moves channels to blocks of a larger image.

    Args:
        x: `(batch, height, width, channels)`, or `(batch, channels, height, width)` for
            `data_format="channels_first"`; channels must be a multiple of `block_size**2`.
        block_size: Height and width of a block, 2 or more.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        `(batch, height * block_size, width * block_size, channels / block_size**2)`, or with the
        channels as second axis.

    Source: Shi et al., 2016, "Real-Time Single Image and Video Super-Resolution Using an
    Efficient Sub-Pixel Convolutional Neural Network", arXiv:1609.05158.

    Example:
        >>> depth_to_space(jnp.arange(4).reshape(1, 1, 1, 4), block_size=2)[0, :, :, 0].tolist()
        [[0, 1], [2, 3]]
    """
    x, n, channels_last = _blocks("depth_to_space", x, block_size, data_format)
    channels = x.shape[3 if channels_last else 1]
    if channels % n**2:
        raise ValueError(
            f"depth_to_space: channels must be a multiple of block_size**2 = {n**2}; received "
            f"shape {x.shape}."
        )
    if channels_last:
        height, width = x.shape[1:3]
        x = x.reshape(-1, height, width, n, n, channels // n**2).transpose(0, 1, 3, 2, 4, 5)
        return x.reshape(-1, height * n, width * n, channels // n**2)
    height, width = x.shape[2:]
    x = x.reshape(-1, channels // n**2, n, n, height, width).transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(-1, channels // n**2, height * n, width * n)


def _pairs(kernel_size: SizeLike, dilation: SizeLike, padding: Any, stride: SizeLike) -> tuple:
    return (
        sliding_windows.to_integers_per_axis(kernel_size, 2, "kernel_size"),
        sliding_windows.to_integers_per_axis(dilation, 2, "dilation"),
        sliding_windows.to_integers_per_axis(padding, 2, "padding", minimum=0),
        sliding_windows.to_integers_per_axis(stride, 2, "stride"),
    )


def _counts(
    sizes: Any, window: tuple, dilations: tuple, paddings: tuple, steps: tuple
) -> list[int]:
    """The number of windows along height and width."""
    settings = zip(sizes, window, dilations, paddings, steps, strict=True)
    return [
        (n + 2 * padding - (k - 1) * rate - 1) // step + 1 for n, k, rate, padding, step in settings
    ]


def _blocks(
    caller: str, x: ArrayLike, block_size: Any, data_format: str | None
) -> tuple[Array, int, bool]:
    x = as_array(x)
    if not isinstance(block_size, int) or block_size < 2:
        raise ValueError(f"{caller}: block_size must be 2 or more; received {block_size!r}.")
    if x.ndim != 4:
        raise ValueError(f"{caller} needs images with 4 axes; received shape {x.shape}.")
    return x, block_size, standardize_data_format(data_format) == "channels_last"
