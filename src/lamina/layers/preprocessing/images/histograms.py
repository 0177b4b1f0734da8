"""Layers that increase contrast by the histogram of each image."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.types import Array, PyTree
from lamina.core.user_data.arguments import check_integer
from lamina.layers.preprocessing.images.colours import ColourLayer, ValueRange, to_range
from lamina.layers.settings import settings_of
from lamina.ops.sliding_windows import to_integers_per_axis


class AutoContrast(ColourLayer):
    """Scales every channel of every image to the whole range of values; in training and inference.

    Args:
        value_range: Minimum and maximum value of a pixel.
        **kwargs: `data_format`, `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> AutoContrast()(jnp.array([[[100.0], [110.0], [120.0]]]))[0, :, 0].tolist()
        [0.0, 127.5, 255.0]
    """

    def __init__(self, value_range: ValueRange = (0, 255), **kwargs: Any):
        super().__init__(value_range, **kwargs)

    def transform_images(
        self, images: Array, transformation: PyTree = None, training: bool = True
    ) -> Array:
        images = jnp.asarray(images, self.compute_dtype)
        axes = (self._height_axis, self._width_axis)
        low, high = images.min(axis=axes, keepdims=True), images.max(axis=axes, keepdims=True)
        is_constant = high == low
        relative = (images - low) / jnp.where(is_constant, 1, high - low)
        stretched = to_range(relative, (0, 1), self.value_range)
        return jnp.where(is_constant, images, self._clip(stretched)).astype(images.dtype)


class Equalization(ColourLayer):
    """Histogram equalization of every channel of every image; only in training.

    Args:
        value_range: Minimum and maximum value of a pixel.
        bins: Number of bins.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> Equalization()(jnp.array([[[10.0], [11.0], [200.0]]]))[0, :, 0].tolist()
        [0.0, 128.0, 255.0]
    """

    def __init__(
        self,
        value_range: ValueRange = (0, 255),
        bins: int = 256,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(value_range, data_format=data_format, **kwargs)
        self.bins = check_integer("bins", bins, owner="Equalization")

    def transform_images(
        self, images: Array, transformation: PyTree = None, training: bool = True
    ) -> Array:
        images = jnp.asarray(images, self.compute_dtype)
        if not training:
            return images
        channels_first = jnp.moveaxis(images, self._channel_axis, -3)
        values = to_range(channels_first, self.value_range, (0, 255)).astype("float32")
        values = values.reshape(*channels_first.shape[:-2], -1)
        positions = jnp.clip(values * (self.bins - 1) / 255, 0, self.bins - 1).astype("int32")
        counts = histograms(positions, self.bins)
        cumulative_counts = jnp.cumsum(counts, axis=-1)
        # The count in the lowest nonempty bin, whose values become 0.
        first_count = jnp.min(
            jnp.where(cumulative_counts > 0, cumulative_counts, positions.shape[-1]),
            axis=-1,
            keepdims=True,
        )
        span = cumulative_counts[..., -1:] - first_count
        table = jnp.round((cumulative_counts - first_count) * 255 / jnp.maximum(span, 1))
        equalized = jnp.take_along_axis(jnp.clip(table, 0, 255), positions, axis=-1)
        equalized = jnp.where(span == 0, values, equalized).reshape(channels_first.shape)
        equalized = to_range(equalized, (0, 255), self.value_range).astype(images.dtype)
        return jnp.moveaxis(equalized, -3, self._channel_axis)

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "bins")}


class ContrastLimitedAdaptiveHistogramEqualization(ColourLayer):
    """Contrast limited adaptive histogram equalization (CLAHE); in training and inference.

    The image is divided into tiles; the results are interpolated between their centres.

    Args:
        value_range: Minimum and maximum value of a pixel.
        clip_limit: Maximum frequency of a value, as a multiple of the average. The excess is
            distributed over all values, which limits the amplification of noise. 0 for no limit.
        tile_grid_size: Number of tiles down and across.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Source: Zuiderveld, 1994, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV.

    Example:
        >>> layer = ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2))
        >>> layer(jnp.ones((2, 16, 16, 3))).shape
        (2, 16, 16, 3)
    """

    def __init__(
        self,
        value_range: ValueRange = (0, 255),
        clip_limit: float = 4.0,
        tile_grid_size: Sequence[int] = (8, 8),
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(value_range, data_format=data_format, **kwargs)
        self.clip_limit = clip_limit
        self.tile_grid_size = to_integers_per_axis(tile_grid_size, 2, "tile_grid_size")

    def transform_images(
        self, images: Array, transformation: PyTree = None, training: bool = True
    ) -> Array:
        images = jnp.asarray(images, self.compute_dtype)
        values = jnp.moveaxis(images, self._channel_axis, -3).astype("float32")
        shades = jnp.clip(to_range(values, self.value_range, (0, 255)), 0, 255)
        channels = shades.reshape(-1, *shades.shape[-2:]).astype("int32")
        equalized = self._equalize(channels).reshape(values.shape)
        equalized = to_range(equalized, (0, 255), self.value_range).astype(images.dtype)
        return jnp.moveaxis(equalized, -3, self._channel_axis)

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "clip_limit", "tile_grid_size")}

    def _equalize(self, shades: Array) -> Array:
        """Channels `(channels, height, width)` of values from 0 to 255, tile by tile."""
        channels, height, width = shades.shape
        rows, columns = self.tile_grid_size
        tile_height, tile_width = -(-height // rows), -(-width // columns)
        edges = ((0, 0), (0, tile_height * rows - height), (0, tile_width * columns - width))
        padded = jnp.pad(shades, edges, mode="symmetric")
        tiles = padded.reshape(channels, rows, tile_height, columns, tile_width).swapaxes(2, 3)
        tables = self._tables(tiles.reshape(channels, rows, columns, tile_height * tile_width))
        # Beyond the centres of the outer tiles there is no interpolation.
        tables = jnp.pad(tables, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        tables = tables.reshape(channels, -1)
        row_positions, column_positions = (
            (np.arange(size) - tile / 2) / tile + 1
            for size, tile in ((height, tile_height), (width, tile_width))
        )
        bottom_weight, right_weight = (
            jnp.asarray(v - np.floor(v), "float32") for v in (row_positions, column_positions)
        )
        top, left = (np.floor(v).astype("int32") for v in (row_positions, column_positions))

        def add_corner(mixture: Array, corner: Array) -> tuple[Array, None]:
            is_right, is_bottom = corner % 2, corner // 2
            weight = jnp.where(is_bottom, bottom_weight, 1 - bottom_weight)[:, None]
            weight = weight * jnp.where(is_right, right_weight, 1 - right_weight)
            table = (
                (jnp.asarray(top)[:, None] + is_bottom) * (columns + 2)
                + jnp.asarray(left)
                + is_right
            )
            position = (table * 256 + shades).reshape(channels, -1)
            mapped = jnp.take_along_axis(tables, position, axis=-1).reshape(shades.shape)
            return mixture + weight * mapped, None

        start = jnp.zeros(shades.shape, "float32")
        return jax.lax.scan(add_corner, start, jnp.arange(4))[0]

    def _tables(self, tiles: Array) -> Array:
        """The lookup table of 256 values for every tile."""
        size = tiles.shape[-1]
        counts = histograms(tiles, 256).astype("float32")
        if self.clip_limit > 0:
            clipped = jnp.minimum(counts, self.clip_limit * size / 256)
            counts = clipped + jnp.sum(counts - clipped, axis=-1, keepdims=True) / 256
        cumulative_counts = jnp.cumsum(counts, axis=-1)
        first_count = cumulative_counts[..., :1]
        span = size - first_count
        table = (cumulative_counts - first_count) * 255 / jnp.where(span == 0, 1, span)
        return jnp.clip(table, 0, 255)


def histograms(positions: Array, bins: int) -> Array:
    """Counts of every number from 0 to `bins - 1` along the last axis.

    Example:
        >>> histograms(jnp.array([[0, 2, 2], [1, 1, 1]]), 3).tolist()
        [[1, 0, 2], [0, 3, 0]]
    """
    rows = positions.reshape(-1, positions.shape[-1])
    # One count over all rows, with separate bins for each row.
    offset = jnp.arange(rows.shape[0])[:, None] * bins
    counts = jnp.bincount((rows + offset).ravel(), length=rows.shape[0] * bins)
    return counts.reshape(*positions.shape[:-1], bins)
