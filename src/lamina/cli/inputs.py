"""From image files and data sets to what a model takes: size, colours and range of pixels."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Range(NamedTuple):
    """The largest pixel value that a model expects, and how that is known."""

    pixel_max: float
    remark: str | None


class InputForm(NamedTuple):
    """What one image must look like: its pixels' height and width, and its array's shape."""

    height: int
    width: int
    channels: int
    shape: tuple[int, ...]


def expected_range(model: Any, chosen: float | None = None) -> Range:
    """Which range of pixels a model was most probably trained on.

    A model that scales its input by itself says so in its first layers. Of any other nothing is
    known for sure; networks are mostly trained on 0 to 1.

    Args:
        model: A loaded model.
        chosen: What the user says, if anything.
    """
    from lamina import layers

    if chosen is not None:
        return Range(chosen, None)
    for layer in model.layers:
        if isinstance(layer, layers.Rescaling):
            scale, offset = float(np.mean(layer.scale)), float(np.mean(layer.offset))
            # 0…255 times 1/255 is 0…1, and 0…255 times 1/127.5 minus 1 is -1…1.
            return Range(round((1 - offset) / scale, 6), None)
        if isinstance(layer, (layers.Normalization, layers.BatchNormalization)):
            return Range(255, None)
        if layer.weights:
            break
    return Range(
        1,
        "The model does not scale its input by itself, so pixels were brought to 0…1; "
        "--pixel-max sets another range.",
    )


def input_form(model: Any) -> InputForm:
    """What one image must look like for a model.

    Raises:
        ValueError: If the model takes no images.
    """
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or any(not isinstance(n, int) for n in shape[1:]):
        raise ValueError(
            f"The model takes inputs of shape {shape}, and an image file cannot be brought to that."
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
        f"The model takes {sizes} per sample, which is no image in grey or in three colours."
    )


def read_image(path: Path, form: InputForm) -> np.ndarray:
    """An image file as values from 0 to 1, `(height, width)` or `(height, width, 3)`.

    Photographs are turned the right way up, transparent parts are white, and what is not as wide
    as it is high is filled up at its edges rather than stretched.

    Raises:
        ValueError: If the file is no image.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file).convert("RGBA")
    except UnidentifiedImageError:
        raise ValueError(f"{path} is no image, or of a kind that Pillow cannot read.") from None
    except FileNotFoundError:
        raise ValueError(f"There is no file {str(path)!r}.") from None
    white = Image.new("RGBA", image.size, "white")
    image = Image.alpha_composite(white, image).convert("RGB" if form.channels == 3 else "L")
    edge = np.median(_border(np.asarray(image)), axis=0)
    image = ImageOps.pad(
        image,
        (form.width, form.height),
        Image.Resampling.LANCZOS,
        color=tuple(edge.astype(int).tolist()) if edge.ndim else int(edge),
    )
    return np.asarray(image, dtype="float32") / 255


def looks_inverted(image: np.ndarray) -> bool:
    """Whether an image is dark on light, unlike the light strokes on dark of MNIST and its kin.

    Args:
        image: Values from 0 to 1, `(height, width)`.

    Example:
        >>> page = np.ones((8, 8))
        >>> page[2:6, 3:5] = 0
        >>> looks_inverted(page), looks_inverted(1 - page)
        (True, False)
    """
    return image.ndim == 2 and float(np.median(_border(image))) > 0.5 > float(image.min())


def _border(image: np.ndarray) -> np.ndarray:
    """The pixels along the four edges, `(pixels,)` or `(pixels, 3)`."""
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
