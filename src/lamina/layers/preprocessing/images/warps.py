"""Geometric augmentations: flips, rotations, translations, zooms, shears, perspective."""

import math
from typing import Any

import jax.numpy as jnp

from lamina.core.types import Array, ArrayLike, Factor, PyTree
from lamina.layers.preprocessing.images.base import (
    FILL_MODES,
    INTERPOLATIONS,
    RandomImageLayer,
    check_choice,
    factor_range,
    interpolate,
    reshape_per_image,
)
from lamina.layers.settings import settings_of
from lamina.ops import boxes
from lamina.ops.image import sampling

_FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")


class RandomFlip(RandomImageLayer):
    """Flips half of the images; only in training.

    Args:
        mode: `"horizontal"` (left to right), `"vertical"`, or `"horizontal_and_vertical"`: both at
            once, a rotation by 180 degrees.
        seed: An integer for reproducible draws.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `bounding_box_format`, `name`, `dtype`; see `BaseImagePreprocessingLayer`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> image = jnp.array([[[1.0], [2.0]]])
        >>> layer = RandomFlip("horizontal", seed=1)
        >>> results = {tuple(layer(image).ravel().tolist()) for _ in range(20)}
        >>> sorted(results)
        [(1.0, 2.0), (2.0, 1.0)]
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.mode = check_choice("RandomFlip", "mode", mode, _FLIPS)

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        flips = self.draw(1, data, seed)[0] <= 0.5
        return {"flips": reshape_per_image(flips), "input_shape": self.images_of(data).shape}

    def transform_images(
        self, images: Array, transformation: PyTree, training: bool = True
    ) -> Array:
        return self._flip(jnp.asarray(images, self.compute_dtype), transformation, training)

    def transform_segmentation_masks(
        self, segmentation_masks: Array, transformation: PyTree, training: bool = True
    ) -> Array:
        return self._flip(jnp.asarray(segmentation_masks), transformation, training)

    def transform_bounding_boxes(
        self, bounding_boxes: dict, transformation: PyTree, training: bool = True
    ) -> dict:
        if not training or transformation is None:
            return bounding_boxes
        shape = transformation["input_shape"]
        height, width = shape[self._height_axis], shape[self._width_axis]
        flips = transformation["flips"][..., 0]

        def mirror(corners: Array) -> Array:
            x1, y1, x2, y2 = jnp.split(corners, 4, axis=-1)
            if "horizontal" in self.mode:
                x1, x2 = width - x2, width - x1
            if "vertical" in self.mode:
                y1, y2 = height - y2, height - y1
            return jnp.where(flips, jnp.concatenate([x1, y1, x2, y2], axis=-1), corners)

        return self.move_boxes(bounding_boxes, (height, width), mirror)

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "mode")}

    def _flip(self, images: Array, transformation: PyTree, training: bool) -> Array:
        if not training or transformation is None:
            return images
        is_horizontal, is_vertical = "horizontal" in self.mode, "vertical" in self.mode
        axes = [self._width_axis] * is_horizontal + [self._height_axis] * is_vertical
        flips = jnp.reshape(transformation["flips"], (-1,) + (1,) * 3)
        flipped = jnp.where(flips, jnp.flip(images, axes), images)
        return flipped.reshape(images.shape)


class RandomWarp(RandomImageLayer):
    """Base class of layers that resample images by projective transforms.

    A subclass defines `get_random_transformation`, whose result has the images' shape as
    `"input_shape"`, and `projective_transforms`.

    Args:
        interpolation: `"bilinear"` or `"nearest"`; masks always use `"nearest"`.
        fill_mode: How values outside of the image are filled: `"constant"` (`fill_value`),
            `"nearest"` (its edge), `"reflect"`, `"mirror"` or `"wrap"`.
        fill_value: Value for `"constant"`.
        **kwargs: See `RandomImageLayer`.
    """

    def __init__(
        self,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.interpolation = check_choice(owner, "interpolation", interpolation, INTERPOLATIONS)
        self.fill_mode = check_choice(owner, "fill_mode", fill_mode, FILL_MODES)
        self.fill_value = fill_value

    def projective_transforms(self, transformation: dict, height: int, width: int) -> Array:
        """The projective transforms, eight numbers per image; see `ops.image.affine_transform`.

        Args:
            transformation: Result of `get_random_transformation`.
            height: Height of the images, in pixels.
            width: Their width, in pixels.

        Returns:
            Array `(batch, 8)`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no projective_transforms(transformation, height, width)."
        )

    def original_size(self, transformation: dict) -> tuple[int, int]:
        """Height and width of the images that a transformation was drawn for.

        Args:
            transformation: Result of `get_random_transformation`.

        Returns:
            Height and width, in pixels.
        """
        shape = transformation["input_shape"]
        return shape[self._height_axis], shape[self._width_axis]

    def transform_images(
        self, images: Array, transformation: PyTree, training: bool = True
    ) -> Array:
        images = jnp.asarray(images, self.compute_dtype)
        return self._warp(images, transformation, training, self.interpolation)

    def transform_segmentation_masks(
        self, segmentation_masks: Array, transformation: PyTree, training: bool = True
    ) -> Array:
        masks = jnp.asarray(segmentation_masks)
        return self._warp(masks, transformation, training, "nearest")

    def transform_bounding_boxes(
        self, bounding_boxes: dict, transformation: PyTree, training: bool = True
    ) -> dict:
        if not training or transformation is None:
            return bounding_boxes
        size = self.original_size(transformation)
        # The transforms map an output pixel to its source; boxes need the inverse.
        inverse = sampling.adjugate(
            sampling.as_matrix(self.projective_transforms(transformation, *size))
        )
        return self.move_boxes(
            bounding_boxes, size, lambda corners: boxes.enclosing_boxes(corners, inverse)
        )

    def get_config(self) -> dict:
        settings = settings_of(self, "interpolation", "fill_mode", "fill_value")
        return {**super().get_config(), **settings}

    def _warp(
        self, images: Array, transformation: PyTree, training: bool, interpolation: str
    ) -> Array:
        if not training or transformation is None:
            return images
        transforms = self.projective_transforms(
            transformation, images.shape[self._height_axis], images.shape[self._width_axis]
        )
        return sampling.affine_transform(
            images,
            transforms[0] if images.ndim == 3 else transforms,
            interpolation,
            self.fill_mode,
            self.fill_value,
            self.data_format,
        )


