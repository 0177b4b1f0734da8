"""Layers that change the colours of images, with random numbers for each image."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from lamina.core.configuration.config import epsilon
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.types import Array, Factor, PyTree, Shapes
from lamina.core.variable.seed import draw_key
from lamina.layers.preprocessing.images.base import (
    BaseImagePreprocessingLayer,
    RandomImageLayer,
    check_value_range,
    factor_range,
    interpolate,
    reshape_per_image,
)
from lamina.layers.settings import same_dtype, settings_of
from lamina.ops.image import colour

ValueRange = Sequence[float]


class ColourLayer(BaseImagePreprocessingLayer):
    """Base class of layers that change the colours of pixels.

    A subclass defines `change_colours`; labels, boxes and masks are not changed.

    Args:
        value_range: Minimum and maximum value of a pixel.
        **kwargs: See `BaseImagePreprocessingLayer`.
    """

    def __init__(self, value_range: ValueRange = (0, 255), **kwargs: Any):
        super().__init__(**kwargs)
        self.value_range = check_value_range(type(self).__name__, value_range)

    def change_colours(self, images: Array, transformation: Any) -> Array:
        """The images with changed colours.

        Args:
            images: Images, `(batch, height, width, channels)`, from 0 to 255 or in `value_range`.
            transformation: Result of `get_random_transformation`.

        Returns:
            Images of the same shape.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no change_colours(images, transformation)."
        )

    def transform_images(
        self, images: Array, transformation: PyTree, training: bool = True
    ) -> Array:
        images = jnp.asarray(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        return self.change_colours(images, transformation).astype(images.dtype)

    def transform_bounding_boxes(
        self, bounding_boxes: dict, transformation: PyTree, training: bool = True
    ) -> dict:
        return bounding_boxes

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "value_range")}

    def _clip(self, images: Array) -> Array:
        return jnp.clip(images, *self.value_range)


class RandomColourLayer(ColourLayer, RandomImageLayer):
    """Base class of colour layers that draw one number per image, from `factor`.

    Args:
        factor: See the subclass; `bounds` are its allowed values.
        **kwargs: `value_range` and `seed`; see `ColourLayer` and `RandomImageLayer`.
    """

    bounds: tuple[float, float] = (0, 1)

    def __init__(self, factor: Factor, **kwargs: Any):
        super().__init__(**kwargs)
        self.factor = factor_range(type(self).__name__, "factor", factor, *self.bounds)

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        return {"factor": interpolate(*self.factor, self.draw(1, data, seed)[0])}

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "factor")}


def to_range(images: Array, source: ValueRange, target: ValueRange) -> Array:
    """Rescales pixels from one range of values to another.

    Example:
        >>> to_range(jnp.array([0.0, 0.5, 1.0]), (0, 1), (0, 255)).tolist()
        [0.0, 127.5, 255.0]
    """
    if tuple(source) == tuple(target):
        return images
    scale = (target[1] - target[0]) / (source[1] - source[0])
    return (images - source[0]) * scale + target[0]


