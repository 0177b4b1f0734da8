"""Picture files as one array: read by threads, all of one size, grey or in colours."""

import math
import statistics
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lamina.contract import ImageInput
from lamina.core.user_data.paths import refuse_special_file
from lamina.data.loading.description import LeftOut
from lamina.data.loading.picture_store import PictureStore
from lamina.data.parallel import AUTOTUNE, mapped, number_of_workers
from lamina.data.picture_files import Picture, edge_pixels, read_picture

# Sides that pictures of several sizes are brought to: the one next to their median size.
_SIDES = (28, 32, 48, 64, 96, 128, 160, 192, 224)
# Pictures of one size keep it up to this many pixels a side.
_LARGEST_KEPT = 256
# Files are averaged down to so many times the wanted side while they are read.
READ_AT_MOST = 4


class Pictures(NamedTuple):
    """Pictures of one size.

    Args:
        pixels: uint8, `(pictures, height, width, channels)`; one channel if all are grey.
        used: The place of each among the paths that were given.
        left_out: Files that could not be read, and why.
        remarks: What was done to them all, for the user.
    """

    pixels: np.ndarray
    used: list[int]
    left_out: list[LeftOut]
    remarks: list[str]


def read_pictures(
    paths: Sequence[Path],
    names: Sequence[str],
    size: tuple[int, int] | None = None,
    max_memory: int | None = None,
) -> Pictures:
    """Read picture files and bring them to one size.

    Photographs are turned as their EXIF says. Transparent pictures are laid on a ground, palettes,
    CMYK and 16 bits become 8 bits of grey or RGB, and of an animation the first picture is taken.
    What is not of the wanted shape is fitted into it and filled up with the colour of its edges.

    Args:
        paths: The files.
        names: What each is called in messages.
        size: `(height, width)`; chosen from the files if None.
        max_memory: Bytes that the pictures may take in memory; see `picture_store.py`.

    Raises:
        OSError: If they do not fit into memory, and not on the disk either.
    """
    headers: list[tuple[int, int] | LeftOut] = [
        _size_of(path, name) for path, name in zip(paths, names, strict=True)
    ]
    readable = [i for i, header in enumerate(headers) if not isinstance(header, LeftOut)]
    left_out = [header for header in headers if isinstance(header, LeftOut)]
    sizes = [header for header in headers if not isinstance(header, LeftOut)]
    height, width = size or chosen_size(sizes)

    def read(number: int) -> Any:
        return _read(paths[number], names[number], (height, width))

    used: list[int] = []
    store = PictureStore((height, width), len(readable), max_memory)
    workers = number_of_workers(AUTOTUNE)
    for number, result in zip(readable, mapped(read, readable, workers), strict=True):
        if isinstance(result, LeftOut):
            left_out.append(result)
            continue
        used.append(number)
        store.append(*result)
    pixels = store.finished()
    remarks = []
    if len(set(sizes)) > 1:
        remarks.append(
            f"Pictures have {len(set(sizes)):,} sizes and were brought to {height}×{width}."
        )
    elif sizes and sizes[0] != (height, width):
        old = f"{sizes[0][0]}×{sizes[0][1]}"
        remarks.append(f"Pictures of {old} were brought to {height}×{width}.")
    if isinstance(pixels, np.memmap):
        remarks.append(
            f"Pictures take {pixels.nbytes / 2**30:,.3g} GiB, so they are kept in a file and read "
            "from there; it is removed when they are no longer used."
        )
    return Pictures(pixels, used, left_out, remarks)


def chosen_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """`(height, width)` for pictures of these sizes.

    Pictures of one moderate size keep it. Others become squares with a side near the median.

    Example:
        >>> chosen_size([(28, 28), (28, 28)]), chosen_size([(480, 640), (600, 800)])
        ((28, 28), (224, 224))
    """
    if not sizes:
        return _SIDES[0], _SIDES[0]
    if len(set(sizes)) == 1 and max(sizes[0]) <= _LARGEST_KEPT:
        return sizes[0]
    side = statistics.median(math.sqrt(height * width) for height, width in sizes)
    nearest = min(_SIDES, key=lambda s: abs(math.log(s / side)))
    return nearest, nearest


def _size_of(path: Path, name: str) -> tuple[int, int] | LeftOut:
    """`(height, width)` by the head of a file alone, or why it is not a picture."""
    from PIL import Image

    try:
        refuse_special_file(path)
        if not path.stat().st_size:
            return LeftOut(name, "is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                width, height = file.size
                turned = file.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except Exception as error:  # Pillow raises whatever it stumbles over in a damaged file
        return LeftOut(name, _reason(error))
    return (width, height) if turned else (height, width)


def _read(path: Path, name: str, size: tuple[int, int]) -> tuple[np.ndarray, bool] | LeftOut:
    """The pixels, `(height, width, 3)`, and whether they are grey; or why there are none."""
    from PIL import Image

    height, width = size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = read_picture(path, READ_AT_MOST * max(height, width))
    except (OSError, ValueError) as error:
        return LeftOut(name, _reason(error))
    return fitted(picture.pixels, size), picture.is_grey


def picture_as_input(picture: Picture, form: ImageInput) -> np.ndarray:
    """A picture as a model takes it, made as `read_pictures` has made those of training.

    Args:
        picture: A `Picture`.
        form: Size and channels.

    Returns:
        uint8, `(height, width, channels)`.
    """
    pixels = picture.grey if form.channels == 1 else picture.pixels
    fit = fitted(pixels, (form.height, form.width))
    return fit.reshape(form.height, form.width, form.channels)


def fitted(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture in another size, its shape kept; filled up with the colour of its edges.

    Args:
        pixels: Values from 0 to 1, `(height, width, 3)`, or `(height, width)` in grey.
        size: `(height, width)`.

    Returns:
        uint8, `(height, width, 3)` or `(height, width)`.
    """
    from PIL import Image, ImageOps

    values = np.round(255 * np.clip(pixels, 0, 1)).astype("uint8")
    if values.shape[:2] == tuple(size):
        return values
    edge = np.median(edge_pixels(values), axis=0).astype(int).tolist()
    image = ImageOps.pad(
        Image.fromarray(values),
        (size[1], size[0]),
        Image.Resampling.LANCZOS,
        color=tuple(edge) if isinstance(edge, list) else edge,
    )
    return np.asarray(image)


def _reason(error: Exception) -> str:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, Image.DecompressionBombError):
        return "has too many pixels to be opened"
    if isinstance(error, UnidentifiedImageError) or "is not an image" in str(error):
        return "is not a picture, whatever its name says"
    if isinstance(error, PermissionError) or "may not be read" in str(error):
        return "may not be read: permission denied"
    if "too large a picture" in str(error):
        return "has too many pixels to be opened"
    if "is a device" in str(error) or "is a pipe" in str(error) or "is a socket" in str(error):
        return "is not a file"
    return "is damaged or incomplete"
