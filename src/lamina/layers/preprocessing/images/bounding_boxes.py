"""MaxNumBoundingBoxes: an equal number of bounding boxes for every image."""

from typing import Any

import jax.numpy as jnp

from lamina.core.types import Array, Outputs, PyTree, Shapes
from lamina.core.user_data.arguments import check_integer
from lamina.layers.preprocessing.images.base import BaseImagePreprocessingLayer
from lamina.layers.settings import same_dtype, settings_of


class MaxNumBoundingBoxes(BaseImagePreprocessingLayer):
    """Truncates or pads the boxes of every image to the same number.

    Args:
        max_number: Number of boxes per image.
        fill_value: Coordinates and labels of added boxes.
        **kwargs: `bounding_box_format`, `data_format`, `name`, `dtype`; see
            `BaseImagePreprocessingLayer`.

    Input shape: A dict with `"images"` and `"bounding_boxes"`; images alone are not changed.
    Output shape: Same as the input, with `max_number` boxes and labels per image.

    Example:
        >>> layer = MaxNumBoundingBoxes(2, bounding_box_format="xyxy")
        >>> boxes = {"boxes": jnp.array([[0.0, 0.0, 4.0, 4.0]]), "labels": jnp.array([7])}
        >>> data = layer({"images": jnp.zeros((8, 8, 3)), "bounding_boxes": boxes})
        >>> data["bounding_boxes"]["labels"].tolist()
        [7, -1]
    """

    def __init__(self, max_number: int, fill_value: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.max_number = check_integer("max_number", max_number, owner="MaxNumBoundingBoxes")
        self.fill_value = int(fill_value)

    def transform_images(
        self, images: Array, transformation: PyTree = None, training: bool = True
    ) -> Array:
        return images

    def transform_bounding_boxes(
        self, bounding_boxes: dict, transformation: PyTree = None, training: bool = True
    ) -> dict:
        parts = {name: self._pad_boxes(bounding_boxes[name]) for name in ("boxes", "labels")}
        return {**bounding_boxes, **parts}

    def compute_output_shape(self, input_shape: Shapes) -> Shapes:
        if not isinstance(input_shape, dict) or "bounding_boxes" not in input_shape:
            return input_shape
        shapes = {
            name: (shape[0], self.max_number, *shape[2:])
            for name, shape in input_shape["bounding_boxes"].items()
        }
        return {**input_shape, "bounding_boxes": shapes}

    def compute_output_spec(self, data: PyTree, training: bool = True) -> Outputs:
        if isinstance(data, dict):
            return super().compute_output_spec(data, training)
        return same_dtype(self, data, data.shape)

    def get_config(self) -> dict:
        config = {**super().get_config(), **settings_of(self, "max_number")}
        # Keras does not save fill_value; here it is saved unless it has its default.
        return config if self.fill_value == -1 else {**config, "fill_value": self.fill_value}

    def _pad_boxes(self, values: Array) -> Array:
        values = values[:, : self.max_number]
        edges = [(0, 0)] * values.ndim
        edges[1] = (0, self.max_number - values.shape[1])
        return jnp.pad(values, edges, constant_values=self.fill_value)
