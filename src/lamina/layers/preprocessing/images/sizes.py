"""Layers that resize or crop images."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.types import Array, Outputs, PyTree
from lamina.core.user_data.arguments import check_integer
from lamina.core.variable.seed import make_default_seed
from lamina.layers.preprocessing.images.base import (
    BaseImagePreprocessingLayer,
    RandomImageLayer,
    check_choice,
)
from lamina.layers.settings import same_dtype, settings_of
from lamina.ops.image import resizing


class SizedLayer(BaseImagePreprocessingLayer):
    """Base class of layers with a fixed output size, to which a window of each image is resized.

    Args:
        height: Height of the output, in pixels.
        width: Width of the output, in pixels.
        **kwargs: See `BaseImagePreprocessingLayer`.
    """

    def __init__(self, height: int, width: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.height = check_integer("height", height, owner=type(self).__name__)
        self.width = check_integer("width", width, owner=type(self).__name__)

    def output_size(self) -> tuple[int, int]:
        return self.height, self.width

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "height", "width")}

    def is_large_enough(self, height: int, width: int) -> bool:
        """Whether images of a size are large enough for a crop of the output size.

        Args:
            height: Height of the images, in pixels.
            width: Their width, in pixels.

        Returns:
            True if neither is smaller than that of the output.
        """
        return height >= self.height and width >= self.width

    def largest_window(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, left, height and width of the largest centred window with the target's aspect ratio.

        Args:
            height: Height of the images, in pixels.
            width: Their width, in pixels.

        Returns:
            Four integers, in pixels.
        """
        (top, window_height), (left, window_width) = resizing.aspect_crop(
            (height, width), self.output_size()
        )
        return top, left, window_height, window_width

    def boxes_in_window(
        self, bounding_boxes: dict, size: tuple[int, int], window: tuple[Any, Any, int, int]
    ) -> dict:
        """Boxes in a window (top, left, height, width) that is resized to the output size.

        Args:
            bounding_boxes: A dict with `"boxes"`, in `bounding_box_format`, and `"labels"`.
            size: Height and width of the images, in pixels.
            window: Top, left, height and width of the window, in pixels.

        Returns:
            A dict with the same entries.
        """
        top, left, window_height, window_width = window

        def move(corners: Array) -> Array:
            origin = jnp.stack(jnp.broadcast_arrays(*map(jnp.float32, (left, top))), axis=-1)
            scale = jnp.array([self.width / window_width, self.height / window_height])
            # One row per image, or one row for all images.
            origin = jnp.reshape(jnp.concatenate([origin, origin], axis=-1), (-1, 1, 4))
            return (corners - origin) * jnp.concatenate([scale, scale])

        return self.move_boxes(bounding_boxes, size, move)

    def _resize(self, images: Array, interpolation: str = "bilinear") -> Array:
        return resizing.resize(
            images,
            self.output_size(),
            interpolation,
            crop_to_aspect_ratio=True,
            data_format=self.data_format,
        )


