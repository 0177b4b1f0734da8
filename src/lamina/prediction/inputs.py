"""Derives a description of a model's inputs from the model: image size, channels, pixel range."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lamina import layers


@dataclass(frozen=True)
class InputDescription:
    """Description of a model's inputs and classes, as plain data.

    Args:
        class_names: Names of the classes, in the order of the outputs; None for numbers.
        value_range: The smallest and the largest value of the inputs in training.
        image_size: Height and width in pixels, for a model that takes images.

    Example:
        >>> InputDescription(class_names=("cat", "dog"), value_range=(0, 255)).class_names
        ('cat', 'dog')
    """

    class_names: tuple[str, ...] | None = None
    value_range: tuple[float, float] | None = None
    image_size: tuple[int, int] | None = None


class Range(NamedTuple):
    """The largest pixel value that a model expects, and whether it is known or a guess."""

    pixel_max: float
    is_known: bool


class InputForm(NamedTuple):
    """The size of an image for a model, and the shape of its array."""

    height: int
    width: int
    channels: int
    shape: tuple[int, ...]


def expected_range(model: Any, chosen: float | None = None) -> Range:
    """The range of pixel values that a model was most probably trained on.

    If its first layers scale the input, the range is known. Otherwise it is guessed as 0 to 1.

    Args:
        model: A loaded model.
        chosen: The largest pixel value, if the user has given it.
    """
    if chosen is not None:
        return Range(chosen, is_known=True)
    contract = getattr(model, "input_contract", None)
    if contract is not None and len(contract.inputs) == 1 and contract.inputs[0].low >= 0:
        return Range(_nearest_range(contract.inputs[0].high), is_known=True)
    for layer in model.layers:
        if isinstance(layer, layers.Rescaling):
            scale, offset = (float(np.asarray(v).mean()) for v in (layer.scale, layer.offset))
            # 0…255 times 1/255 is 0…1, and 0…255 times 1/127.5 minus 1 is -1…1.
            return Range(round((1 - offset) / scale, 6), is_known=True)
        if isinstance(layer, (layers.Normalization, layers.BatchNormalization)):
            return Range(255, is_known=True)
        if layer.weights:
            break
    return Range(1, is_known=False)


def _nearest_range(high: float) -> float:
    """The usual maximum of pixel values for a largest value, such as 255 for 254."""
    return next((top for top in (1.0, 16.0, 255.0, 65535.0) if 0.9 * top <= high <= top), high)


def input_form(model: Any) -> InputForm:
    """The size of images for a model.

    Raises:
        ValueError: If the model takes no images.
    """
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or any(not isinstance(n, int) for n in shape[1:]):
        raise ValueError(
            f"The model takes inputs of shape {shape}; an image file cannot be converted to that."
        )
    sizes = shape[1:]
    if len(sizes) == 3 and sizes[-1] in (1, 3):
        return InputForm(sizes[0], sizes[1], sizes[2], sizes)
    if len(sizes) == 2:
        return InputForm(sizes[0], sizes[1], 1, sizes)
    side = math.isqrt(sizes[0]) if len(sizes) == 1 else 0
    if side > 1 and side * side == sizes[0]:
        return InputForm(side, side, 1, sizes)
    raise ValueError(
        f"The model takes {sizes} per sample, which is not an image in grey or in three colours."
    )
