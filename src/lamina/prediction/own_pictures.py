"""Converts a user's picture to an image like those that a model was trained on."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lamina.contract import Contract, Drawing, novelty
from lamina.data.loading.drawings import has_dark_edge, ink_density
from lamina.data.loading.image_files import picture_as_input
from lamina.data.match_dataset import has_form, match_picture
from lamina.data.picture_files import Picture
from lamina.datasets.image_form import ImageForm


class MatchedPicture(NamedTuple):
    """A picture converted to an input of a model.

    Args:
        pixels: uint8, `(height, width, channels)`.
        is_inverted: Whether light and dark were swapped.
        is_centred: Whether the drawing was cropped, scaled and centred.
    """

    pixels: np.ndarray
    is_inverted: bool = False
    is_centred: bool = False


def match_training(
    picture: Picture, contract: Contract, read_large: Callable[[], Picture]
) -> MatchedPicture:
    """Convert a picture so that it resembles the images of training.

    Pictures with the same size and background as in training, and pictures similar to those of
    training, are only resized. If the images of training are centred drawings, the drawing is
    found, cropped, scaled and centred. Otherwise light and dark are swapped if that makes a picture
    that is far from training similar to it.

    Args:
        picture: The picture, reduced as for training.
        contract: The contract of the model; its `image` is not None.
        read_large: A function that reads the picture again at the resolution at which drawings are
            found.
    """
    form = contract.image
    assert form is not None
    pixels = picture_as_input(picture, form)
    is_far = _is_far(contract, pixels)
    drawing = form.drawing
    if drawing is None:
        inverse = 255 - pixels
        if is_far and _is_far(contract, inverse) is False:
            return MatchedPicture(inverse, is_inverted=True)
        return MatchedPicture(pixels)
    target_form = ImageForm(
        form.height, form.width, drawing.longest, drawing.centred_by, drawing.strokes
    )
    light_on_dark = _light_on_dark(_as_picture(pixels), drawing)
    has_same_size = picture.pixels.shape[:2] == (form.height, form.width)
    if has_same_size and has_dark_edge(light_on_dark.grey):
        return MatchedPicture(pixels)
    if not is_far and has_form(light_on_dark, target_form):
        return MatchedPicture(pixels)
    prepared = match_picture(_light_on_dark(read_large(), drawing), target_form)
    if prepared.is_blank or ink_density(prepared.image) > drawing.fullest:
        return MatchedPicture(pixels)
    image = 1 - prepared.image if drawing.is_dark else prepared.image
    values = np.round(255 * image).astype("uint8")[..., None]
    is_centred = not np.array_equal(values, pixels)
    return MatchedPicture(values, prepared.inverted, is_centred)


def _is_far(contract: Contract, pixels: np.ndarray) -> bool | None:
    """Whether an image is far from those of training; None if that is not known."""
    if contract.novelty is None or len(contract.novelty.inputs) != 1:
        return None
    far = novelty.is_far(contract.novelty, {contract.novelty.inputs[0]: pixels[None]})
    return None if far is None else bool(far[0])


def _as_picture(pixels: np.ndarray) -> Picture:
    values = pixels.astype("float32") / 255
    return Picture(np.repeat(values, 3, axis=2), True)


def _light_on_dark(picture: Picture, drawing: Drawing) -> Picture:
    """The picture inverted if drawings of training are dark; `match_picture` expects light ones."""
    if not drawing.is_dark:
        return picture
    return Picture(1 - picture.pixels, picture.is_grey, picture.note)
