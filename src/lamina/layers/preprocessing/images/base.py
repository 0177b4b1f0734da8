"""Base classes of image layers: inputs as arrays or dicts, random parameters, value ranges."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from lamina.core.configuration.config import standardize_data_format
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer.layer import Layer
from lamina.core.messages.errors import unknown_name
from lamina.core.types import Array, Outputs, PyTree, Shape, Shapes
from lamina.core.variable.hashing import hashed_bits
from lamina.core.variable.seed import SeedGenerator, draw_key
from lamina.ops import boxes

INTERPOLATIONS = ("bilinear", "nearest")
FILL_MODES = ("constant", "mirror", "nearest", "reflect", "wrap")


class BaseImagePreprocessingLayer(Layer):
    """Base class of layers that transform images together with their labels, boxes and masks.

    A layer is called on an array of images or on a dict with `"images"` and any of `"labels"`,
    `"bounding_boxes"` (itself a dict of `"boxes"` and `"labels"`) and `"segmentation_masks"`;
    other entries of the dict are passed on. A single sample, without a batch axis, is treated as
    a batch of one.

    A call draws one random transformation and applies it to every part. A subclass defines
    the methods that it needs among `get_random_transformation`, `transform_images`,
    `transform_bounding_boxes`, `transform_segmentation_masks` and `transform_labels`. They always
    receive batches. A layer that changes the size of images defines `output_size`.

    Args:
        bounding_box_format: Format of the boxes, e.g. `"xyxy"`; see
            `lamina.utils.bounding_boxes.convert_format`. Needed only for inputs with boxes.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.
        **kwargs: `name`, `dtype`; see `Layer`.
    """

    def __init__(
        self,
        bounding_box_format: str | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if bounding_box_format is not None and bounding_box_format not in boxes.FORMATS:
            raise unknown_name("format of bounding boxes", bounding_box_format, boxes.FORMATS)
        self.bounding_box_format = bounding_box_format
        self.data_format = standardize_data_format(data_format)

    # -- defined by subclasses -------------------------------------------------------------------

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The random transformation of this batch: arrays with one entry per image, or None.

        Args:
            data: Images `(batch, height, width, channels)`, or the dict that the layer is called
                on.
            training: Whether random layers change anything.
            seed: A SeedGenerator, an integer, or None for the layer's own generator.

        Returns:
            The argument `transformation` of the `transform_…` methods.
        """
        return None

    def transform_images(self, images: Array, transformation: Any, training: bool = True) -> Array:
        """The transformed images; outside of training usually unchanged.

        Args:
            images: Images, `(batch, height, width, channels)`.
            transformation: Result of `get_random_transformation`.
            training: Whether random layers change anything.

        Returns:
            Images, of another height and width if the layer changes their size.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no transform_images(images, transformation, training)."
        )

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        """The transformed labels; usually unchanged.

        Args:
            labels: One label per image, `(batch, ...)`.
            transformation: Result of `get_random_transformation`.
            training: Whether random layers change anything.

        Returns:
            Labels, `(batch, ...)`.
        """
        return labels

    def transform_bounding_boxes(
        self, bounding_boxes: dict, transformation: PyTree, training: bool = True
    ) -> dict:
        """The boxes `(batch, boxes, 4)` and their labels `(batch, boxes)`, transformed.

        Args:
            bounding_boxes: A dict with `"boxes"`, in `bounding_box_format`, and
                `"labels"`.
            transformation: Result of `get_random_transformation`.
            training: Whether random layers change anything.

        Returns:
            A dict with the same entries.

        Raises:
            NotImplementedError: If the layer cannot change boxes.
        """
        raise NotImplementedError(
            f"{type(self).__name__} cannot change bounding boxes along with the images.\n"
            '  Fix: leave "bounding_boxes" out of its input.'
        )

    def transform_segmentation_masks(
        self, segmentation_masks: Array, transformation: PyTree, training: bool = True
    ) -> Array:
        """The masks, transformed like the images; class indices are not interpolated.

        Args:
            segmentation_masks: Class numbers, `(batch, height, width, 1)`.
            transformation: Result of `get_random_transformation`.
            training: Whether random layers change anything.

        Returns:
            Class numbers, with the height and width of the transformed images.
        """
        return segmentation_masks

    def output_size(self) -> tuple[int, int] | None:
        """Height and width of the output images; None if they do not change.

        Returns:
            `(height, width)` in pixels, or None.
        """
        return None

    # -- the call --------------------------------------------------------------------------------

    def call(self, data: Any, training: bool = True) -> Any:
        """Transform images together with their labels, boxes and masks.

        Args:
            data: Images `(batch, height, width, channels)`, or one without the batch axis, or a
                dict with `"images"` and, as needed, `"labels"`, `"bounding_boxes"` and
                `"segmentation_masks"`.
            training: Whether random layers change anything.

        Returns:
            The same structure, transformed.

        Raises:
            ValueError: If a dict has no `"images"`, or has boxes without a format.
        """
        if not isinstance(data, dict):
            is_single = self._is_single(data.shape)
            images = data[None] if is_single else data
            transformation = self.get_random_transformation(images, training=training)
            images = self.transform_images(images, transformation, training=training)
            return images[0] if is_single else images
        if "images" not in data:
            raise ValueError(
                f"{self._label} needs an entry 'images' in the dict it is called on; "
                f"received {', '.join(map(repr, data)) or 'an empty dict'}."
            )
        is_single = self._is_single(data["images"].shape)
        parts = {name: data[name] for name in _PARTS if name in data}
        if "bounding_boxes" in parts:
            if self.bounding_box_format is None:
                raise ValueError(
                    f"{self._label} received bounding boxes and has no bounding_box_format."
                    f"\n  Fix: {type(self).__name__}(…, bounding_box_format='xyxy')"
                )
            parts["bounding_boxes"] = boxes.as_arrays(parts["bounding_boxes"])
        if is_single:
            parts = _map_arrays(lambda array: jnp.asarray(array)[None], parts)
        transformation = self.get_random_transformation(parts, training=training)
        for name, part in parts.items():
            transform = getattr(self, f"transform_{name}")
            parts[name] = transform(part, transformation, training=training)
        if is_single:
            parts = _map_arrays(lambda array: array[0], parts)
        return {**data, **parts}

    def compute_output_shape(self, input_shape: Shapes) -> Shapes:
        if isinstance(input_shape, dict):
            resized_shapes = {
                name: self.compute_output_shape(input_shape[name])
                for name in ("images", "segmentation_masks")
                if name in input_shape
            }
            return {**input_shape, **resized_shapes}
        self._is_single(input_shape)
        shape = list(input_shape)
        size = self.output_size()
        if size is not None:
            shape[self._height_axis], shape[self._width_axis] = size
        return tuple(shape)

    def compute_output_spec(self, data: PyTree, training: bool = True) -> Outputs:
        if isinstance(data, dict):
            return self._trace_call((data,), {"training": training})
        return KerasTensor(self.compute_output_shape(data.shape), self.compute_dtype)

    def get_config(self) -> dict:
        config = {**super().get_config(), "data_format": self.data_format}
        if self.bounding_box_format is not None:
            config["bounding_box_format"] = self.bounding_box_format
        return config

    # -- for subclasses --------------------------------------------------------------------------

    @property
    def _height_axis(self) -> int:
        return -3 if self.data_format == "channels_last" else -2

    @property
    def _width_axis(self) -> int:
        return self._height_axis + 1

    @property
    def _channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else -3

    def move_boxes(
        self,
        bounding_boxes: dict,
        size: tuple[int, int],
        move: Callable[[Array], Array],
    ) -> dict:
        """Move boxes and clip them to the image, in the same format.

        Args:
            bounding_boxes: Dict of boxes and labels.
            size: Height and width of the images before the transformation.
            move: Function from boxes in the original image to boxes in the transformed image,
                both in the format `xyxy`, in pixels.

        Returns:
            A dict with `"boxes"` and `"labels"`.
        """
        box_format = str(self.bounding_box_format)
        new_size = self.output_size() or size
        moved_boxes = boxes.convert_format(bounding_boxes, box_format, "xyxy", *size)
        moved_boxes = boxes.clip_to_image_size(
            {**moved_boxes, "boxes": move(moved_boxes["boxes"])}, *new_size
        )
        return boxes.convert_format(moved_boxes, "xyxy", box_format, *new_size)

    def images_of(self, data: Any) -> Array:
        """The images in the argument `data` of `get_random_transformation`.

        Args:
            data: Images, or a dict with `"images"`.

        Returns:
            The images.
        """
        return data["images"] if isinstance(data, dict) else data

    def images_shape(self, data: Any) -> tuple[int, int, int]:
        """Number, height and width of the images in the argument `data`.

        Args:
            data: Images, or a dict with `"images"`.

        Returns:
            Three integers.
        """
        shape = self.images_of(data).shape
        batch = 1 if self._is_single(shape) else shape[0]
        return batch, shape[self._height_axis], shape[self._width_axis]

    def _is_single(self, shape: Shape) -> bool:
        if len(shape) not in (3, 4):
            axes = "height, width, channels"
            if self.data_format == "channels_first":
                axes = "channels, height, width"
            raise ValueError(
                f"{self._label} takes images ({axes}) or batches (batch, {axes}); "
                f"received shape {tuple(shape)}.\n"
                "  Fix: for gray images without a channel axis, x[..., None]."
            )
        return len(shape) == 3


class RandomImageLayer(BaseImagePreprocessingLayer):
    """Base class of layers that transform every image with its own random numbers, by `draw`.

    Args:
        seed: An integer for reproducible draws.
        **kwargs: See `BaseImagePreprocessingLayer`.

    Example:
        >>> class Dim(RandomImageLayer):
        ...     def get_random_transformation(self, data, training=True, seed=None):
        ...         return self.draw(1, data, seed)[0] if training else None
        ...     def transform_images(self, images, transformation, training=True):
        ...         return images * reshape_per_image(transformation) if training else images
        >>> images = np.ones((2, 3, 3, 1))
        >>> Dim()({"images": images, "labels": np.array([4, 5])})["labels"].tolist()
        [4, 5]
        >>> float(Dim()(images, training=False).min())
        1.0
    """

    def __init__(self, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.seed = seed
        self.generator = SeedGenerator(seed)

    def draw(self, count: int, data: Any, seed: Any = None) -> Array:
        """Random numbers from 0 to 1, `(count, batch)`: `count` for every image.

        Args:
            count: Count of numbers per image.
            data: Argument of `get_random_transformation`.
            seed: Argument of `get_random_transformation`; None for the layer's own generator.

        Returns:
            Array `(count, batch)`.
        """
        batch, _, _ = self.images_shape(data)
        return uniform_numbers(self.generator if seed is None else seed, (count, batch))

    def get_config(self) -> dict:
        return {**super().get_config(), "seed": self.seed}


_PARTS = ("images", "labels", "bounding_boxes", "segmentation_masks")


def reshape_per_image(values: Array) -> Array:
    """One number per image, reshaped to broadcast to images: `(batch,)` to `(batch, 1, 1, 1)`.

    Example:
        >>> reshape_per_image(jnp.zeros(5)).shape
        (5, 1, 1, 1)
    """
    return jnp.reshape(values, (-1, 1, 1, 1))


def uniform_numbers(seed: Any, shape: Sequence[int]) -> Array:
    """Random numbers in [0, 1), by the hash that dropout uses.

    Args:
        seed: Integer, `SeedGenerator`, key of two uint32, or None.
        shape: Shape of the result.
    """
    key = draw_key(seed) if seed is None or isinstance(seed, (int, SeedGenerator)) else seed
    return (hashed_bits(key, shape) >> 8).astype("float32") * np.float32(2**-24)


def interpolate(low: float, high: float, fraction: Array) -> Array:
    """Linear interpolation from `low` to `high` at a fraction from 0 to 1."""
    return low + (high - low) * fraction


def factor_range(
    owner: str, name: str, factor: Any, low: float, high: float
) -> tuple[float, float]:
    """The interval that a factor is drawn from; one number stands for `±number`.

    Args:
        owner: Name of the layer, for messages.
        name: Name of the argument.
        factor: Number or pair of numbers.
        low, high: Smallest and largest value allowed; `±number` is clipped at `low`.

    Example:
        >>> factor_range("RandomContrast", "factor", 0.5, low=0, high=1)
        (0, 0.5)
    """
    is_pair = isinstance(factor, (tuple, list, np.ndarray)) and len(factor) == 2
    values = tuple(factor) if is_pair else (factor,)
    are_numbers = all(
        isinstance(v, (int, float, np.number)) and not isinstance(v, bool) for v in values
    )
    if not are_numbers or not all(low <= v <= high for v in values):
        raise ValueError(
            f"{owner}: {name} must be a number, or a pair of numbers, from {low} to {high}; "
            f"received {factor!r}."
        )
    if is_pair:
        return min(values), max(values)
    return max(-abs(factor), low), abs(factor)


def check_value_range(owner: str, value_range: Any) -> tuple[float, float]:
    """The minimum and maximum value of a pixel, checked."""
    is_pair = isinstance(value_range, (tuple, list)) and len(value_range) == 2
    if not is_pair or not value_range[0] < value_range[1]:
        raise ValueError(
            f"{owner}: value_range must be a pair of the smallest and the largest pixel, e.g. "
            f"(0, 255); received {value_range!r}."
        )
    return value_range[0], value_range[1]


def check_choice(owner: str, name: str, value: Any, allowed: Sequence[str]) -> str:
    """Check that a value is one of a list of words."""
    if value not in allowed:
        raise unknown_name(f"{name} of {owner}", value, allowed)
    return value


def _map_arrays(function: Any, parts: dict) -> dict:
    return {
        name: _map_arrays(function, part) if isinstance(part, dict) else function(part)
        for name, part in parts.items()
    }
