"""Geometric transforms: every pixel of the result is sampled at a position of the image.

A transform is eight numbers `a0 … c1`, which map a pixel `(x, y)` of the result to the position
`((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k)` in the image, where `k = c0 x + c1 y + 1`.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.messages.errors import unknown_name
from lamina.core.types import Array, ArrayLike, SeedLike
from lamina.core.variable.hashing import hashed_bits
from lamina.core.variable.seed import draw_key
from lamina.ops.define import operations
from lamina.ops.image.filters import gaussian_filter_2d
from lamina.ops.image.layout import as_batch, round_and_clip

op = operations("image")

INTERPOLATIONS = ("nearest", "bilinear")
FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")


@op("images", "transform")
def affine_transform(
    images: ArrayLike,
    transform: ArrayLike,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Array:
    """Applies affine or projective transforms to images.

    Args:
        images: `(height, width, channels)` or `(batch, height, width, channels)`; channels
            before the height for `"channels_first"`.
        transform: Eight numbers `a0, a1, a2, b0, b1, b2, c0, c1` for all images, or
            `(batch, 8)`: the pixel `(x, y)` of the result is sampled at
            `((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k)`, with `k = c0 x + c1 y + 1`.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: How values outside of the image are filled: `"constant"` (`fill_value`),
            `"nearest"` (its edge), `"reflect"`, `"mirror"` (reflected without repeating the edge)
            or `"wrap"`.
        fill_value: Number for `"constant"`.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        Images of the same shape and type.

    Example:
        >>> picture = jnp.array([[1.0, 2.0, 3.0]])[..., None]
        >>> affine_transform(picture, [1, 0, 1, 0, 1, 0, 0, 0])[0, :, 0].tolist()
        [2.0, 3.0, 0.0]
    """
    _check("affine_transform", interpolation, fill_mode)
    batch, restore_layout = as_batch("affine_transform", images, data_format)
    transform = jnp.asarray(transform, "float32")
    if transform.ndim not in (1, 2) or transform.shape[-1] != 8:
        raise ValueError(
            "affine_transform takes a transform of 8 numbers, or (batch, 8); "
            f"received shape {transform.shape}."
        )
    transform = _broadcast_transform("affine_transform", transform, batch)
    return restore_layout(warp(batch, transform, interpolation, fill_mode, fill_value))


@op("images", "start_points", "end_points")
def perspective_transform(
    images: ArrayLike,
    start_points: ArrayLike,
    end_points: ArrayLike,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Array:
    """Perspective transforms: moves four points of each image to four other positions.

    Args:
        images: `(height, width, channels)` or `(batch, height, width, channels)`; channels
            before the height for `"channels_first"`.
        start_points: `(4, 2)` or `(batch, 4, 2)`, pixels as x, y.
        end_points: Their new positions; same shape.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_value: Value for positions outside of the image.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        Images of the same shape and type.

    Example:
        >>> picture = jnp.arange(4.0).reshape(2, 2, 1)
        >>> corners = jnp.array([[0, 0], [1, 0], [0, 1], [1, 1]])
        >>> perspective_transform(picture, corners, corners[::-1])[..., 0].tolist()
        [[3.0, 2.0], [1.0, 0.0]]
    """
    _check("perspective_transform", interpolation, "constant")
    start_points, end_points = jnp.asarray(start_points), jnp.asarray(end_points)
    for name, points in (("start_points", start_points), ("end_points", end_points)):
        if points.ndim not in (2, 3) or points.shape[-2:] != (4, 2):
            raise ValueError(
                f"perspective_transform takes {name} of shape (4, 2) or (batch, 4, 2); "
                f"received {points.shape}."
            )
    if start_points.shape != end_points.shape:
        raise ValueError(
            "perspective_transform takes as many start_points as end_points; received shapes "
            f"{start_points.shape} and {end_points.shape}."
        )
    batch, restore_layout = as_batch("perspective_transform", images, data_format)
    transform = homography(start_points, end_points)
    transform = _broadcast_transform("perspective_transform", transform, batch)
    return restore_layout(warp(batch, transform, interpolation, "constant", fill_value))


@op("images")
def elastic_transform(
    images: ArrayLike,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: SeedLike = None,
    data_format: str | None = None,
) -> Array:
    """Elastic transform: displaces pixels by smooth random fields.

    Args:
        images: `(height, width, channels)` or `(batch, height, width, channels)`; channels
            before the height for `"channels_first"`.
        alpha: Scale of the displacements.
        sigma: Standard deviation, in pixels, of the filter over the random fields.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: How values outside of the image are filled; see `affine_transform`.
        fill_value: Number for `"constant"`.
        seed: Integer, `SeedGenerator` or None.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        Images of the same shape and type.

    Source: Simard, Steinkraus and Platt, 2003, "Best Practices for Convolutional Neural Networks
    Applied to Visual Document Analysis".

    Example:
        >>> picture = jnp.ones((8, 8, 1))
        >>> round(float(elastic_transform(picture, seed=1).min()), 4)
        1.0
    """
    _check("elastic_transform", interpolation, fill_mode)
    batch, restore_layout = as_batch("elastic_transform", images, data_format)
    count, height, width, _ = batch.shape
    noise = normal_numbers(seed, (2, count, height, width))
    shift_x, shift_y = alpha * gaussian_filter_2d(noise * sigma, sigma)
    y, x = jnp.mgrid[:height, :width]
    warped = sample(batch, x + shift_x, y + shift_y, interpolation, fill_mode, fill_value)
    return restore_layout(warped)


def normal_numbers(seed: Any, shape: Sequence[int]) -> Array:
    """Normally distributed numbers by the hash of dropout: for noise, not for statistics."""
    key = seed if isinstance(seed, jax.Array) else draw_key(seed)
    bits = (hashed_bits(key, shape) >> 8).astype("float32")
    # Between -1 and 1, both excluded, so that the inverse is finite.
    return jnp.sqrt(2.0) * lax.erf_inv((bits + 0.5) * 2.0**-23 - 1)


@op("inputs", "coordinates")
def map_coordinates(
    inputs: ArrayLike,
    coordinates: ArrayLike,
    order: int,
    fill_mode: str = "constant",
    fill_value: float = 0,
) -> Array:
    """Interpolates the values of an array at given coordinates.

    Args:
        inputs: Any array, of n axes.
        coordinates: `(n, ...)`: the positions, one row for each axis.
        order: 0 for the nearest entry, 1 for linear interpolation.
        fill_mode: How values outside of the array are filled; see `affine_transform`.
        fill_value: Number for `"constant"`.

    Returns:
        Array of the shape of one row of coordinates.

    Example:
        >>> map_coordinates(jnp.array([1.0, 3.0]), jnp.array([[0.5, 1.0]]), order=1).tolist()
        [2.0, 3.0]
    """
    inputs, coordinates = jnp.asarray(inputs), jnp.asarray(coordinates)
    if fill_mode not in FILL_MODES:
        raise unknown_name("fill_mode of map_coordinates", fill_mode, FILL_MODES)
    if order not in (0, 1):
        raise ValueError(f"map_coordinates has the orders 0 and 1; received {order!r}.")
    if coordinates.ndim < 2 or coordinates.shape[0] != inputs.ndim:
        raise ValueError(
            f"map_coordinates needs coordinates of shape ({inputs.ndim}, ...), a row for each axis "
            f"of inputs {inputs.shape}; received {coordinates.shape}."
        )
    return jax.scipy.ndimage.map_coordinates(
        inputs, list(coordinates), order, fill_mode, fill_value
    )


# ---- for layers, too: batches with channels last, checked arguments ----------------------------


def warp(
    images: Array, transform: Array, interpolation: str, fill_mode: str, fill_value: float
) -> Array:
    """Transform images `(batch, height, width, channels)` by transforms `(batch, 8)`."""
    _, height, width, _ = images.shape
    a0, a1, a2, b0, b1, b2, c0, c1 = transform.astype("float32").T[..., None, None]
    x = jnp.arange(width, dtype="float32")[None, None, :]
    y = jnp.arange(height, dtype="float32")[None, :, None]
    k = c0 * x + c1 * y + 1
    in_x, in_y = (a0 * x + a1 * y + a2) / k, (b0 * x + b1 * y + b2) / k
    return sample(images, in_x, in_y, interpolation, fill_mode, fill_value)


def sample(
    images: Array, x: Array, y: Array, interpolation: str, fill_mode: str, fill_value: float
) -> Array:
    """Sample images at the positions `x`, `y`, each `(batch, height, width)`, in pixels."""
    dtype = images.dtype
    count, height, width, channels = images.shape
    pixels = images.reshape(count, height * width, channels)

    def values_at(column: Array, row: Array) -> Array:
        columns, rows = (
            _index_inside(column, width, fill_mode),
            _index_inside(row, height, fill_mode),
        )
        position = (rows * width + columns).reshape(count, -1)
        # The values of all channels of a pixel; all positions are inside the image.
        values = jax.vmap(lambda p, i: p.at[i].get(mode="promise_in_bounds"))(pixels, position)
        values = values.reshape(*row.shape, channels)
        if fill_mode != "constant":
            return values
        is_inside = (columns == column) & (rows == row)
        return jnp.where(is_inside[..., None], values, jnp.asarray(fill_value, dtype))

    if interpolation == "nearest":
        column, row = (lax.round(v, lax.RoundingMethod.AWAY_FROM_ZERO) for v in (x, y))
        return values_at(column.astype("int32"), row.astype("int32"))
    left, top = jnp.floor(x), jnp.floor(y)
    right_weight, bottom_weight = x - left, y - top
    column, row = left.astype("int32"), top.astype("int32")

    def add_corner(total: Array, corner: Array) -> tuple[Array, None]:
        is_right, is_bottom = corner % 2, corner // 2
        weight = jnp.where(is_right, right_weight, 1 - right_weight)
        weight *= jnp.where(is_bottom, bottom_weight, 1 - bottom_weight)
        return total + values_at(column + is_right, row + is_bottom) * weight[..., None], None

    # A loop over the four corners instead of a sum: XLA would fuse the sum into the lookups of the
    # next layer and compute it four times for each further layer. It also compiles faster.
    zeros = jnp.zeros((count, *y.shape[1:], channels), "float32")
    total, _ = lax.scan(add_corner, zeros, jnp.arange(4))
    return round_and_clip(total, dtype)


def _index_inside(index: Array, size: int, fill_mode: str) -> Array:
    """The index inside of the image for one outside of it, by the fill mode."""
    if fill_mode == "wrap":
        return index % size
    if fill_mode == "reflect":
        index = index % (2 * size)
        return jnp.minimum(index, 2 * size - 1 - index)
    if fill_mode == "mirror" and size > 1:
        index = index % (2 * size - 2)
        return jnp.minimum(index, 2 * size - 2 - index)
    return jnp.clip(index, 0, size - 1)


def homography(start_points: ArrayLike, end_points: ArrayLike) -> Array:
    """The transforms that map the end points to the start points.

    Args:
        start_points: `(..., 4, 2)`, pixels as x, y.
        end_points: Same shape.

    Returns:
        `(..., 8)`.
    """
    # A basis maps the standard projective frame to four points. So the map between two quadrangles
    # is one basis times the inverse of the other.
    matrix = _projective_basis(start_points) @ adjugate(_projective_basis(end_points))
    matrix = matrix / matrix[..., 2:, 2:]
    return matrix.reshape(*matrix.shape[:-2], 9)[..., :8]


def _projective_basis(points: ArrayLike) -> Array:
    points = jnp.asarray(points, "float32")
    points = jnp.concatenate([points, jnp.ones_like(points[..., :1])], axis=-1)
    first_three = jnp.swapaxes(points[..., :3, :], -1, -2)
    weights = adjugate(first_three) @ points[..., 3, :, None]
    return first_three * jnp.swapaxes(weights, -1, -2)


def as_matrix(transform: Array) -> Array:
    """Transforms of eight numbers as matrices `(..., 3, 3)`."""
    ones = jnp.ones_like(transform[..., :1])
    return jnp.concatenate([transform, ones], axis=-1).reshape(*transform.shape[:-1], 3, 3)


def adjugate(matrix: Array) -> Array:
    """The inverse of 3 × 3 matrices times their determinant, enough for projective maps."""
    first, second, third = (matrix[..., row, :] for row in range(3))
    columns = [jnp.cross(second, third), jnp.cross(third, first), jnp.cross(first, second)]
    return jnp.stack(columns, axis=-1)


def _broadcast_transform(caller: str, transform: Array, batch: Array) -> Array:
    """`(8,)` or `(batch, 8)` as `(batch, 8)`."""
    transform = transform.reshape(-1, 8)
    if transform.shape[0] not in (1, batch.shape[0]):
        raise ValueError(
            f"{caller} received {transform.shape[0]} transforms for {batch.shape[0]} images: "
            "give one, or one for each."
        )
    return jnp.broadcast_to(transform, (batch.shape[0], 8))


def _check(caller: str, interpolation: str, fill_mode: str) -> None:
    if interpolation not in INTERPOLATIONS:
        raise unknown_name(f"interpolation of {caller}", interpolation, INTERPOLATIONS)
    if fill_mode not in FILL_MODES:
        raise unknown_name(f"fill_mode of {caller}", fill_mode, FILL_MODES)
