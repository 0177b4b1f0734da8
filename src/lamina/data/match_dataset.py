"""Converts users' pictures to look like the images of the data set that a model was trained on."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.data.foreground import (
    Foreground,
    centre_of_mass,
    find_shaded_object,
    find_strokes,
    separate_by_brightness,
)
from lamina.data.picture_files import Picture, edge_pixels, read_picture
from lamina.datasets.image_form import ImageForm
from lamina.datasets.named import DATASET_NAMES

# Larger pictures are reduced first; no data set has images of this size.
_MAX_SIDE = 512


@dataclass(frozen=True)
class PreparedPicture:
    """A picture converted to an image of a data set.

    Args:
        image: Values from 0 to 1, light on dark, `(height, width)`.
        inverted: Whether the picture was dark on light.
        is_blank: Whether no foreground was found.
        is_uneven: Whether the brightness varies a lot although nothing was found, as in noise.
    """

    image: np.ndarray
    inverted: bool
    is_blank: bool
    is_uneven: bool = False


def form_of(name: str) -> ImageForm:
    """The form of the images of `"mnist"`, `"fashion_mnist"` or `"digits"`."""
    from lamina.core.messages.errors import unknown_name  # only where it is needed

    if name not in DATASET_NAMES:
        raise unknown_name("data set", name, DATASET_NAMES)
    form: ImageForm = import_module(f"lamina.datasets.{name}").FORM
    return form


@filter_traceback
def pictures_like(name: str, paths: Sequence[str | os.PathLike]) -> np.ndarray:
    """Picture files as images of a named data set, for a model that was trained on it.

    The drawing is separated from its background, whatever the colours and the lighting. It is
    cropped, scaled and centred as the images of the data set are, light on dark, with the same
    pixel range.

    Args:
        name: `"mnist"`, `"fashion_mnist"` or `"digits"`.
        paths: Picture files.

    Returns:
        `(pictures, height, width)`, float32 from 0 to the set's largest pixel value.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file is not a picture, or is blank.

    Example:
        >>> import tempfile
        >>> from PIL import Image, ImageDraw
        >>> page = Image.new("RGB", (300, 200), "white")
        >>> ImageDraw.Draw(page).line([(150, 40), (140, 160)], fill="navy", width=14)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     page.save(f"{folder}/one.png")
        ...     x = pictures_like("mnist", [f"{folder}/one.png"])
        >>> x.shape
        (1, 28, 28)
    """
    form = form_of(name)
    largest = 16 if name == "digits" else 255
    images = []
    for path in paths:
        prepared = match_picture(read_picture(path, _MAX_SIDE), form)
        if prepared.is_blank:
            if prepared.is_uneven:
                raise ValueError(
                    f"{path}: no drawing can be told from its background; the picture looks like "
                    "noise."
                )
            raise ValueError(f"{path} is blank: nothing is drawn on it.")
        images.append(prepared.image)
    shape = (len(images), form.height, form.width)
    return largest * np.asarray(images, dtype="float32").reshape(shape)


def match_picture(
    picture: Picture, form: ImageForm, is_dark: bool | None = None
) -> PreparedPicture:
    """Convert a picture to an image of a data set.

    Args:
        picture: The picture.
        form: The form of the images of the data set.
        is_dark: Whether the foreground is darker than the background; None to decide from the
            picture.
    """
    if is_dark is None and has_form(picture, form):
        return PreparedPicture(picture.grey, inverted=False, is_blank=False)
    if is_dark is not None:
        ink = separate_by_brightness(picture, is_dark)
    else:
        ink = find_strokes(picture) if form.strokes else find_shaded_object(picture)
    if ink is None or not (ink.strength > 0.25).any():
        empty = np.zeros((form.height, form.width), dtype="float32")
        return PreparedPicture(empty, bool(is_dark), is_blank=True, is_uneven=picture.is_uneven)
    return PreparedPicture(_scale_and_centre(ink, form), ink.is_dark, is_blank=False)


def has_form(picture: Picture, form: ImageForm) -> bool:
    """Whether the picture already has the form of the data set, so that it is not changed."""
    image = picture.grey
    if image.shape != (form.height, form.width) or not picture.is_grey or image.max() < 0.5:
        return False
    if form.longer_side == max(image.shape):
        return bool(np.median(edge_pixels(image)) < 0.25)
    ink_positions = np.argwhere(image > 0.1)
    sides = ink_positions.max(axis=0) - ink_positions.min(axis=0) + 1
    offset = np.abs(centre_of_mass(image) - np.array(image.shape) / 2 - 0.5).max()
    return bool(
        edge_pixels(image).max() < 0.1 and sides.max() <= form.longer_side + 1 and offset < 1.5
    )


def _scale_and_centre(ink: Foreground, form: ImageForm) -> np.ndarray:
    """The foreground scaled and centred as in the data set, with subpixel accuracy."""
    from PIL import Image

    rows, columns = ink.box()
    foreground = ink.strength[rows, columns]
    sides = np.array(foreground.shape)
    scale = max(sides) / form.longer_side  # pixels of the picture per pixel of the image
    centre = centre_of_mass(foreground) if form.centred_by == "mass" else sides / 2
    # MNIST has the centre of mass in the middle of pixel 14 of 28.
    target_centre = np.array([form.height, form.width]) / 2 + (
        0.5 if form.centred_by == "mass" else 0
    )
    # The upper left corner of the foreground in the image, in pixels of the picture.
    corner = target_centre * scale - centre
    scaled_size = np.array([form.height, form.width]) * scale
    # The whole foreground stays inside, even if its centre of mass is far from its middle.
    corner = np.clip(corner, 0, np.maximum(scaled_size - sides, 0))
    margin = np.ceil(scaled_size).astype(int) + 1
    padded = np.pad(foreground, [(n, n) for n in margin]).astype("float32")
    top, left = margin - corner
    filter = Image.Resampling.BOX if scale > 2 else Image.Resampling.BICUBIC
    image = np.asarray(
        Image.fromarray(padded).resize(
            (form.width, form.height),
            filter,
            box=(left, top, left + scaled_size[1], top + scaled_size[0]),
        )
    )
    image = np.clip(image, 0, None)
    if form.strokes:
        # Averaging makes thin strokes faint. In the data set, the middle of a stroke is white.
        image = image / max(float(np.percentile(image[image > 0.05], 85)), 0.05)
    return np.clip(image, 0, 1)