class RandomRotation(RandomWarp):
    """Rotates every image around its centre, by a random angle; only in training.

    Args:
        factor: Maximum angle as a fraction of a full turn, or a pair of the smallest and the
            largest: 0.1 is up to 36 degrees either way. Positive angles rotate counter-clockwise.
        fill_mode: How values outside of the image are filled: `"reflect"`, `"constant"`
            (`fill_value`), `"nearest"` (its edge), `"mirror"` or `"wrap"`.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: An integer for reproducible draws.
        fill_value: Value for `"constant"`.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `bounding_box_format`, `name`, `dtype`; see `BaseImagePreprocessingLayer`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> image = jnp.array([[1.0, 2.0], [3.0, 4.0]])[..., None]
        >>> RandomRotation((0.25, 0.25), interpolation="nearest")(image)[..., 0].tolist()
        [[2.0, 4.0], [1.0, 3.0]]
    """

    def __init__(
        self,
        factor: Factor,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            interpolation, fill_mode, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.factor = factor_range("RandomRotation", "factor", factor, -1, 1)

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        batch, height, width = self.images_shape(data)
        angle = 360 * interpolate(*self.factor, self.draw(1, data, seed)[0])
        return {
            "angle": angle,
            "rotation_matrix": _rotation(angle, height, width),
            "image_height": height,
            "image_width": width,
            "batch_size": batch,
        }

    def original_size(self, transformation: dict) -> tuple[int, int]:
        return transformation["image_height"], transformation["image_width"]

    def projective_transforms(self, transformation: dict, height: int, width: int) -> Array:
        return jnp.reshape(transformation["rotation_matrix"], (-1, 8))

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "factor")}


