"""Resizing, cropping and padding of images."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.messages.errors import unknown_name
from lamina.core.types import Array, ArrayLike
from lamina.ops.define import operations
from lamina.ops.image.layout import check_rank, round_and_clip, size_axes

op = operations("image")

INTERPOLATIONS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic")
METHODS = (
    "linear", "bilinear", "trilinear", "cubic", "bicubic", "tricubic", "lanczos3", "lanczos5",
)  # fmt: skip


@op("images")
def resize(
    images: ArrayLike,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Array:
    """Resizes images.

    Args:
        images: `(height, width, channels)` or `(batch, height, width, channels)`; channels
            before the height for `"channels_first"`.
        size: New height and width in pixels.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        antialias: Whether to use an anti-aliasing filter when downsampling.
        crop_to_aspect_ratio: Crop the image instead of distorting it.
        pad_to_aspect_ratio: Pad the image instead of distorting it.
        fill_mode: Only `"constant"`.
        fill_value: Value of the padding.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        Images of the same type; integers are rounded.

    Raises:
        ValueError: If an argument is unknown or impossible.

    Example:
        >>> picture = jnp.array([[0.0, 4.0]])[..., None]
        >>> resize(picture, (1, 4))[0, :, 0].tolist()
        [0.0, 1.0, 3.0, 4.0]
    """
    images = jnp.asarray(images)
    data_format = check_rank("resize", images.shape, data_format)
    height, width = _check_size(size)
    if interpolation not in INTERPOLATIONS:
        raise unknown_name("interpolation of resize", interpolation, INTERPOLATIONS)
    if fill_mode != "constant":
        raise ValueError(f"resize has only fill_mode='constant'; received {fill_mode!r}.")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError(
            "resize can either crop or pad to the aspect ratio; received both as True."
        )
    axes = [axis % images.ndim for axis in size_axes(data_format)]
    before = (images.shape[axes[0]], images.shape[axes[1]])
    if crop_to_aspect_ratio:
        for axis, (start, length) in zip(axes, aspect_crop(before, (height, width)), strict=True):
            images = lax.slice_in_dim(images, start, start + length, axis=axis)
    elif pad_to_aspect_ratio:
        edges = [(0, 0)] * images.ndim
        for axis, edge in zip(axes, aspect_pad(before, (height, width)), strict=True):
            edges[axis] = (edge, edge)
        images = jnp.pad(images, edges, constant_values=jnp.asarray(fill_value, images.dtype))
    shape = list(images.shape)
    shape[axes[0]], shape[axes[1]] = height, width
    resized = jax.image.resize(images, shape, method=interpolation, antialias=antialias)
    return round_and_clip(resized, images.dtype)


def aspect_crop(size: tuple[int, int], target: tuple[int, int]) -> list[tuple[int, int]]:
    """Start and length on both axes of the largest centred part with target's aspect ratio."""
    (height, width), (new_height, new_width) = size, target
    lengths = (
        max(min(height, int(width * new_height / new_width)), 1),
        max(min(width, int(height * new_width / new_height)), 1),
    )
    return [((full - part) // 2, part) for full, part in zip(size, lengths, strict=True)]


def aspect_pad(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """Widths of the vertical and horizontal padding that gives an image target's shape."""
    (height, width), (new_height, new_width) = size, target
    padded_size = (
        max(height, int(width * new_height / new_width)),
        max(width, int(height * new_width / new_height)),
    )
    vertical, horizontal = ((new - old) // 2 for new, old in zip(padded_size, size, strict=True))
    return vertical, 0 if vertical > 0 else horizontal


@op("images", "output_shape", "scale", "translation")
def scale_and_translate(
    images: ArrayLike,
    output_shape: Sequence[int],
    scale: ArrayLike,
    translation: ArrayLike,
    spatial_dims: Sequence[int],
    method: str,
    antialias: bool = True,
) -> Array:
    """Scales and translates images by fractions of pixels.

    Args:
        images: Any array.
        output_shape: Shape of the result; None for the size of the images.
        scale: Factor for each of `spatial_dims`.
        translation: Shift for each of `spatial_dims`, in pixels of the result.
        spatial_dims: The axes to scale and translate.
        method: `"linear"`, `"cubic"`, `"lanczos3"`, `"lanczos5"`, or `bi-` and `tri-` of these.
        antialias: Whether to use an anti-aliasing filter when downsampling.

    Returns:
        Array of the output shape.

    Example:
        >>> line = jnp.array([1.0, 2.0, 3.0])
        >>> scale_and_translate(line, (3,), [1.0], [1.0], (0,), "linear").tolist()
        [0.0, 1.0, 2.0]
    """
    if method not in METHODS:
        raise unknown_name("method of scale_and_translate", method, METHODS)
    images, scale = jnp.asarray(images), jnp.asarray(scale, "float32")
    translation, axes = jnp.asarray(translation, "float32"), tuple(spatial_dims)
    if scale.shape != (len(axes),) or translation.shape != (len(axes),):
        raise ValueError(
            f"scale_and_translate needs one scale and one translation for each of spatial_dims="
            f"{axes}; received shapes {scale.shape} and {translation.shape}."
        )
    sizes = zip(output_shape, images.shape, strict=True)
    shape = tuple(current_size if size is None else size for size, current_size in sizes)
    result = jax.image.scale_and_translate(
        images, shape, axes, scale, translation, method, antialias
    )
    return round_and_clip(result, images.dtype)


@op("images")
def pad_images(
    images: ArrayLike,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Array:
    """Pads images with zeros. For each direction, give two of the three numbers.

    Args:
        images: `(height, width, channels)` or `(batch, height, width, channels)`; channels
            before the height for `"channels_first"`.
        top_padding, bottom_padding: Rows to add, in pixels.
        left_padding, right_padding: Columns to add, in pixels.
        target_height, target_width: Size of the result, in pixels.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        Images, `(..., target_height, target_width, channels)`, or channels first.

    Example:
        >>> picture = jnp.ones((1, 1, 1))
        >>> pad_images(picture, 0, 1, target_height=1, target_width=3)[0, :, 0].tolist()
        [0.0, 1.0, 0.0]
    """
    images = jnp.asarray(images)
    data_format = check_rank("pad_images", images.shape, data_format)
    height_axis, width_axis = (axis % images.ndim for axis in size_axes(data_format))
    edges = [(0, 0)] * images.ndim
    for axis, names, values in (
        (height_axis, ("top", "bottom", "height"), (top_padding, bottom_padding, target_height)),
        (width_axis, ("left", "right", "width"), (left_padding, right_padding, target_width)),
    ):
        size = images.shape[axis]
        before, after, target = _check_two_of_three("pad_images", "padding", names, values)
        total = None if target is None else target - size
        before, after = _complete_padding(before, after, total)
        if before < 0 or after < 0:
            raise ValueError(
                f"pad_images cannot bring a {names[2]} of {size} to {target}: it would take "
                f"{names[0]}_padding={before} and {names[1]}_padding={after}."
            )
        edges[axis] = (before, after)
    return jnp.pad(images, edges)


@op("images")
def crop_images(
    images: ArrayLike,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Array:
    """Crops images. For each direction, give two of the three numbers.

    Args:
        images: `(height, width, channels)` or `(batch, height, width, channels)`; channels
            before the height for `"channels_first"`.
        top_cropping, bottom_cropping: Rows to remove, in pixels.
        left_cropping, right_cropping: Columns to remove, in pixels.
        target_height, target_width: Size of the result, in pixels.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        Images, `(..., target_height, target_width, channels)`, or channels first.

    Example:
        >>> picture = jnp.arange(4.0).reshape(1, 4, 1)
        >>> crop_images(picture, 0, 1, target_height=1, target_width=2)[0, :, 0].tolist()
        [1.0, 2.0]
    """
    images = jnp.asarray(images)
    data_format = check_rank("crop_images", images.shape, data_format)
    height_axis, width_axis = (axis % images.ndim for axis in size_axes(data_format))
    for axis, names, values in (
        (height_axis, ("top", "bottom", "height"), (top_cropping, bottom_cropping, target_height)),
        (width_axis, ("left", "right", "width"), (left_cropping, right_cropping, target_width)),
    ):
        size = images.shape[axis]
        before, after, target = _check_two_of_three("crop_images", "cropping", names, values)
        total = None if target is None else size - target
        before, after = _complete_padding(before, after, total)
        if before < 0 or after < 0 or before + after > size:
            raise ValueError(
                f"crop_images cannot cut a {names[2]} of {size}"
                + (f" to {target}" if target is not None else "")
                + f": it would take {names[0]}_cropping={before} and {names[1]}_cropping={after}."
            )
        images = lax.slice_in_dim(images, before, size - after, axis=axis)
    return images


def _check_two_of_three(caller: str, what: str, names: tuple, values: tuple) -> tuple:
    """Check that exactly two of three numbers are given and none is negative."""
    labels = (f"{names[0]}_{what}", f"{names[1]}_{what}", f"target_{names[2]}")
    received = ", ".join(f"{label}={value}" for label, value in zip(labels, values, strict=True))
    if values.count(None) != 1:
        raise ValueError(f"{caller} needs exactly two of {', '.join(labels)}; received {received}.")
    if any(value is not None and value < 0 for value in values):
        raise ValueError(f"{caller} takes numbers of 0 or more; received {received}.")
    return values


def _complete_padding(before: int | None, after: int | None, total: int | None) -> tuple[int, int]:
    if before is None:
        assert after is not None
        assert total is not None
        return total - after, after
    if after is None:
        assert total is not None
        return before, total - before
    return before, after


def _check_size(size: Any) -> tuple[int, int]:
    valid = isinstance(size, (tuple, list)) and len(size) == 2
    if not valid or not all(isinstance(s, int) and s > 0 for s in size):
        raise ValueError(f"resize takes size=(height, width), integers above 0; received {size!r}.")
    return size[0], size[1]
