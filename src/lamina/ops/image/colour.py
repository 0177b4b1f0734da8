"""Colours of images: gray, and hue-saturation-value."""

import jax.numpy as jnp

from lamina.core.types import Array, ArrayLike
from lamina.ops.define import operations
from lamina.ops.image.layout import channel_axis, check_rank

op = operations("image")

# The eye's sensitivity to red, green and blue (ITU-R BT.601, four digits as in Keras).
_LUMA = (0.2989, 0.5870, 0.1140)


@op("images", class_name="RGBToGrayscale")
def rgb_to_grayscale(images: ArrayLike, data_format: str | None = None) -> Array:
    """Converts images to gray: one channel, weighted by perceived brightness.

    Args:
        images: `(height, width, channels)` or `(batch, height, width, channels)`; channels
            before the height for `"channels_first"`. Three channels, or one, which stays.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        Images of the same type with one channel.

    Example:
        >>> red = jnp.array([[[1.0, 0.0, 0.0]]])
        >>> round(float(rgb_to_grayscale(red)[0, 0, 0]), 4)
        0.2989
    """
    images = jnp.asarray(images)
    axis = _check("rgb_to_grayscale", images, data_format, (1, 3))
    if images.shape[axis] == 1:
        return images
    dtype = images.dtype
    if not jnp.issubdtype(dtype, jnp.floating):
        images = images.astype("float32")
    gray = jnp.tensordot(images, jnp.asarray(_LUMA, images.dtype), axes=(axis, 0))
    return jnp.expand_dims(gray, axis).astype(dtype)


@op("images", class_name="RGBToHSV")
def rgb_to_hsv(images: ArrayLike, data_format: str | None = None) -> Array:
    """Converts RGB to hue (a fraction of the colour circle, 0 is red), saturation and value.

    Args:
        images: Floats `(height, width, 3)` or `(batch, height, width, 3)`; channels before the
            height for `"channels_first"`.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        Images of the same shape and type; hue and saturation from 0 to 1.

    Example:
        >>> blue = jnp.array([[[0.0, 0.0, 0.5]]])
        >>> [round(float(number), 3) for number in rgb_to_hsv(blue)[0, 0]]
        [0.667, 1.0, 0.5]
    """
    images = jnp.asarray(images)
    axis = _check("rgb_to_hsv", images, data_format, (3,))
    _check_float("rgb_to_hsv", images)
    images = jnp.where(jnp.abs(images) < jnp.finfo(images.dtype).eps, 0, images)
    red, green, blue = jnp.moveaxis(images, axis, 0)
    value = jnp.maximum(jnp.maximum(red, green), blue)
    darkest = jnp.minimum(jnp.minimum(red, green), blue)
    chroma = value - darkest
    saturation = jnp.where(value > 0, chroma / jnp.where(value > 0, value, 1), 0)
    sixth = 1 / (6 * jnp.where(chroma > 0, chroma, 1))
    # Channels are compared with each other, not with the value, which a compiled program may
    # compute again with a different last digit.
    hue = jnp.where(
        (red >= green) & (red >= blue),
        sixth * (green - blue),
        jnp.where(green >= blue, sixth * (blue - red) + 2 / 6, sixth * (red - green) + 4 / 6),
    )
    hue = jnp.where(chroma > 0, hue + (hue < 0), 0)
    return jnp.stack([hue, saturation, value], axis=axis).astype(images.dtype)


@op("images", class_name="HSVToRGB")
def hsv_to_rgb(images: ArrayLike, data_format: str | None = None) -> Array:
    """Red, green and blue from hue, saturation and value: the inverse of `rgb_to_hsv`.

    Args:
        images: Floats `(height, width, 3)` or `(batch, height, width, 3)`; channels before the
            height for `"channels_first"`.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        Images of the same shape and type.

    Example:
        >>> hsv_to_rgb(jnp.array([[[0.0, 1.0, 0.5]]])).tolist()
        [[[0.5, 0.0, 0.0]]]
    """
    images = jnp.asarray(images)
    axis = _check("hsv_to_rgb", images, data_format, (3,))
    _check_float("hsv_to_rgb", images)
    hue, saturation, value = jnp.moveaxis(images, axis, 0)
    hue_sixths = jnp.mod(hue, 1) * 6
    colours = (
        jnp.abs(hue_sixths - 3) - 1,
        2 - jnp.abs(hue_sixths - 2),
        2 - jnp.abs(hue_sixths - 4),
    )
    rgb = [value * (1 - saturation + saturation * jnp.clip(c, 0, 1)) for c in colours]
    return jnp.stack(rgb, axis=axis)


def _check(caller: str, images: Array, data_format: str | None, allowed: tuple[int, ...]) -> int:
    axis = channel_axis(check_rank(caller, images.shape, data_format))
    if images.shape[axis] not in allowed:
        counts = " or ".join(map(str, allowed))
        raise ValueError(
            f"{caller} needs {counts} channels on axis {axis}; received shape {images.shape}."
        )
    return axis


def _check_float(caller: str, images: Array) -> None:
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(
            f"{caller} takes floats; received {images.dtype}.\n"
            '  Fix: images.astype("float32") / 255'
        )
