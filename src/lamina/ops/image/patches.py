"""Patches of images and volumes."""

from collections.abc import Sequence

import jax.numpy as jnp

from lamina.core.configuration.config import standardize_data_format
from lamina.core.types import Array, ArrayLike
from lamina.ops import sliding_windows
from lamina.ops.define import operations

op = operations("image")


@op("volumes", class_name="ExtractPatches")
def extract_patches_3d(
    volumes: ArrayLike,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """Patches of volumes, each as one vector.

    Args:
        volumes: `(depth, height, width, channels)` or `(batch, depth, height, width, channels)`;
            channels before the depth for `"channels_first"`.
        size: Depth, height and width of a patch, or one number for all.
        strides: Steps between patches; `size` for None.
        dilation_rate: Distance of the positions in a patch.
        padding: `"valid"` leaves out patches that do not fit, `"same"` fills them with zeros.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        `(batch, slices, rows, columns, size * size * size * channels)`.

    Example:
        >>> extract_patches_3d(jnp.zeros((4, 4, 4, 1)), size=2).shape
        (2, 2, 2, 8)
    """
    return _patches("extract_patches_3d", volumes, 3, size, strides, dilation_rate, padding,
                    data_format)  # fmt: skip


@op("images")
def extract_patches(
    images: ArrayLike,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """Patches of images, each as one vector, e.g. for vision transformers.

    Args:
        images: `(height, width, channels)` or `(batch, height, width, channels)`; channels
            before the height for `"channels_first"`. With a depth before the height if `size`
            has three numbers.
        size: Height and width of a patch in pixels, or one number for both.
        strides: Steps between patches in pixels; `size` for None.
        dilation_rate: Distance of the pixels in a patch.
        padding: `"valid"` leaves out patches that do not fit, `"same"` fills them with zeros.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        `(batch, rows, columns, size * size * channels)`; a patch is written row by row, a pixel's
        channels next to each other. Without a batch axis for a single image.

    Example:
        >>> picture = jnp.arange(16).reshape(4, 4, 1)
        >>> extract_patches(picture, size=2)[0].tolist()
        [[0, 1, 4, 5], [2, 3, 6, 7]]
    """
    rank = 3 if isinstance(size, (tuple, list)) and len(size) == 3 else 2
    return _patches("extract_patches", images, rank, size, strides, dilation_rate, padding,
                    data_format)  # fmt: skip


def _patches(
    caller: str,
    images: ArrayLike,
    rank: int,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None,
    dilation_rate: int | Sequence[int],
    padding: str,
    data_format: str | None,
) -> Array:
    size = sliding_windows.to_integers_per_axis(size, rank, "size")
    strides = (
        size if strides is None else sliding_windows.to_integers_per_axis(strides, rank, "strides")
    )
    dilation = sliding_windows.to_integers_per_axis(dilation_rate, rank, "dilation_rate")
    padding = sliding_windows.check_padding(padding)
    last = standardize_data_format(data_format) == "channels_last"
    images = jnp.asarray(images)
    if images.ndim not in (rank + 1, rank + 2):
        raise ValueError(
            f"{caller} with a size of {rank} numbers takes {rank + 1} axes, or {rank + 2} with a "
            f"batch; received shape {images.shape}."
        )
    single = images.ndim == rank + 1
    x = images[None] if single else images
    x = x if last else jnp.moveaxis(x, 1, -1)
    edges = sliding_windows.padding_amounts(x.shape[1:-1], size, strides, padding, dilation)
    x = sliding_windows.pad(x, range(1, rank + 1), edges, 0)
    for axis, (side, step, gap) in enumerate(zip(size, strides, dilation, strict=True)):
        dilated_size = (side - 1) * gap + 1
        if x.shape[1 + 2 * axis] < dilated_size:
            raise ValueError(
                f"{caller}: patches of {size} do not fit into an input of shape {images.shape}.\n"
                "  Fix: use padding='same' or a smaller size."
            )
        x = sliding_windows.windows_along_axis(x, 1 + 2 * axis, side, step, gap)
    # Now (batch, rows, side, columns, side, ..., channels).
    positions = [1 + 2 * axis for axis in range(rank)]
    sides = [2 + 2 * axis for axis in range(rank)]
    x = jnp.transpose(x, (0, *positions, *sides, x.ndim - 1))
    x = x.reshape(*x.shape[: rank + 1], -1)
    x = x if last else jnp.moveaxis(x, -1, 1)
    return x[0] if single else x