class Resizing(SizedLayer):
    """Resizes images to a fixed size, in training and inference.

    Args:
        height: Height of the output, in pixels.
        width: Width of the output, in pixels.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`; masks
            always take the nearest pixel.
        crop_to_aspect_ratio: Crop images instead of distorting them.
        pad_to_aspect_ratio: Pad images instead of distorting them.
        fill_mode: Only `"constant"`.
        fill_value: The value of the padding.
        antialias: Whether to use an anti-aliasing filter when downsampling.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `bounding_box_format`, `name`, `dtype`; see `BaseImagePreprocessingLayer`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input, with another height and width. Integers stay integers.

    Example:
        >>> Resizing(2, 2)(jnp.zeros((5, 8, 6, 3), "uint8")).shape
        (5, 2, 2, 3)
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(height, width, data_format=data_format, **kwargs)
        self.interpolation = check_choice(
            "Resizing", "interpolation", interpolation, resizing.INTERPOLATIONS
        )
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(
                "Resizing can either crop or pad to the aspect ratio; received both as True."
            )
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_mode = check_choice("Resizing", "fill_mode", fill_mode, ("constant",))
        self.fill_value = fill_value
        self.antialias = bool(antialias)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Not random: height and width of the images, for the boxes.

        Args:
            data: Images, or the dict that the layer is called on.
            training: Whether random layers change anything.
            seed: A SeedGenerator, an integer, or None for the layer's own generator.

        Returns:
            Two integers, in pixels.
        """
        return self.images_shape(data)[1:]

    def transform_images(
        self, images: Array, transformation: PyTree = None, training: bool = True
    ) -> Array:
        return self._resize_to_target(images, self.interpolation)

    def transform_segmentation_masks(
        self, segmentation_masks: Array, transformation: PyTree = None, training: bool = True
    ) -> Array:
        return self._resize_to_target(segmentation_masks, "nearest")

    def transform_bounding_boxes(
        self, bounding_boxes: dict, transformation: PyTree, training: bool = True
    ) -> dict:
        height, width = transformation
        window = (0, 0, height, width)
        if self.crop_to_aspect_ratio:
            window = self.largest_window(height, width)
        elif self.pad_to_aspect_ratio:
            vertical, horizontal = resizing.aspect_pad((height, width), self.output_size())
            window = (-vertical, -horizontal, height + 2 * vertical, width + 2 * horizontal)
        # Boxes of zeros or -1 are padding and are not changed.
        corners = bounding_boxes["boxes"]
        is_padding = jnp.all(corners == -1, axis=-1) | jnp.all(corners == 0, axis=-1)
        moved_boxes = self.boxes_in_window(bounding_boxes, (height, width), window)
        return {**moved_boxes, "boxes": jnp.where(is_padding[..., None], 0, moved_boxes["boxes"])}

    def compute_output_spec(self, data: PyTree, training: bool = True) -> Outputs:
        if isinstance(data, dict):
            return super().compute_output_spec(data, training)
        return same_dtype(self, data, self.compute_output_shape(data.shape))

    def get_config(self) -> dict:
        names = ("interpolation", "crop_to_aspect_ratio", "pad_to_aspect_ratio", "fill_mode")
        return {**super().get_config(), **settings_of(self, *names, "fill_value", "antialias")}

    def _resize_to_target(self, images: Array, interpolation: str) -> Array:
        return resizing.resize(
            images,
            self.output_size(),
            interpolation,
            self.antialias,
            self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio,
            self.fill_mode,
            self.fill_value,
            self.data_format,
        )


class CenterCrop(SizedLayer):
    """Crops the centre of images, in training and inference.

    If images are too small, their largest centred window with the target's aspect ratio is resized.

    Args:
        height: Height of the output, in pixels.
        width: Width of the output, in pixels.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `bounding_box_format`, `name`, `dtype`; see `BaseImagePreprocessingLayer`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input, with another height and width.

    Example:
        >>> CenterCrop(1, 2)(jnp.arange(12.0).reshape(3, 4, 1))[..., 0].tolist()
        [[5.0, 6.0]]
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any):
        super().__init__(height, width, data_format=data_format, **kwargs)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Not random: the images' shape, for the boxes.

        Args:
            data: Images, or the dict that the layer is called on.
            training: Whether random layers change anything.
            seed: A SeedGenerator, an integer, or None for the layer's own generator.

        Returns:
            A dict with the entry `"input_shape"`.
        """
        return {"input_shape": self.images_of(data).shape}

    def transform_images(
        self, images: Array, transformation: PyTree = None, training: bool = True
    ) -> Array:
        return self._crop(jnp.asarray(images, self.compute_dtype))

    def transform_segmentation_masks(
        self, segmentation_masks: Array, transformation: PyTree = None, training: bool = True
    ) -> Array:
        return self._crop(jnp.asarray(segmentation_masks), "nearest")

    def transform_bounding_boxes(
        self, bounding_boxes: dict, transformation: PyTree, training: bool = True
    ) -> dict:
        shape = transformation["input_shape"]
        height, width = shape[self._height_axis], shape[self._width_axis]
        window = self.largest_window(height, width)
        if self.is_large_enough(height, width):
            window = (*self._crop_offset(height, width), self.height, self.width)
        return self.boxes_in_window(bounding_boxes, (height, width), window)

    def _crop(self, images: Array, interpolation: str = "bilinear") -> Array:
        height, width = images.shape[self._height_axis], images.shape[self._width_axis]
        if not self.is_large_enough(height, width):
            return self._resize(images, interpolation)
        top, left = self._crop_offset(height, width)
        images = lax.slice_in_dim(images, top, top + self.height, axis=self._height_axis)
        return lax.slice_in_dim(images, left, left + self.width, axis=self._width_axis)

    def _crop_offset(self, height: int, width: int) -> tuple[int, int]:
        return (height - self.height) // 2, (width - self.width) // 2


