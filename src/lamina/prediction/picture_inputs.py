"""Converts picture files to inputs of a model: reads, crops and scales them, light on dark."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from lamina.data.loading import image_files
from lamina.data.match_dataset import match_picture
from lamina.data.picture_files import Picture, edge_pixels, read_picture
from lamina.datasets.image_form import ImageForm
from lamina.prediction.inputs import InputForm

# Larger pictures are reduced before they are analysed.
_MAX_SIDE = 512


class PictureInput(NamedTuple):
    """A picture file converted to an input of a model.

    Args:
        path: The file.
        image: Values from 0 to 1, `(height, width)` or `(height, width, 3)`.
        inverted: Whether light and dark were swapped.
        blank: Whether the picture has no foreground.
        note: A remark on what was unusual about the file, or None.
        uneven: Whether a blank picture has no even background either, as in noise.
    """

    path: Path
    image: np.ndarray
    inverted: bool
    blank: bool
    note: str | None
    uneven: bool = False


def convert_picture(
    path: Path, input_size: InputForm, form: ImageForm | None, invert: bool | None
) -> PictureInput:
    """Convert a picture file to an input of a model.

    Args:
        path: The file.
        input_size: The image size of the model.
        form: The format of the images that the model was trained on, if it is known.
        invert: Whether to swap light and dark; None to decide by the background.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not a picture.
    """
    if form is not None:
        picture = read_picture(path, _MAX_SIDE)
        prepared = match_picture(picture, form, is_dark=invert)
        return PictureInput(
            path,
            prepared.image,
            prepared.inverted,
            prepared.is_blank,
            picture.note,
            uneven=prepared.is_uneven,
        )
    picture = read_picture(path)
    image = pad_to_size(picture, input_size)
    is_inverted = looks_inverted(image) if invert is None else invert
    note = picture.note
    if picture.is_blank:
        note = f"{note}; and it is" if note else "is"
        note += " of one colour all over: whatever the model says of it means nothing"
    return PictureInput(path, 1 - image if is_inverted else image, is_inverted, False, note)


def picture_files(paths: list[Path]) -> list[Path]:
    """All files among the paths, and in the folders among the paths.

    Raises:
        ValueError: If a folder has no pictures.
    """
    from PIL import Image

    endings = {
        ending
        for ending, format_name in Image.registered_extensions().items()
        if format_name in Image.OPEN
    }
    endings -= {".h5", ".hdf", ".pdf", ".mpg", ".mpeg"}
    files = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        pictures = sorted(p for p in path.iterdir() if p.suffix.lower() in endings and p.is_file())
        if not pictures:
            raise ValueError(f"The folder {path} has no pictures in it.")
        files += pictures
    return files


def read_image(path: Path, form: InputForm) -> np.ndarray:
    """An image file as values from 0 to 1, `(height, width)` or `(height, width, 3)`.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is not an image.
    """
    return pad_to_size(read_picture(path), form)


def pad_to_size(picture: Picture, form: InputForm) -> np.ndarray:
    """A picture in the size and colours of a model's input.

    It is padded at its edges to the aspect ratio of the input.
    """
    values = picture.pixels if form.channels == 3 else picture.grey
    return image_files.pad_to_size(values, (form.height, form.width)).astype("float32") / 255


def looks_inverted(image: np.ndarray) -> bool:
    """Whether an image is dark on light, unlike the images of MNIST.

    Args:
        image: Values from 0 to 1, `(height, width)`.

    Example:
        >>> page = np.ones((8, 8))
        >>> page[2:6, 3:5] = 0
        >>> looks_inverted(page), looks_inverted(1 - page)
        (True, False)
    """
    return image.ndim == 2 and float(np.median(edge_pixels(image))) > 0.5 > float(image.min())


def write_enlarged(image: np.ndarray, path: Path) -> None:
    """Write an image as a file, enlarged so that its pixels are visible.

    Args:
        image: Values from 0 to 1, `(height, width)` or `(height, width, 3)`.
        path: The file.
    """
    from PIL import Image

    small = Image.fromarray(np.round(255 * image).astype("uint8"))
    factor = max(1, 280 // max(small.size))
    size = (small.width * factor, small.height * factor)
    small.resize(size, Image.Resampling.NEAREST).save(path)