class RandomBrightness(RandomColourLayer):
    """Changes the brightness of images; only in training.

    Args:
        factor: Largest change as a fraction of the range of values, -1 to 1, or a pair of the
            smallest and the largest.
        value_range: Minimum and maximum value of a pixel.
        seed: An integer for reproducible draws.
        **kwargs: `data_format`, `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> RandomBrightness((0.2, 0.2))(jnp.array([[[10.0, 240.0]]])).tolist()
        [[[61.0, 255.0]]]
    """

    bounds = (-1, 1)

    def __init__(
        self,
        factor: Factor,
        value_range: ValueRange = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(factor, value_range=value_range, seed=seed, **kwargs)

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        change = interpolate(*self.factor, self.draw(1, data, seed)[0])
        low, high = self.value_range
        return {"rgb_delta": reshape_per_image(change * (high - low))}

    def change_colours(self, images: Array, transformation: PyTree) -> Array:
        return self._clip(images + transformation["rgb_delta"])


class RandomContrast(RandomColourLayer):
    """Changes the contrast of images; only in training.

    `(x - mean) * f + mean` with the mean of each channel, f from `1 - factor[0]` to
    `1 + factor[1]`.

    Args:
        factor: Pair of numbers from 0 to 1; a number stands for `(0, number)`.
        value_range: Minimum and maximum value of a pixel.
        seed: An integer for reproducible draws.
        **kwargs: `data_format`, `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> layer = RandomContrast((0.0, 1.0), value_range=(0, 1), seed=1)
        >>> layer(jnp.ones((4, 4, 3))).shape
        (4, 4, 3)
    """

    def __init__(
        self,
        factor: Factor,
        value_range: ValueRange = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(factor, value_range=value_range, seed=seed, **kwargs)

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        low, high = self.factor
        contrast = interpolate(1 - low, 1 + high, self.draw(1, data, seed)[0])
        return {"contrast_factor": reshape_per_image(contrast)}

    def change_colours(self, images: Array, transformation: PyTree) -> Array:
        mean = images.mean(axis=(self._height_axis, self._width_axis), keepdims=True)
        return self._clip((images - mean) * transformation["contrast_factor"] + mean)


class RandomHue(RandomColourLayer):
    """Shifts the hue of images; only in training.

    Args:
        factor: Maximum shift, 0 to 1, where 1 is half of the colour circle, or a pair of the
            minimum and the maximum; half of the images are shifted in the other direction.
        value_range: Minimum and maximum value of a pixel.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        seed: An integer for reproducible draws.
        **kwargs: `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, 3)` or `(height, width, 3)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> red = jnp.array([[[1.0, 0.0, 0.0]]])
        >>> RandomHue((1.0, 1.0), value_range=(0, 1))(red).tolist()
        [[[0.0, 1.0, 1.0]]]
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

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        direction, fraction = self.draw(2, data, seed)
        shift = interpolate(*self.factor, fraction)
        return {"factor": jnp.where(direction > 0.5, -0.5, 0.5) * shift}

    def change_colours(self, images: Array, transformation: PyTree) -> Array:
        images = to_range(images, self.value_range, (0, 1))
        hue, saturation, value = self._to_hsv(images)
        shift = jnp.reshape(transformation["factor"], (-1, 1, 1))
        images = self._to_rgb(jnp.mod(hue + shift, 1), saturation, value)
        return to_range(jnp.clip(images, 0, 1), (0, 1), self.value_range)

    def _to_hsv(self, images: Array) -> Array:
        hsv = colour.rgb_to_hsv(images, data_format=self.data_format)
        return jnp.moveaxis(hsv, self._channel_axis, 0)

    def _to_rgb(self, hue: Array, saturation: Array, value: Array) -> Array:
        hsv = jnp.stack([hue, saturation, value], axis=self._channel_axis)
        return colour.hsv_to_rgb(hsv.astype(value.dtype), data_format=self.data_format)


class RandomSaturation(RandomHue):
    """Changes the saturation of images; only in training.

    Args:
        factor: Pair of the minimum and the maximum strength: 0 is gray, 0.5 does not change
            colours, 1 is full saturation. As in Keras, a number stands for `(-number, number)`, and
            strengths below 0 also give gray.
        value_range: Minimum and maximum value of a pixel.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        seed: An integer for reproducible draws.
        **kwargs: `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, 3)` or `(height, width, 3)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> red = jnp.array([[[1.0, 0.0, 0.0]]])
        >>> RandomSaturation(0.0, value_range=(0, 1))(red).tolist()
        [[[1.0, 1.0, 1.0]]]
    """

    bounds = (-1, 1)

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        strength = interpolate(*self.factor, self.draw(1, data, seed)[0])
        return {"factor": strength / (1 - strength + epsilon())}

    def change_colours(self, images: Array, transformation: PyTree) -> Array:
        images = to_range(images, self.value_range, (0, 1))
        hue, saturation, value = self._to_hsv(images)
        saturation *= jnp.reshape(transformation["factor"], (-1, 1, 1))
        images = self._to_rgb(hue, jnp.clip(saturation, 0, 1), value)
        return to_range(images, (0, 1), self.value_range)


class RandomColorDegeneration(RandomColourLayer):
    """Mixes images with their gray version; only in training.

    Args:
        factor: Pair of the minimum and the maximum fraction of gray, -1 to 1; below 0 colours
            become more saturated. A number stands for `(-number, number)`.
        value_range: Minimum and maximum value of a pixel.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        seed: An integer for reproducible draws.
        **kwargs: `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, 3)` or `(height, width, 3)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> red = jnp.array([[[1.0, 0.0, 0.0]]])
        >>> gray = RandomColorDegeneration((1.0, 1.0), value_range=(0, 1))(red)
        >>> [round(float(number), 4) for number in gray[0, 0]]
        [0.2989, 0.2989, 0.2989]
    """

    bounds = (-1, 1)

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

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        return {"factor": reshape_per_image(interpolate(*self.factor, self.draw(1, data, seed)[0]))}

    def change_colours(self, images: Array, transformation: PyTree) -> Array:
        gray = colour.rgb_to_grayscale(images, data_format=self.data_format)
        return self._clip(images + reshape_per_image(transformation["factor"]) * (gray - images))


class RandomGrayscale(RandomImageLayer):
    """Converts some of the images to gray, with the same number of channels; only in training.

    Args:
        factor: Fraction of the images.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        seed: An integer for reproducible draws.
        **kwargs: `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, 3)` or `(height, width, 3)`; or a dict.
    Output shape: Same as the input. Integers stay integers.

    Example:
        >>> red = jnp.array([[[200, 0, 0]]])
        >>> RandomGrayscale(factor=1.0)(red).tolist()
        [[[59, 59, 59]]]
    """

    def __init__(
        self,
        factor: float = 0.5,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        self.factor = factor
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 0 <= factor <= 1:
            raise ValueError(
                f"RandomGrayscale: factor must be a number from 0 to 1; received {factor!r}."
            )

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        return reshape_per_image(self.draw(1, data, seed)[0] < self.factor) if training else None

    def transform_images(
        self, images: Array, transformation: PyTree, training: bool = True
    ) -> Array:
        if not training or transformation is None:
            return images
        gray = colour.rgb_to_grayscale(images, data_format=self.data_format)
        return jnp.where(transformation, gray, images)

    def transform_bounding_boxes(
        self, bounding_boxes: dict, transformation: PyTree, training: bool = True
    ) -> dict:
        return bounding_boxes

    def compute_output_shape(self, input_shape: Shapes) -> Shapes:
        shape = input_shape["images"] if isinstance(input_shape, dict) else input_shape
        self._is_single(shape)
        if shape[self._channel_axis] not in (None, 3):
            raise ValueError(
                f"{self._label} needs images with 3 channels; received shape {tuple(shape)}."
            )
        return super().compute_output_shape(input_shape)

    def compute_output_spec(self, data: PyTree, training: bool = True) -> KerasTensor:
        if isinstance(data, dict):
            return super().compute_output_spec(data, training)
        return same_dtype(self, data, self.compute_output_shape(data.shape))

    def get_config(self) -> dict:
        config = {**super().get_config(), **settings_of(self, "factor")}
        if self.seed is None:
            del config["seed"]  # as in Keras, which never saves it
        return config


class RandomInvert(RandomColourLayer):
    """Inverts the colours of some of the images; only in training.

    Args:
        factor: Fraction of the images, or a pair of its minimum and maximum.
        value_range: Minimum and maximum value of a pixel.
        seed: An integer for reproducible draws.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> RandomInvert((1.0, 1.0))(jnp.array([[[255.0, 55.0]]])).tolist()
        [[[0.0, 200.0]]]
    """

    def __init__(
        self,
        factor: Factor = 1.0,
        value_range: ValueRange = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            factor, value_range=value_range, data_format=data_format, seed=seed, **kwargs
        )

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        fraction, threshold = self.draw(2, data, seed)
        return {"apply_inversion": threshold < interpolate(*self.factor, fraction)}

    def change_colours(self, images: Array, transformation: PyTree) -> Array:
        low, high = self.value_range
        is_inverted = reshape_per_image(transformation["apply_inversion"])
        return jnp.where(is_inverted, low + high - images, images)


class RandomPosterization(RandomColourLayer):
    """Posterization: keeps only the first bits of every value; only in training.

    Args:
        factor: Pair of integers from 1 to 8, between which the number of bits is drawn,
            excluding the second; a number stands for `(1, number)`.
        value_range: Minimum and maximum value of a pixel.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        seed: An integer for reproducible draws.
        **kwargs: `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> RandomPosterization(1)(jnp.array([[[127.0, 128.0, 255.0]]])).tolist()
        [[[0.0, 128.0, 128.0]]]
    """

    bounds = (1, 8)

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

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        bits = jnp.floor(interpolate(*self.factor, self.draw(1, data, seed)[0]))
        return {"shift_factor": 8 - bits.astype("uint8")}

    def change_colours(self, images: Array, transformation: PyTree) -> Array:
        shift = reshape_per_image(transformation["shift_factor"])
        shades = to_range(images, self.value_range, (0, 255)).astype("uint8")
        shades = ((shades >> shift) << shift).astype(images.dtype)
        return to_range(shades, (0, 255), self.value_range)


class Solarization(ColourLayer, RandomImageLayer):
    """Solarization: inverts pixels above a threshold; in training only.

    Args:
        addition_factor: Added to pixels before the inversion: maximum fraction of the range
            of values, 0 to 1, or a pair of the minimum and the maximum.
        threshold_factor: Threshold for the inversion, in the same form.
        value_range: Minimum and maximum value of a pixel.
        seed: An integer for reproducible draws.
        **kwargs: `data_format`, `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> layer = Solarization(threshold_factor=(0.5, 0.5))
        >>> layer(jnp.array([[[100.0, 200.0]]])).tolist()
        [[[100.0, 55.0]]]
    """

    def __init__(
        self,
        addition_factor: Factor = 0.0,
        threshold_factor: Factor = 0.0,
        value_range: ValueRange = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(value_range=value_range, seed=seed, **kwargs)
        self.addition_factor = factor_range(
            "Solarization", "addition_factor", addition_factor, 0, 1
        )
        self.threshold_factor = factor_range(
            "Solarization", "threshold_factor", threshold_factor, 0, 1
        )

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        addition, threshold = self.draw(2, data, seed)
        return {
            "additions": reshape_per_image(255 * interpolate(*self.addition_factor, addition)),
            "thresholds": reshape_per_image(255 * interpolate(*self.threshold_factor, threshold)),
        }

    def change_colours(self, images: Array, transformation: PyTree) -> Array:
        images = to_range(images, self.value_range, (0, 255))
        brightened = jnp.clip(images + transformation["additions"], 0, 255)
        brightened = jnp.where(
            brightened < transformation["thresholds"], brightened, 255 - brightened
        )
        return to_range(brightened, (0, 255), self.value_range)

    def get_config(self) -> dict:
        settings = settings_of(self, "addition_factor", "threshold_factor")
        return {**super().get_config(), **settings}


class RandomColorJitter(ColourLayer, RandomImageLayer):
    """Changes brightness, contrast, saturation and hue, in this order; only in training.

    Args:
        value_range: Minimum and maximum value of a pixel.
        brightness_factor: See `RandomBrightness`; None for no change.
        contrast_factor: See `RandomContrast`; None for no change.
        saturation_factor: See `RandomSaturation`; None for no change.
        hue_factor: See `RandomHue`; None for no change.
        seed: An integer for reproducible draws.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> layer = RandomColorJitter((0, 1), brightness_factor=0.2, hue_factor=0.1)
        >>> layer(jnp.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)
    """

    def __init__(
        self,
        value_range: ValueRange = (0, 255),
        brightness_factor: Factor | None = None,
        contrast_factor: Factor | None = None,
        saturation_factor: Factor | None = None,
        hue_factor: Factor | None = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(value_range=value_range, seed=seed, data_format=data_format, **kwargs)
        self.brightness_factor = brightness_factor
        self.contrast_factor = contrast_factor
        self.saturation_factor = saturation_factor
        self.hue_factor = hue_factor
        factors = (
            ("random_brightness", RandomBrightness, brightness_factor),
            ("random_contrast", RandomContrast, contrast_factor),
            ("random_saturation", RandomSaturation, saturation_factor),
            ("random_hue", RandomHue, hue_factor),
        )
        self._layers_by_name = {
            name: layer_class(
                factor,
                value_range=value_range,
                seed=seed,
                data_format=self.data_format,
                dtype=self.dtype_policy,
            )
            for name, layer_class, factor in factors
            if factor is not None
        }

    has_nothing_to_build = True

    def build(self, input_shape: Any) -> None:
        """Nothing to build: the four layers have no weights.

        Args:
            input_shape: Shape of the images.
        """

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        key = draw_key(self.generator) if seed is None else seed
        return {
            name: layer.get_random_transformation(data, seed=key ^ jnp.uint32(number))
            for number, (name, layer) in enumerate(self._layers_by_name.items())
        }

    def change_colours(self, images: Array, transformation: PyTree) -> Array:
        for name, layer in self._layers_by_name.items():
            images = layer.change_colours(images, transformation[name])
        return images

    def get_config(self) -> dict:
        names = ("brightness_factor", "contrast_factor", "saturation_factor", "hue_factor")
        return {**super().get_config(), **settings_of(self, *names)}