class RandomCrop(SizedLayer, RandomImageLayer):
    """Crops every image at a random position in training.

    In inference, and if images are too small, their largest centred window with the target's aspect
    ratio is resized.

    Args:
        height: Height of the output, in pixels.
        width: Width of the output, in pixels.
        seed: An integer for reproducible draws.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `bounding_box_format`, `dtype`; see `BaseImagePreprocessingLayer`.

    Input shape: `(batch, height, width, channels)` or `(height, width, channels)`; or a dict.
    Output shape: Same as the input, with another height and width.

    Example:
        >>> layer = RandomCrop(1, 2, seed=1)
        >>> image = jnp.arange(4.0).reshape(1, 4, 1)
        >>> sorted({tuple(layer(image).ravel().tolist()) for _ in range(30)})
        [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]
    """

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        seed = make_default_seed() if seed is None else seed
        super().__init__(height, width, seed=seed, data_format=data_format, name=name, **kwargs)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Top and left of the crop of each image, and the images' height and width.

        Args:
            data: Images, or the dict that the layer is called on.
            training: Whether random layers change anything.
            seed: A SeedGenerator, an integer, or None for the layer's own generator.

        Returns:
            Two arrays `(batch,)` and two integers, in pixels.
        """
        _, height, width = self.images_shape(data)
        if not training or not self.is_large_enough(height, width):
            top, left, _, _ = self.largest_window(height, width)
            return top, left, height, width
        vertical, horizontal = self.draw(2, data, seed)
        top, left = vertical * (height - self.height + 1), horizontal * (width - self.width + 1)
        return top.astype("int32"), left.astype("int32"), height, width

    def transform_images(
        self, images: Array, transformation: PyTree, training: bool = True
    ) -> Array:
        return self._crop(jnp.asarray(images, self.compute_dtype), transformation, training)

    def transform_segmentation_masks(
        self, segmentation_masks: Array, transformation: PyTree, training: bool = True
    ) -> Array:
        return self._crop(jnp.asarray(segmentation_masks), transformation, training, "nearest")

    def transform_bounding_boxes(
        self, bounding_boxes: dict, transformation: PyTree, training: bool = True
    ) -> dict:
        top, left, height, width = transformation
        window = self.largest_window(height, width)
        if training and self.is_large_enough(height, width):
            window = (top, left, self.height, self.width)
        return self.boxes_in_window(bounding_boxes, (height, width), window)

    def _crop(
        self, images: Array, transformation: PyTree, training: bool, interpolation: str = "bilinear"
    ) -> Array:
        height, width = images.shape[self._height_axis], images.shape[self._width_axis]
        if not training or not self.is_large_enough(height, width):
            return self._resize(images, interpolation)
        is_single = images.ndim == 3
        batch = images[None] if is_single else images
        channels_first = self.data_format == "channels_first"
        crop_size = [self.height, self.width]
        size = [batch.shape[1], *crop_size] if channels_first else [*crop_size, batch.shape[-1]]

        def crop_one(image: Array, top: Array, left: Array) -> Array:
            start = (0, top, left) if channels_first else (top, left, 0)
            return lax.dynamic_slice(image, start, size)

        positions = (jnp.broadcast_to(jnp.ravel(p), batch.shape[:1]) for p in transformation[:2])
        parts = jax.vmap(crop_one)(batch, *positions)
        return parts[0] if is_single else parts
