"""Layers that blur and sharpen images."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from lamina.core.types import Array, Factor, PyTree, SizeLike
from lamina.core.variable.seed import draw_key
from lamina.layers.preprocessing.images.base import (
    factor_range,
    interpolate,
    reshape_per_image,
    uniform_numbers,
)
from lamina.layers.preprocessing.images.colours import RandomColourLayer, ValueRange
from lamina.layers.settings import settings_of
from lamina.ops.image import filters
from lamina.ops.sliding_windows import to_integers_per_axis

# The centre of the 3 × 3 window has weight 5; the sum of the weights is 13.
_WEIGHT_SUM = 13


class RandomSharpness(RandomColourLayer):
    """Blurs or sharpens images; only in training.

    Args:
        factor: Largest sharpness, 0 to 1, or a pair of the minimum and the maximum: 0 is blurred,
            0.5 is unchanged, 1 is sharpened.
        value_range: Minimum and maximum value of a pixel.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        seed: An integer for reproducible draws.
        **kwargs: `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> dot = jnp.zeros((3, 3, 1)).at[1, 1].set(13.0)
        >>> RandomSharpness((0.0, 0.0))(dot)[..., 0].round().tolist()
        [[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]]
    """

    def __init__(
        self,
        factor: Factor,
        value_range: ValueRange = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            factor, value_range=value_range, data_format=data_format, seed=seed, **kwargs
        )

    def change_colours(self, images: Array, transformation: PyTree) -> Array:
        ones, window_sum = jnp.ones(3), images
        for axis in (self._height_axis, self._width_axis):
            window_sum = filters.convolve_axis(window_sum, ones, axis % images.ndim)
        blurred = (window_sum + 4 * images) / _WEIGHT_SUM
        sharpness = reshape_per_image(2 * transformation["factor"])
        return self._clip(images + (1 - sharpness) * (blurred - images))


class RandomGaussianBlur(RandomColourLayer):
    """Blurs some of the images; only in training.

    Args:
        factor: Fraction of the images, or a pair of its minimum and maximum.
        kernel_size: Width and height of the filter in pixels, odd, or one number for both.
        sigma: Largest standard deviation of the filter, 0 to 1 pixels, or a pair of the minimum and
            the maximum. One is drawn for each direction and batch.
        value_range: Minimum and maximum value of a pixel.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        seed: An integer for reproducible draws.
        **kwargs: `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> layer = RandomGaussianBlur(kernel_size=5, sigma=0.8, seed=1)
        >>> layer(jnp.ones((2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """

    def __init__(
        self,
        factor: Factor = 1.0,
        kernel_size: SizeLike = 3,
        sigma: Factor = 1.0,
        value_range: ValueRange = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            factor, value_range=value_range, data_format=data_format, seed=seed, **kwargs
        )
        self.kernel_size = to_integers_per_axis(kernel_size, 2, "RandomGaussianBlur: kernel_size")
        if not all(size % 2 for size in self.kernel_size):
            raise ValueError(
                "RandomGaussianBlur: kernel_size must be odd, so that the filter has a middle; "
                f"received {kernel_size!r}."
            )
        self.sigma = factor_range("RandomGaussianBlur", "sigma", sigma, 0, 1)

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        key = draw_key(self.generator) if seed is None else seed
        fraction, threshold = self.draw(2, data, key)
        # Another key, so that these numbers do not repeat those above.
        random_numbers = uniform_numbers(key ^ np.uint32(1 << 31), (2,))
        return {
            "should_apply_blur": threshold < interpolate(*self.factor, fraction),
            "blur_factor": interpolate(*self.sigma, random_numbers) + 1e-6,
        }

    def change_colours(self, images: Array, transformation: PyTree) -> Array:
        blurred = filters.gaussian_blur(
            images,
            self.kernel_size,
            transformation["blur_factor"],
            data_format=self.data_format,
        )
        is_blurred = reshape_per_image(transformation["should_apply_blur"])
        return self._clip(jnp.where(is_blurred, blurred, images))

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "kernel_size", "sigma")}
