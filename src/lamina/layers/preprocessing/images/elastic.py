"""RandomElasticTransform: smooth random distortions of images."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from lamina.core.types import Array, Factor, PyTree
from lamina.core.variable.seed import draw_key
from lamina.layers.preprocessing.images.base import (
    FILL_MODES,
    INTERPOLATIONS,
    RandomImageLayer,
    check_choice,
    check_value_range,
    factor_range,
    interpolate,
    reshape_per_image,
)
from lamina.layers.settings import settings_of
from lamina.ops.image import sampling


class RandomElasticTransform(RandomImageLayer):
    """Distorts images by smooth random displacements; only in training.

    Args:
        factor: Fraction of the images, or a pair of its minimum and maximum.
        scale: Largest strength, 0 to 1, or a pair of the minimum and the maximum: one strength is
            drawn for a batch. At 1 pixels move by about a tenth of the image's size.
        interpolation: `"bilinear"` or `"nearest"`; masks always use `"nearest"`.
        fill_mode: How values outside of the image are filled: `"reflect"`, `"constant"`
            (`fill_value`), `"nearest"` (its edge), `"mirror"` or `"wrap"`.
        fill_value: Value for `"constant"`.
        value_range: Minimum and maximum value of a pixel.
        seed: An integer for reproducible draws.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Source: Simard, Steinkraus and Platt, 2003, "Best Practices for Convolutional Neural Networks
    Applied to Visual Document Analysis".

    Example:
        >>> layer = RandomElasticTransform(scale=0.5, value_range=(0, 1), seed=1)
        >>> layer(jnp.ones((2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """

    def __init__(
        self,
        factor: Factor = 1.0,
        scale: Factor = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        owner = type(self).__name__
        self.factor = factor_range(owner, "factor", factor, 0, 1)
        self.scale = factor_range(owner, "scale", scale, 0, 1)
        self.interpolation = check_choice(owner, "interpolation", interpolation, INTERPOLATIONS)
        self.fill_mode = check_choice(owner, "fill_mode", fill_mode, FILL_MODES)
        self.fill_value = fill_value
        self.value_range = check_value_range(owner, value_range)

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training or self.scale[1] == 0 or self.factor[1] == 0:
            return None
        # Images and masks share one key, so that they are distorted in the same way.
        key = draw_key(self.generator) if seed is None else seed
        fraction, threshold, strength = self.draw(3, data, key)
        return {
            "apply_transform": threshold < interpolate(*self.factor, fraction),
            "distortion_factor": interpolate(*self.scale, strength[0]),
            "seed": key,
        }

    def transform_images(
        self, images: Array, transformation: PyTree, training: bool = True
    ) -> Array:
        images = jnp.asarray(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        distorted = self._distort(images, transformation, self.interpolation)
        return jnp.clip(distorted, *self.value_range).astype(images.dtype)

    def transform_segmentation_masks(
        self, segmentation_masks: Array, transformation: PyTree, training: bool = True
    ) -> Array:
        if not training or transformation is None:
            return segmentation_masks
        return self._distort(jnp.asarray(segmentation_masks), transformation, "nearest")

    def get_config(self) -> dict:
        names = ("factor", "scale", "interpolation", "fill_mode", "fill_value", "value_range")
        return {**super().get_config(), **settings_of(self, *names)}

    def _distort(self, images: Array, transformation: dict, interpolation: str) -> Array:
        size = images.shape[self._height_axis], images.shape[self._width_axis]
        strength = transformation["distortion_factor"]
        distorted = sampling.elastic_transform(
            images,
            alpha=0.1 * max(size) * strength,
            sigma=0.05 * min(size) * strength,
            interpolation=interpolation,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            seed=transformation["seed"],
            data_format=self.data_format,
        )
        return jnp.where(reshape_per_image(transformation["apply_transform"]), distorted, images)