class RandomTranslation(RandomWarp):
    """Translates every image by a random distance; only in training.

    Args:
        height_factor: Maximum shift as a fraction of the height, or a pair of the smallest and
            the largest: `(-0.2, 0.3)` is 20 % up to 30 % down.
        width_factor: Maximum shift as a fraction of the width, likewise.
        fill_mode: How values outside of the image are filled: `"reflect"`, `"constant"`
            (`fill_value`), `"nearest"` (its edge), `"mirror"` or `"wrap"`.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: An integer for reproducible draws.
        fill_value: Value for `"constant"`.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `bounding_box_format`, `name`, `dtype`; see `BaseImagePreprocessingLayer`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> image = jnp.array([[1.0, 2.0, 3.0, 4.0]])[..., None]
        >>> layer = RandomTranslation(0.0, (0.25, 0.25), fill_mode="constant")
        >>> layer(image)[0, :, 0].tolist()
        [0.0, 1.0, 2.0, 3.0]
    """

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            interpolation, fill_mode, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._vertical_range = factor_range(
            "RandomTranslation", "height_factor", height_factor, -1, 1
        )
        self._horizontal_range = factor_range(
            "RandomTranslation", "width_factor", width_factor, -1, 1
        )

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        _, height, width = self.images_shape(data)
        down, right = self.draw(2, data, seed)
        shifts = [
            width * interpolate(*self._horizontal_range, right),
            height * interpolate(*self._vertical_range, down),
        ]
        return {
            "translations": jnp.stack(shifts, axis=-1),
            "input_shape": self.images_of(data).shape,
        }

    def projective_transforms(self, transformation: dict, height: int, width: int) -> Array:
        right, down = jnp.moveaxis(jnp.asarray(transformation["translations"]), -1, 0)
        return _affine_transforms(1, 0, -right, 0, 1, -down)

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "height_factor", "width_factor")}


class RandomZoom(RandomWarp):
    """Zooms every image by a random factor; only in training.

    Args:
        height_factor: Relative increase of the visible height, or a pair of its minimum and
            maximum: `(0.2, 0.3)` makes images smaller, by 20 % to 30 %, `(-0.3, -0.2)` larger.
        width_factor: Relative increase of the visible width; None to keep the aspect ratio.
        fill_mode: How values outside of the image are filled: `"reflect"`, `"constant"`
            (`fill_value`), `"nearest"` (its edge), `"mirror"` or `"wrap"`.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: An integer for reproducible draws.
        fill_value: Value for `"constant"`.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `bounding_box_format`, `name`, `dtype`; see `BaseImagePreprocessingLayer`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> image = jnp.array([[1.0, 2.0, 3.0]])[..., None]
        >>> layer = RandomZoom(0.0, (1.0, 1.0), fill_mode="constant")
        >>> layer(image)[0, :, 0].tolist()
        [0.0, 2.0, 0.0]
    """

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor | None = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            interpolation, fill_mode, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._height_range = _zoom_range("height_factor", height_factor)
        self._width_range = (
            None if width_factor is None else _zoom_range("width_factor", width_factor)
        )

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        vertical, horizontal = self.draw(2, data, seed)[..., None]
        height_zoom = 1 + interpolate(*self._height_range, vertical)
        width_zoom = (
            height_zoom
            if self._width_range is None
            else 1 + interpolate(*self._width_range, horizontal)
        )
        return {
            "height_zoom": height_zoom,
            "width_zoom": width_zoom,
            "input_shape": self.images_of(data).shape,
        }

    def projective_transforms(self, transformation: dict, height: int, width: int) -> Array:
        vertical, horizontal = (
            jnp.ravel(transformation[name]) for name in ("height_zoom", "width_zoom")
        )
        left, top = (width - 1) / 2 * (1 - horizontal), (height - 1) / 2 * (1 - vertical)
        return _affine_transforms(horizontal, 0, left, 0, vertical, top)

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "height_factor", "width_factor")}


