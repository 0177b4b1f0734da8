"""RandAugment and AugMix, which apply randomly chosen augmentations."""

from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.types import Array, Factor, PyTree
from lamina.core.user_data.arguments import check_integer
from lamina.core.variable.seed import draw_key
from lamina.layers.preprocessing.images.base import (
    BaseImagePreprocessingLayer,
    RandomImageLayer,
    check_value_range,
    factor_range,
    uniform_numbers,
)
from lamina.layers.preprocessing.images.colours import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
    RandomPosterization,
    Solarization,
    ValueRange,
)
from lamina.layers.preprocessing.images.filters import RandomSharpness
from lamina.layers.preprocessing.images.histograms import AutoContrast, Equalization
from lamina.layers.preprocessing.images.warps import (
    RandomRotation,
    RandomShear,
    RandomTranslation,
)
from lamina.layers.settings import settings_of


class PolicyLayer(RandomImageLayer):
    """Base class of layers that apply some of eleven augmentations, chosen at random per batch.

    The choice is made inside the compiled program, which contains every augmentation once.

    Args:
        value_range: Minimum and maximum value of a pixel.
        factor: Strength of the augmentations, 0 to 1, or a pair of the minimum and the maximum.
        interpolation: `"bilinear"` or `"nearest"`.
        **kwargs: See `RandomImageLayer`.
    """

    def __init__(self, value_range: ValueRange, factor: Factor, interpolation: str, **kwargs: Any):
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.factor = factor = factor_range(owner, "factor", factor, 0, 1)
        self.interpolation = interpolation
        arguments: dict[str, Any] = {
            "data_format": self.data_format,
            "bounding_box_format": self.bounding_box_format,
            "dtype": self.dtype_policy,
        }
        geometric_arguments: dict[str, Any] = {**arguments, "interpolation": interpolation}
        colour_arguments: dict[str, Any] = {**arguments, "value_range": value_range}
        bits = max(1, int(8 * factor[1]))
        self._augmentations: list[BaseImagePreprocessingLayer] = [
            RandomShear(factor, factor, **geometric_arguments),
            RandomTranslation(factor, factor, **geometric_arguments),
            RandomRotation(factor, **geometric_arguments),
            RandomPosterization(bits, **colour_arguments),
            Solarization(factor, factor, **colour_arguments),
            AutoContrast(**colour_arguments),
            Equalization(**colour_arguments),
            RandomBrightness(factor, **colour_arguments),
            RandomColorDegeneration(factor, **colour_arguments),
            RandomContrast(factor, **colour_arguments),
            RandomSharpness(factor, **colour_arguments),
        ]
        self.value_range = check_value_range(owner, value_range)

    has_nothing_to_build = True

    def build(self, input_shape: Any) -> None:
        """Nothing to build: the augmentations have no weights.

        Args:
            input_shape: Shape of the images.
        """

    def apply_augmentations(
        self, entry: str, value: Any, shape: tuple, choices: Array, keys: Array
    ) -> Any:
        """Apply several augmentations to images, masks or boxes.

        Args:
            entry: `"images"`, `"segmentation_masks"` or `"bounding_boxes"`.
            value: The images, masks or boxes.
            shape: Shape of the images.
            choices: Indices of the augmentations, `(steps,)`; the index after the last stands
                for no change.
            keys: A random key for each, `(steps, 2)`.

        Returns:
            The augmented images, masks or boxes.
        """
        image_spec = jax.ShapeDtypeStruct(shape, self.compute_dtype)

        def branch_for(layer: BaseImagePreprocessingLayer) -> Any:
            def augment(value: Any, key: Array) -> Any:
                transformation = layer.get_random_transformation(image_spec, seed=key)
                return getattr(layer, f"transform_{entry}")(value, transformation)

            return augment

        branches = [*map(branch_for, self._augmentations), lambda value, key: value]

        def step(value: Any, choice_and_key: tuple[Array, Array]) -> tuple[Any, None]:
            choice, key = choice_and_key
            return jax.lax.switch(choice, branches, value, key), None

        return jax.lax.scan(step, value, (choices, keys))[0]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            **settings_of(self, "value_range", "factor", "interpolation"),
        }


