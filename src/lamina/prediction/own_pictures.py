"""A user's picture as an image like those that a model was trained on."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lamina.contract import Contract, Drawing, novelty
from lamina.data.loading.drawings import drawn_share, has_dark_edge
from lamina.data.loading.image_files import picture_as_input
from lamina.data.match_dataset import has_form, prepare
from lamina.data.picture_files import Picture
from lamina.datasets.image_form import ImageForm


class OwnPicture(NamedTuple):
    """A picture as a model takes it.

    Args:
        pixels: uint8, `(height, width, channels)`.
        inverted: Whether light and dark were swapped.
        placed: Whether the drawing was cropped, scaled and centred.
    """

    pixels: np.ndarray
    inverted: bool = False
    placed: bool = False


def like_training(
    picture: Picture, contract: Contract, read_large: Callable[[], Picture]
) -> OwnPicture:
    """Make a picture like the images of training.

    Pictures of their size and background, and pictures that look like them, are only resized, as
    those of training were. If the images of training are drawings of one form, the drawing is
    found, cropped, scaled and centred. Otherwise light and dark are swapped if that makes an
    unusual picture a usual one.

    Args:
        picture: The picture, reduced as for training.
        contract: What the model was trained on; it has an `image`.
        read_large: Reads the picture again in the resolution in which drawings are found.
    """
    form = contract.image
    assert form is not None
    pixels = picture_as_input(picture, form)
    is_far = _is_far(contract, pixels)
    drawing = form.drawing
    if drawing is None:
        inverse = 255 - pixels
        if is_far and _is_far(contract, inverse) is False:
            return OwnPicture(inverse, inverted=True)
        return OwnPicture(pixels)
    wanted = ImageForm(
        form.height, form.width, drawing.longest, drawing.centred_by, drawing.strokes
    )
    seen = _light_on_dark(_as_picture(pixels), drawing)
    same_size = picture.pixels.shape[:2] == (form.height, form.width)
    if (same_size and has_dark_edge(seen.grey)) or (not is_far and has_form(seen, wanted)):
        return OwnPicture(pixels)
    made = prepare(_light_on_dark(read_large(), drawing), wanted)
    if made.is_blank or drawn_share(made.image) > drawing.fullest:
        return OwnPicture(pixels)
    image = 1 - made.image if drawing.is_dark else made.image
    values = np.round(255 * image).astype("uint8")[..., None]
    return OwnPicture(values, made.inverted, placed=not np.array_equal(values, pixels))


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
    """The picture as `prepare` expects one that needs no change: light on dark."""
    if not drawing.is_dark:
        return picture
    return Picture(1 - picture.pixels, picture.is_grey, picture.note)
