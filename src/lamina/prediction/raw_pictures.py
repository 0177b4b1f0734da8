"""Converts pictures to inputs of a model: files, bytes, Pillow images, arrays."""

import io
import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from lamina.contract import Contract, ImageInput
from lamina.core.user_data.columnar import as_array
from lamina.data.image_dataset import fit_to_size
from lamina.data.loading.files import PICTURES
from lamina.data.loading.image_files import MAX_READ_RATIO
from lamina.data.loading.picture_store import allocate_rows
from lamina.data.picture_files import Picture, picture_of, read_picture
from lamina.prediction.own_pictures import match_training
from lamina.prediction.raw_sources import (
    RawInputs,
    describe_value,
    expand_folders,
    name_of,
    reason,
    unsupported_input_error,
)
from lamina.utils.image import load_img

# Side of the reduced pictures in which drawings are found, in pixels.
_MAX_SIDE = 512


def convert_pictures(contract: Contract, sources: Sequence[Any]) -> RawInputs:
    """Convert pictures to the size and channels that a model takes, uint8.

    Raises:
        TypeError: If a source is not a picture.
    """
    form = contract.image
    if form is None:
        raise ValueError("The model's file does not say what size of pictures it takes.")
    result = RawInputs(None, [])
    expanded = list(expand_folders(sources, PICTURES, result))
    if form.resized != "edges":
        return _as_image_dataset(contract, form, expanded, result)
    rows = allocate_rows(len(expanded), (form.height, form.width, form.channels))
    inverted: list[str] = []
    centred: list[str] = []
    for number, source in enumerate(expanded):
        name = name_of(source, f"picture {number + 1}")
        source = _read_if_file(source)
        try:
            picture = _to_picture(contract, source, MAX_READ_RATIO * max(form.height, form.width))
        except (ValueError, OSError) as error:
            result.fail(name, reason(error, name))
            continue
        matched = match_training(
            picture, contract, partial(_to_picture, contract, source, _MAX_SIDE)
        )
        rows.append(matched.pixels)
        result.names.append(name)
        inverted += [name] if matched.is_inverted else []
        centred += [name] if matched.is_centred else []
        if picture.is_blank:
            result.remarks.append(f"{name} is of one colour all over: no answer to it means much.")
    if inverted:
        result.remarks.append(
            f"Light and dark were swapped, as in training: {_list_some(inverted)}."
        )
    if centred:
        result.remarks.append(
            f"Drawings were cropped, scaled and centred as in training: {_list_some(centred)}."
        )
    result.x = rows.finish() if result.names else None
    return result


def _list_some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _as_image_dataset(
    contract: Contract, form: ImageInput, expanded: Sequence[Any], result: RawInputs
) -> RawInputs:
    """Convert pictures as `image_dataset_from_directory` did in training: float32, 0 to 255."""
    rows = []
    for number, source in enumerate(expanded):
        name = name_of(source, f"picture {number + 1}")
        try:
            pixels = _pixels(contract, source, form)
        except (ValueError, OSError) as error:
            result.fail(name, reason(error, name))
            continue
        size = (form.height, form.width)
        rows.append(fit_to_size(pixels, size, form.resized, form.interpolation))
        result.names.append(name)
    result.x = np.stack(rows) if rows else None
    return result


def _pixels(contract: Contract, source: Any, form: ImageInput) -> np.ndarray:
    """The pixels of a picture in its original size."""
    source = _read_if_file(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        source = io.BytesIO(bytes(source))
    if isinstance(source, (str, os.PathLike, io.BytesIO)):
        return np.asarray(load_img(source, "grayscale" if form.channels == 1 else "rgb"))
    if hasattr(source, "convert") and hasattr(source, "getexif"):
        return np.asarray(source.convert("L" if form.channels == 1 else "RGB"))
    picture = _to_picture(contract, source, 0)
    return 255 * (picture.grey if form.channels == 1 else picture.pixels)


def _read_if_file(source: Any) -> Any:
    """The bytes of an open file; anything else unchanged."""
    is_open_file = hasattr(source, "read") and not isinstance(source, (str, os.PathLike))
    return source.read() if is_open_file else source


def _to_picture(contract: Contract, source: Any, largest: int) -> Picture:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _picture_of_bytes(bytes(source), largest)
    if isinstance(source, (str, os.PathLike)):
        if "\0" in str(source) or len(os.fspath(source)) > 4096:
            raise ValueError("is not a path: it is too long, or has a zero in it")
        return read_picture(source, largest)
    if hasattr(source, "convert") and hasattr(source, "getexif"):
        return picture_of(source, largest)
    array = _array_of(source)
    if array is None:
        raise unsupported_input_error(contract, describe_value(source))
    return _picture_of_array(array)


def _picture_of_bytes(content: bytes, largest: int) -> Picture:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            return picture_of(image, largest)
    except UnidentifiedImageError:
        raise ValueError("these bytes are not a picture that Pillow can read") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"these bytes are not a picture: {error}") from None


def _array_of(source: Any) -> np.ndarray | None:
    """An array of NumPy, JAX or PyTorch as a NumPy array; None if it is not such an array."""
    if hasattr(source, "columns") or not hasattr(source, "shape"):
        return None
    array = as_array(source)
    return array if array.dtype.kind in "biuf" and array.ndim > 0 else None


def _picture_of_array(array: np.ndarray) -> Picture:
    """Pixels from 0 to 255, or from 0 to 1 if they are floats."""
    shape = array.shape
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in (1, 3):
        raise ValueError(
            f"an array of shape {shape} is not a picture: give (height, width) or "
            "(height, width, 3)"
        )
    if 0 in array.shape or not np.isfinite(array).all():
        raise ValueError(f"an array of shape {shape} has no pixels, or NaN among them")
    pixels = array.astype("float32")
    low, high = float(pixels.min()), float(pixels.max())
    largest = 65535 if array.dtype == np.uint16 else 255
    if low < 0 or high > largest:
        raise ValueError(
            f"an array with values from {low:g} to {high:g} is not a picture: give 0 to 255, or "
            "floats from 0 to 1"
        )
    if array.dtype.kind in "iu" or high > 1:
        pixels = pixels / largest
    grey = array.shape[-1] == 1
    return Picture(np.repeat(pixels, 3, axis=2) if grey else pixels, grey)