class RandomShear(RandomWarp):
    """Shears every image by a random slope; only in training.

    Args:
        x_factor: Maximum horizontal slope, 0 to 1: the shift of a row relative to the one above
            it, in pixels. A pair gives the minimum and the maximum; half of the images are sheared
            in the other direction.
        y_factor: Maximum vertical slope, likewise.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: How values outside of the image are filled: `"reflect"`, `"constant"`
            (`fill_value`), `"nearest"` (its edge), `"mirror"` or `"wrap"`.
        fill_value: Value for `"constant"`.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        seed: An integer for reproducible draws.
        **kwargs: `bounding_box_format`, `name`, `dtype`; see `BaseImagePreprocessingLayer`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> layer = RandomShear(x_factor=0.5, seed=1)
        >>> layer(jnp.ones((2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """

    def __init__(
        self,
        x_factor: Factor = 0.0,
        y_factor: Factor = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            interpolation, fill_mode, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.x_factor = factor_range("RandomShear", "x_factor", x_factor, -1, 1)
        self.y_factor = factor_range("RandomShear", "y_factor", y_factor, -1, 1)

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        direction, horizontal, vertical = self.draw(3, data, seed)
        slopes = [interpolate(*self.x_factor, horizontal), interpolate(*self.y_factor, vertical)]
        sign = jnp.where(direction > 0.5, -1, 1)[:, None]
        return {
            "shear_factor": sign * jnp.stack(slopes, axis=-1),
            "input_shape": self.images_of(data).shape,
        }

    def projective_transforms(self, transformation: dict, height: int, width: int) -> Array:
        horizontal, vertical = jnp.moveaxis(jnp.asarray(transformation["shear_factor"]), -1, 0)
        return _affine_transforms(1, horizontal, 0, vertical, 1, 0)

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "x_factor", "y_factor")}


class RandomPerspective(RandomWarp):
    """Random perspective transforms, which move the corners of images; only in training.

    Args:
        factor: Fraction of the images, or a pair of its minimum and maximum.
        scale: Shift of the corners, 0 to 1, as a fraction of their distance from the upper left
            corner, which is fixed.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_value: Value for positions outside of the image.
        seed: An integer for reproducible draws.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `bounding_box_format`, `name`, `dtype`; see `BaseImagePreprocessingLayer`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Example:
        >>> layer = RandomPerspective(factor=1.0, scale=0.5, seed=1)
        >>> layer(jnp.ones((2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """

    def __init__(
        self,
        factor: Factor = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            interpolation, "constant", fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.factor = factor_range("RandomPerspective", "factor", factor, 0, 1)
        self.scale = scale
        if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 <= scale <= 1:
            raise ValueError(
                f"RandomPerspective: scale must be a number from 0 to 1; received {scale!r}."
            )

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        batch, height, width = self.images_shape(data)
        random_numbers = self.draw(10, data, seed)
        corners = jnp.array(
            [[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], "float32"
        )
        start_points = jnp.broadcast_to(corners, (batch, 4, 2))
        relative_moves = self.scale * (random_numbers[2:].T.reshape(batch, 4, 2) - 0.5)
        return {
            "apply_perspective": random_numbers[0] < interpolate(*self.factor, random_numbers[1]),
            "start_points": start_points,
            "end_points": start_points + start_points * relative_moves,
            "input_shape": self.images_of(data).shape,
        }

    def projective_transforms(self, transformation: dict, height: int, width: int) -> Array:
        transforms = sampling.homography(
            transformation["start_points"], transformation["end_points"]
        )
        is_transformed = jnp.reshape(transformation["apply_perspective"], (-1, 1))
        return jnp.where(is_transformed, transforms, jnp.array([1.0, 0, 0, 0, 1, 0, 0, 0]))

    def get_config(self) -> dict:
        config = {**super().get_config(), **settings_of(self, "factor", "scale")}
        del config["fill_mode"]
        return config


def _rotation(angle: Array, height: int, width: int) -> Array:
    """Transforms that rotate around the centre by angles in degrees."""
    cos, sin = jnp.cos(angle * (math.pi / 180)), jnp.sin(angle * (math.pi / 180))
    x, y = (width - 1) / 2, (height - 1) / 2
    return _affine_transforms(cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos)


def _affine_transforms(*numbers: ArrayLike) -> Array:
    """Transforms `(batch, 8)` without perspective, from six numbers or arrays `(batch,)`."""
    return jnp.stack(jnp.broadcast_arrays(*map(jnp.float32, numbers), 0.0, 0.0), axis=-1)


def _zoom_range(name: str, factor: Any) -> tuple[float, float]:
    low, high = factor_range("RandomZoom", name, factor, -1, 1)
    if low <= -1:
        raise ValueError(f"RandomZoom: {name} must be above -1 on both ends; received {factor!r}.")
    return low, high
