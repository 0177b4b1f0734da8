"""Transforms of single images in NumPy, as in `tf.keras`.

An image has three axes; arguments say which are rows, columns and channels. Random transforms draw
from NumPy's global generator, as scripts that seed it expect.
"""

from typing import Any

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.utils.image import array_to_img, img_to_array


@filter_traceback
def apply_affine_transform(
    x: np.ndarray,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> np.ndarray:
    """Rotates, translates, shears and zooms an image around its centre.

    Args:
        x: Image with three axes.
        theta: Angle in degrees.
        tx, ty: Shift in pixels along columns and rows.
        shear: Angle in degrees.
        zx, zy: Zoom along columns and rows; above 1 shows more of the image, smaller.
        row_axis, col_axis, channel_axis: Axes of rows, columns and channels.
        fill_mode: How values outside of the image are filled: `"nearest"`, `"constant"`,
            `"reflect"`, `"wrap"`.
        cval: Value for `"constant"`.
        order: Order of the spline interpolation: 0 is nearest, 1 is linear.

    Returns:
        An image of the same shape.

    Example:
        >>> x = np.array([[[1.0, 2.0], [3.0, 4.0]]])
        >>> apply_affine_transform(x, ty=1, fill_mode="constant").tolist()
        [[[3.0, 4.0], [0.0, 0.0]]]
    """
    from scipy import ndimage  # type: ignore[import-untyped] # slow to import

    if np.ndim(x) != 3 or {row_axis, col_axis, channel_axis} != {0, 1, 2} or channel_axis == 1:
        raise ValueError(
            "apply_affine_transform takes an image with three axes, channels first or last; "
            f"received shape {np.shape(x)}, row_axis={row_axis}, col_axis={col_axis}, "
            f"channel_axis={channel_axis}."
        )
    angle, shear = np.deg2rad(theta), np.deg2rad(shear)
    rotation = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    shift = [[1, 0, tx], [0, 1, ty], [0, 0, 1]]
    shearing = [[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]]
    zoom = [[zx, 0, 0], [0, zy, 0], [0, 0, 1]]
    matrix = np.linalg.multi_dot(
        [np.array(m, "float64") for m in (rotation, shift, shearing, zoom)]
    )
    if np.array_equal(matrix, np.eye(3)):
        return x
    middle = np.array([x.shape[row_axis], x.shape[col_axis]]) / 2 - 0.5
    linear = matrix[:2, :2]
    offset = linear @ -middle + matrix[:2, 2] + middle
    if col_axis > row_axis:
        # As in Keras: the matrix is for (x, y), so its rows and columns are swapped.
        linear, offset = linear[::-1, ::-1], offset[::-1]
    settings: Any = {"order": order, "mode": fill_mode, "cval": cval}
    channels = [
        ndimage.affine_transform(channel, linear, offset, **settings)
        for channel in np.moveaxis(x, channel_axis, 0)
    ]
    return np.moveaxis(np.stack(channels), 0, channel_axis)


@filter_traceback
def apply_brightness_shift(x: np.ndarray, brightness: float, scale: bool = True) -> np.ndarray:
    """Changes the brightness of an image.

    Args:
        x: Image, `(height, width, channels)`, values from 0 to 255.
        brightness: Factor: 0 is black, 1 is unchanged.
        scale: Whether to scale values to 0 to 255 first.

    Returns:
        An image of the same shape.

    Example:
        >>> apply_brightness_shift(np.full((1, 1, 3), 100.0), 0.5, scale=False).ravel().tolist()
        [50.0, 50.0, 50.0]
    """
    from PIL import ImageEnhance  # imported here, because most programs do not need it

    low, high = np.min(x), np.max(x)
    outside = bool(low < 0 or high > 255)
    picture = ImageEnhance.Brightness(array_to_img(x, scale=scale or outside)).enhance(brightness)
    shifted = img_to_array(picture)
    return shifted / 255 * (high - low) + low if outside and not scale else shifted


@filter_traceback
def apply_channel_shift(x: np.ndarray, intensity: float, channel_axis: int = 0) -> np.ndarray:
    """Adds `intensity` to an image, clipped to its previous range of values.

    Args:
        x: An image.
        intensity: Number added to every value.
        channel_axis: Accepted for compatibility with Keras; it has no effect.

    Returns:
        An image of the same shape.

    Example:
        >>> apply_channel_shift(np.array([[[0.0, 5.0, 9.0]]]), 3.0).tolist()
        [[[3.0, 8.0, 9.0]]]
    """
    return np.clip(x + intensity, np.min(x), np.max(x))


@filter_traceback
def random_rotation(
    x: np.ndarray,
    rg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Rotates an image by up to `rg` degrees; see `apply_affine_transform`.

    Args:
        x: An image.
        rg: Maximum angle in either direction, in degrees.
        row_axis, col_axis, channel_axis: Axes of rows, columns and channels.
        fill_mode: How values outside of the image are filled: `"nearest"`, `"constant"`,
            `"reflect"` or `"wrap"`.
        cval: Value for `"constant"`.
        interpolation_order: Order of the spline between pixels, 0 to 5.

    Returns:
        An image of the same shape.
    """
    parameters = {"theta": np.random.uniform(-rg, rg)}
    axes = (row_axis, col_axis, channel_axis)
    return _affine(x, parameters, axes, fill_mode, cval, interpolation_order)


@filter_traceback
def random_shift(
    x: np.ndarray,
    wrg: float,
    hrg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Translates an image by up to a fraction `wrg` of its width and `hrg` of its height.

    Args:
        x: An image.
        wrg: Maximum shift to the side, as a fraction of the width.
        hrg: Maximum shift up or down, as a fraction of the height.
        row_axis, col_axis, channel_axis: Axes of rows, columns and channels.
        fill_mode: How values outside of the image are filled: `"nearest"`, `"constant"`,
            `"reflect"` or `"wrap"`.
        cval: Value for `"constant"`.
        interpolation_order: Order of the spline between pixels, 0 to 5.

    Returns:
        An image of the same shape.
    """
    rows = np.random.uniform(-hrg, hrg) * x.shape[row_axis]
    parameters = {"tx": rows, "ty": np.random.uniform(-wrg, wrg) * x.shape[col_axis]}
    axes = (row_axis, col_axis, channel_axis)
    return _affine(x, parameters, axes, fill_mode, cval, interpolation_order)


@filter_traceback
def random_shear(
    x: np.ndarray,
    intensity: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Shears an image by up to `intensity` degrees.

    Args:
        x: An image.
        intensity: Maximum angle in either direction, in degrees.
        row_axis, col_axis, channel_axis: Axes of rows, columns and channels.
        fill_mode: How values outside of the image are filled: `"nearest"`, `"constant"`,
            `"reflect"` or `"wrap"`.
        cval: Value for `"constant"`.
        interpolation_order: Order of the spline between pixels, 0 to 5.

    Returns:
        An image of the same shape.
    """
    parameters = {"shear": np.random.uniform(-intensity, intensity)}
    axes = (row_axis, col_axis, channel_axis)
    return _affine(x, parameters, axes, fill_mode, cval, interpolation_order)


@filter_traceback
def random_zoom(
    x: np.ndarray,
    zoom_range: Any,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Zooms an image along rows and columns, by factors drawn from `zoom_range`, a pair.

    Args:
        x: An image.
        zoom_range: Minimum and maximum factor.
        row_axis, col_axis, channel_axis: Axes of rows, columns and channels.
        fill_mode: How values outside of the image are filled: `"nearest"`, `"constant"`,
            `"reflect"` or `"wrap"`.
        cval: Value for `"constant"`.
        interpolation_order: Order of the spline between pixels, 0 to 5.

    Returns:
        An image of the same shape.

    Raises:
        ValueError: If the range is not a pair.
    """
    low, high = _pair("random_zoom", "zoom_range", zoom_range)
    zx, zy = (1, 1) if low == high == 1 else np.random.uniform(low, high, 2)
    axes = (row_axis, col_axis, channel_axis)
    return _affine(x, {"zx": zx, "zy": zy}, axes, fill_mode, cval, interpolation_order)


@filter_traceback
def random_channel_shift(
    x: np.ndarray, intensity_range: float, channel_axis: int = 0
) -> np.ndarray:
    """`apply_channel_shift` by up to `intensity_range` up or down.

    Args:
        x: An image.
        intensity_range: Maximum absolute shift.
        channel_axis: Accepted for compatibility with Keras; it has no effect.

    Returns:
        An image of the same shape.
    """
    intensity = np.random.uniform(-intensity_range, intensity_range)
    return apply_channel_shift(x, intensity, channel_axis)


@filter_traceback
def random_brightness(x: np.ndarray, brightness_range: Any, scale: bool = True) -> np.ndarray:
    """`apply_brightness_shift` by a factor drawn from `brightness_range`, a pair.

    Args:
        x: An image.
        brightness_range: Minimum and maximum factor.
        scale: Whether to scale values to 0 to 255 first.

    Returns:
        An image of the same shape.

    Raises:
        ValueError: If the range is not a pair.
    """
    low, high = _pair("random_brightness", "brightness_range", brightness_range)
    return apply_brightness_shift(x, np.random.uniform(low, high), scale)


def _affine(
    x: np.ndarray, parameters: dict, axes: tuple, fill_mode: str, cval: float, order: int
) -> np.ndarray:
    row, column, channel = axes
    return apply_affine_transform(
        x, **parameters, row_axis=row, col_axis=column, channel_axis=channel, fill_mode=fill_mode,
        cval=cval, order=order,
    )  # fmt: skip


def _pair(owner: str, name: str, value: Any) -> tuple[float, float]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(f"{owner}: {name} must be a pair of numbers; received {value!r}.")
    return value[0], value[1]
