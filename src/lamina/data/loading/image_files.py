"""Reads picture files in threads into one array of equal sizes, grey or in colour."""

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
from lamina.data.parallel import AUTOTUNE, number_of_workers, parallel_map
from lamina.data.picture_files import Picture, edge_pixels, read_picture

# Pictures of several sizes become squares with one of these sides, the nearest to their median.
_SIDES = (28, 32, 48, 64, 96, 128, 160, 192, 224)
# Pictures of one size keep their size up to this many pixels a side.
_MAX_UNCHANGED_SIDE = 256
# Pictures are first averaged to at most this multiple of their final side, to save memory.
MAX_READ_RATIO = 4


class Pictures(NamedTuple):
    """Pictures of one size.

    Args:
        pixels: uint8, `(pictures, height, width, channels)`; one channel if all are grey.
        indices: The index of each picture among the paths.
        left_out: Files that could not be read, and why.
        remarks: Remarks for the user on how the pictures were changed.
    """

    pixels: np.ndarray
    indices: list[int]
    left_out: list[LeftOut]
    remarks: list[str]


def read_pictures(
    paths: Sequence[Path],
    names: Sequence[str],
    size: tuple[int, int] | None = None,
    max_memory: int | None = None,
) -> Pictures:
    """Read picture files and resize them to one size.

    Photographs are rotated according to their EXIF data. Transparent pictures get an opaque
    background; palettes, CMYK and 16 bits become 8 bits of grey or RGB; of an animation the first
    frame is used. Pictures with another aspect ratio are padded with the colour of their edges.

    Args:
        paths: The files.
        names: The name of each file in messages.
        size: `(height, width)`; chosen from the files if None.
        max_memory: Bytes that the pictures may take in memory; see `picture_store.py`.

    Raises:
        OSError: If the pictures fit neither into memory nor on the disk.
    """
    headers: list[tuple[int, int] | LeftOut] = [
        _read_size(path, name) for path, name in zip(paths, names, strict=True)
    ]
    readable = [i for i, header in enumerate(headers) if not isinstance(header, LeftOut)]
    left_out = [header for header in headers if isinstance(header, LeftOut)]
    sizes = [header for header in headers if not isinstance(header, LeftOut)]
    height, width = size or choose_size(sizes)

    def read(index: int) -> Any:
        return _read(paths[index], names[index], (height, width))

    indices: list[int] = []
    store = PictureStore((height, width), len(readable), max_memory)
    workers = number_of_workers(AUTOTUNE)
    for index, result in zip(readable, parallel_map(read, readable, workers), strict=True):
        if isinstance(result, LeftOut):
            left_out.append(result)
            continue
        indices.append(index)
        store.append(*result)
    pixels = store.finish()
    remarks = []
    if len(set(sizes)) > 1:
        remarks.append(
            f"Pictures have {len(set(sizes)):,} sizes and were resized to {height}×{width}."
        )
    elif sizes and sizes[0] != (height, width):
        old = f"{sizes[0][0]}×{sizes[0][1]}"
        remarks.append(f"Pictures of {old} were resized to {height}×{width}.")
    if isinstance(pixels, np.memmap):
        remarks.append(
            f"Pictures take {pixels.nbytes / 2**30:,.3g} GiB, so they are kept in a file and read "
            "from there; it is removed when they are no longer used."
        )
    return Pictures(pixels, indices, left_out, remarks)


def choose_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Choose `(height, width)` for pictures of these sizes.

    Pictures of one moderate size keep it. Others become squares with a side near the median.

    Example:
        >>> choose_size([(28, 28), (28, 28)]), choose_size([(480, 640), (600, 800)])
        ((28, 28), (224, 224))
    """
    if not sizes:
        return _SIDES[0], _SIDES[0]
    if len(set(sizes)) == 1 and max(sizes[0]) <= _MAX_UNCHANGED_SIDE:
        return sizes[0]
    side = statistics.median(math.sqrt(height * width) for height, width in sizes)
    nearest = min(_SIDES, key=lambda s: abs(math.log(s / side)))
    return nearest, nearest


def _read_size(path: Path, name: str) -> tuple[int, int] | LeftOut:
    """Read `(height, width)` from the header of a file, or find why it is not a picture."""
    from PIL import Image

    try:
        refuse_special_file(path)
        if not path.stat().st_size:
            return LeftOut(name, "is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                width, height = file.size
                is_rotated = file.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except Exception as error:  # for a damaged file, Pillow may raise any error
        return LeftOut(name, _explain_error(error))
    return (width, height) if is_rotated else (height, width)


def _read(path: Path, name: str, size: tuple[int, int]) -> tuple[np.ndarray, bool] | LeftOut:
    """The pixels, `(height, width, 3)`, and whether they are grey; or why they cannot be read."""
    from PIL import Image

    height, width = size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = read_picture(path, MAX_READ_RATIO * max(height, width))
    except (OSError, ValueError) as error:
        return LeftOut(name, _explain_error(error))
    return pad_to_size(picture.pixels, size), picture.is_grey


def picture_as_input(picture: Picture, form: ImageInput) -> np.ndarray:
    """Convert a picture to an input of a model, as `read_pictures` did for training.

    Args:
        picture: A `Picture`.
        form: Size and channels of the input.

    Returns:
        uint8, `(height, width, channels)`.
    """
    pixels = picture.grey if form.channels == 1 else picture.pixels
    padded = pad_to_size(pixels, (form.height, form.width))
    return padded.reshape(form.height, form.width, form.channels)


def pad_to_size(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a picture, keeping its aspect ratio, and pad it with the colour of its edges.

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


def _explain_error(error: Exception) -> str:
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