class RandAugment(PolicyLayer):
    """Applies a few of eleven augmentations to each batch; only in training.

    They are shear, translation, rotation, brightness, colour degeneration, contrast, sharpness,
    posterization, solarization, auto-contrast and equalization, all equally likely.

    Args:
        value_range: Minimum and maximum value of a pixel.
        num_ops: Number of augmentations that are applied.
        factor: Maximum strength of each, 0 to 1, or a pair of the minimum and the maximum.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: An integer for reproducible draws.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, 3)` or `(height, width, 3)`; or a dict.
    Output shape: Same as the input.

    Source: Cubuk et al., 2019, "RandAugment: Practical automated data augmentation with a reduced
    search space", arXiv:1909.13719.

    Example:
        >>> layer = RandAugment(value_range=(0, 1), seed=1)
        >>> layer(jnp.ones((2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """

    def __init__(
        self,
        value_range: ValueRange = (0, 255),
        num_ops: int = 2,
        factor: Factor = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            value_range, factor, interpolation, seed=seed, data_format=data_format, **kwargs
        )
        self.num_ops = check_integer("num_ops", num_ops, owner="RandAugment")

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        key = draw_key(self.generator) if seed is None else seed
        return {
            "layer_idxes": draw_choices(key, (self.num_ops,), len(self._augmentations)),
            "keys": jax.random.split(key, self.num_ops),
            "input_shape": self.images_of(data).shape,
        }

    def transform_images(
        self, images: Array, transformation: PyTree, training: bool = True
    ) -> Array:
        images = jnp.asarray(images, self.compute_dtype)
        return self._augment("images", images, transformation, training)

    def transform_segmentation_masks(
        self, segmentation_masks: Array, transformation: PyTree, training: bool = True
    ) -> Array:
        return self._augment("segmentation_masks", segmentation_masks, transformation, training)

    def transform_bounding_boxes(
        self, bounding_boxes: dict, transformation: PyTree, training: bool = True
    ) -> dict:
        return self._augment("bounding_boxes", bounding_boxes, transformation, training)

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "num_ops")}

    def _augment(self, entry: str, value: Any, transformation: PyTree, training: bool) -> Any:
        if not training or transformation is None:
            return value
        shape, choices = transformation["input_shape"], transformation["layer_idxes"]
        return self.apply_augmentations(entry, value, shape, choices, transformation["keys"])


class AugMix(PolicyLayer):
    """AugMix: mixes images with versions augmented by chains of transformations; only in training.

    The chains and mixing weights are drawn for each batch. Masks and boxes are not changed, because
    the original images are part of the mixture.

    Args:
        value_range: Minimum and maximum value of a pixel.
        num_chains: Number of versions.
        chain_depth: Maximum number of augmentations in a chain.
        factor: Maximum strength of each, 0 to 1, or a pair of the minimum and the maximum.
        alpha: Parameter of the Dirichlet and Beta distributions of the mixing weights; 1 makes all
            weights equally likely.
        all_ops: Whether brightness, colour degeneration, contrast and sharpness are among the
            augmentations, besides shear, translation, rotation, posterization, solarization,
            auto-contrast and equalization.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: An integer for reproducible draws.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `bounding_box_format`, `name`, `dtype`.

    Input shape: `(batch, height, width, 3)` or `(height, width, 3)`; or a dict.
    Output shape: Same as the input.

    Source: Hendrycks et al., 2019, "AugMix: A Simple Data Processing Method to Improve Robustness
    and Uncertainty", arXiv:1912.02781.

    Example:
        >>> layer = AugMix(value_range=(0, 1), seed=1)
        >>> layer(jnp.ones((2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """

    def __init__(
        self,
        value_range: ValueRange = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: Factor = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            value_range, factor, interpolation, seed=seed, data_format=data_format, **kwargs
        )
        self.num_chains = check_integer("num_chains", num_chains, owner="AugMix")
        self.chain_depth = check_integer("chain_depth", chain_depth, owner="AugMix")
        self.alpha = alpha
        self.all_ops = all_ops
        if not all_ops:
            self._augmentations = [
                layer for layer in self._augmentations if not isinstance(layer, _ONLY_WITH_ALL_OPS)
            ]

    def get_random_transformation(
        self, data: PyTree, training: bool = True, seed: Any = None
    ) -> PyTree:
        if not training:
            return None
        key = draw_key(self.generator) if seed is None else seed
        steps = (self.num_chains, self.chain_depth)
        chain_key, image_key = jax.random.split(key)
        return {
            "chain_mixing_weights": jax.random.dirichlet(
                chain_key, jnp.full(self.num_chains, self.alpha, "float32")
            ),
            "weight_sample": jax.random.beta(image_key, self.alpha, self.alpha),
            "choices": draw_choices(key, steps, len(self._augmentations) + 1),
            "keys": jax.random.split(key, steps),
        }

    def transform_images(
        self, images: Array, transformation: PyTree, training: bool = True
    ) -> Array:
        images = jnp.asarray(images, self.compute_dtype)
        if not training or transformation is None:
            return images

        def add_chain(mixed: Array, chain: tuple[Array, Array, Array]) -> tuple[Array, None]:
            weight, choices, keys = chain
            return mixed + weight * self.apply_augmentations(
                "images", images, images.shape, choices, keys
            ), None

        names = ("chain_mixing_weights", "choices", "keys")
        chains = tuple(transformation[name] for name in names)
        zeros = jnp.zeros(images.shape, "float32")
        mixed, _ = jax.lax.scan(add_chain, zeros, chains)
        weight = transformation["weight_sample"]
        mixed = weight * images + (1 - weight) * mixed
        return jnp.clip(mixed, *self.value_range).astype(images.dtype)

    def transform_bounding_boxes(
        self, bounding_boxes: dict, transformation: PyTree, training: bool = True
    ) -> dict:
        return bounding_boxes

    def get_config(self) -> dict:
        settings = settings_of(self, "num_chains", "chain_depth", "alpha", "all_ops")
        return {**super().get_config(), **settings}


_ONLY_WITH_ALL_OPS = (
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
    RandomSharpness,
)


def draw_choices(key: Array, shape: tuple[int, ...], count: int) -> Array:
    """Integers below `count`, all equally likely."""
    return (uniform_numbers(key, shape) * count).astype("int32")
