"""RandomErasing, CutMix and MixUp."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.types import Array, Factor, PyTree
from lamina.core.variable.seed import draw_key
from lamina.layers.preprocessing.images.base import (
    RandomImageLayer,
    factor_range,
    interpolate,
    reshape_per_image,
)
from lamina.layers.preprocessing.images.colours import RandomColourLayer, ValueRange
from lamina.layers.settings import settings_of
from lamina.ops.image import sampling


class RandomErasing(RandomColourLayer):
    """Erases a rectangle of some of the images; only in training.

    Args:
        factor: Fraction of the images, or a pair of its minimum and maximum.
        scale: Pair of the minimum and the maximum, 0 to 1, of the square of the rectangle's
            relative height, and of its relative width.
        fill_value: The value of erased pixels: a number, one for each channel, or None for noise.
        value_range: Minimum and maximum value of a pixel.
        seed: An integer for reproducible draws.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input.

    Source: Zhong et al., 2017, "Random Erasing Data Augmentation", arXiv:1708.04896.

    Example:
        >>> layer = RandomErasing((1.0, 1.0), scale=(1.0, 1.0), fill_value=0.0)
        >>> layer(jnp.ones((1, 2, 1)))[..., 0].tolist()
        [[0.0, 0.0]]
    """

    def __init__(
        self,
        factor: Factor = 1.0,
        scale: Factor = (0.02, 0.33),
        fill_value: Any = None,
        value_range: ValueRange = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            factor, value_range=value_range, seed=seed, data_format=data_format, **kwargs
        )
        self.scale = factor_range("RandomErasing", "scale", scale, 0, 1)
        if np.ndim(fill_value) > 1 or not all(
            isinstance(v, (int, float)) for v in np.atleast_1d(fill_value).tolist() if v is not None
        ):
            raise ValueError(
                "RandomErasing: fill_value must be a number, one for each channel, or None; "
                f"received {fill_value!r}."
            )
        self.fill_value = fill_value

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        key = draw_key(self.generator) if seed is None else seed
        _, height, width = self.images_shape(data)
        relative_width, relative_height, left, top, fraction, threshold = self.draw(6, data, key)
        relative_width, relative_height = (
            jnp.sqrt(interpolate(*self.scale, fraction))
            for fraction in (relative_width, relative_height)
        )
        window = rectangle(
            (height, width), relative_width, relative_height, left, top, self.data_format
        )
        return {
            "apply_erasing": threshold < interpolate(*self.factor, fraction),
            "batch_masks": window.mask,
            "fill_value": self._fill_values(self.images_of(data).shape, key),
        }

    def change_colours(self, images: Array, transformation: PyTree) -> Array:
        is_erased = transformation["batch_masks"] & reshape_per_image(
            transformation["apply_erasing"]
        )
        return jnp.where(is_erased, transformation["fill_value"], images)

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "scale", "fill_value")}

    def _fill_values(self, shape: tuple[int, ...], key: Array) -> Array:
        if self.fill_value is None:
            # Another key, so that the noise is independent of the rectangles.
            noise = sampling.normal_numbers(key ^ np.uint32(1 << 31), shape)
            return self._clip(noise * self.value_range[1])
        values = self._clip(jnp.asarray(self.fill_value, "float32"))
        if values.ndim and values.shape[0] not in (1, shape[self._channel_axis]):
            raise ValueError(
                f"{self._label}: fill_value={self.fill_value!r} must have one number for each of "
                f"the {shape[self._channel_axis]} channels."
            )
        return jnp.reshape(values, (-1,) + (1,) * (-1 - self._channel_axis))


class CutMix(RandomImageLayer):
    """CutMix: copies a rectangle of another image into every image, and mixes their labels.

    Changes batches in training only. Labels are one-hot or probabilities.

    Args:
        factor: Parameter of the beta distribution of the rectangles' sizes, 0 to 1, or a pair
            between which it is drawn for each batch.
        seed: An integer for reproducible draws.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `name`, `dtype`.

    Input shape: A dict of `"images"` `(batch, height, width, channels)` and `"labels"`
        `(batch, classes)`, or the images alone.
    Output shape: Same as the input.

    Source: Yun et al., 2019, "CutMix: Regularization Strategy to Train Strong Classifiers with
    Localizable Features", arXiv:1905.04899.

    Example:
        >>> layer = CutMix(seed=1)
        >>> data = layer({"images": jnp.ones((4, 8, 8, 3)), "labels": jnp.eye(4)})
        >>> [round(float(total), 4) for total in data["labels"].sum(axis=1)]
        [1.0, 1.0, 1.0, 1.0]
    """

    def __init__(
        self,
        factor: Factor = 1.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range("CutMix", "factor", factor, 0, 1)

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        key = draw_key(self.generator) if seed is None else seed
        batch, height, width = self.images_shape(data)
        strength, left, top, order = self.draw(4, data, key)
        alpha = interpolate(*self.factor, strength[0]) + 1e-6
        weight = jax.random.beta(key, alpha, alpha, (batch,))
        ratio = jnp.sqrt(1 - weight)
        window = rectangle((height, width), ratio, ratio, left, top, self.data_format)
        return {
            "permutation_order": jnp.argsort(order),
            "batch_masks": window.mask,
            "mix_weight": reshape_per_image(1 - window.area_fraction),
        }

    def transform_images(
        self, images: Array, transformation: PyTree = None, training: bool = True
    ) -> Array:
        images = jnp.asarray(images, self.compute_dtype)
        return self._cut_and_paste(images, transformation, training)

    def transform_segmentation_masks(
        self, segmentation_masks: Array, transformation: PyTree = None, training: bool = True
    ) -> Array:
        return self._cut_and_paste(jnp.asarray(segmentation_masks), transformation, training)

    def transform_labels(
        self, labels: PyTree, transformation: PyTree, training: bool = True
    ) -> PyTree:
        if not training or transformation is None:
            return labels
        return mix_labels(self, labels, transformation)

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "factor")}

    def _cut_and_paste(self, images: Array, transformation: PyTree, training: bool) -> Array:
        if not training or transformation is None:
            return images
        # The rectangle is the same in every channel.
        is_pasted = jnp.take(transformation["batch_masks"], jnp.array([0]), axis=self._channel_axis)
        return jnp.where(is_pasted, images[transformation["permutation_order"]], images)


class MixUp(RandomImageLayer):
    """MixUp: a weighted mean of every image with another one of the batch, and of their labels.

    Changes inputs in training only. Labels are one-hot or probabilities.

    Args:
        alpha: Parameter of the beta distribution of the mixing weights: near 0 one of the two
            images dominates, at 1 all weights are equally likely.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        seed: An integer for reproducible draws.
        **kwargs: `bounding_box_format`, `name`, `dtype`.

    Input shape: A dict of `"images"` `(batch, height, width, channels)` and `"labels"`
        `(batch, classes)`, or the images alone.
    Output shape: Same as the input; every image has the bounding boxes of both.

    Source: Zhang et al., 2017, "mixup: Beyond Empirical Risk Minimization", arXiv:1710.09412.

    Example:
        >>> layer = MixUp(seed=1)
        >>> data = layer({"images": jnp.ones((4, 8, 8, 3)), "labels": jnp.eye(4)})
        >>> [round(float(total), 4) for total in data["labels"].sum(axis=1)]
        [1.0, 1.0, 1.0, 1.0]
    """

    def __init__(
        self,
        alpha: float = 0.2,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or alpha <= 0:
            raise ValueError(f"MixUp: alpha must be a number above 0; received {alpha!r}.")
        self.alpha = alpha

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        key = draw_key(self.generator) if seed is None else seed
        batch, _, _ = self.images_shape(data)
        return {
            "mix_weight": jax.random.beta(key, self.alpha, self.alpha, (batch,)),
            "permutation_order": jnp.argsort(self.draw(1, data, key)[0]),
        }

    def transform_images(
        self, images: Array, transformation: PyTree = None, training: bool = True
    ) -> Array:
        images = jnp.asarray(images, self.compute_dtype)
        return self._mix(images, transformation, training)

    def transform_segmentation_masks(
        self, segmentation_masks: Array, transformation: PyTree = None, training: bool = True
    ) -> Array:
        return self._mix(segmentation_masks, transformation, training)

    def transform_labels(
        self, labels: PyTree, transformation: PyTree, training: bool = True
    ) -> PyTree:
        if not training or transformation is None:
            return labels
        return mix_labels(self, labels, transformation)

    def transform_bounding_boxes(
        self, bounding_boxes: dict, transformation: PyTree, training: bool = True
    ) -> dict:
        if not training or transformation is None:
            return bounding_boxes
        order = transformation["permutation_order"]
        both = {
            name: jnp.concatenate([bounding_boxes[name], bounding_boxes[name][order]], axis=1)
            for name in ("boxes", "labels")
        }
        return {**bounding_boxes, **both}

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "alpha")}

    def _mix(self, images: Array, transformation: PyTree, training: bool) -> Array:
        if not training or transformation is None:
            return images
        weight = reshape_per_image(transformation["mix_weight"])
        mixed = weight * images + (1 - weight) * images[transformation["permutation_order"]]
        is_float = jnp.issubdtype(images.dtype, jnp.floating)
        return mixed.astype(images.dtype if is_float else "float32")


class Rectangle:
    """The mask of the rectangle in each image, and the fraction of the area that it covers."""

    def __init__(self, mask: Array, area_fraction: Array):
        self.mask = mask
        self.area_fraction = area_fraction


def rectangle(
    size: Sequence[int],
    relative_width: Array,
    relative_height: Array,
    left: Array,
    top: Array,
    data_format: str,
) -> Rectangle:
    """A rectangle in every image.

    Args:
        size: Height and width of the images.
        relative_width, relative_height: Size of the rectangles, as fractions, `(batch,)`.
        left, top: Position of the rectangles, as fractions of the remaining width and height.
        data_format: `"channels_last"` or `"channels_first"`.
    """
    sides = []
    for length, fraction, position in zip(
        size, (relative_height, relative_width), (top, left), strict=True
    ):
        start = position * (length - fraction * length)
        pixels = jnp.arange(length)[None, :]
        sides.append((pixels >= start[:, None]) & (pixels < (start + fraction * length)[:, None]))
    mask = sides[0][:, :, None] & sides[1][:, None, :]
    return Rectangle(
        jnp.expand_dims(mask, -1 if data_format == "channels_last" else 1),
        relative_width * relative_height,
    )


def mix_labels(layer: RandomImageLayer, labels: Any, transformation: dict) -> Array:
    """The labels of mixed images, with the same mixing weights."""
    labels = jnp.asarray(labels)
    if labels.ndim < 2 and not jnp.issubdtype(labels.dtype, jnp.floating):
        raise ValueError(
            f"{layer._label} mixes labels and received class indices of shape {labels.shape}: "
            "the mean of two class indices would be another class.\n"
            "  Fix: lamina.ops.one_hot(labels, num_classes), and categorical_crossentropy as loss."
        )
    weight = jnp.reshape(transformation["mix_weight"], (-1,) + (1,) * (labels.ndim - 1))
    return weight * labels + (1 - weight) * labels[transformation["permutation_order"]]
