"""Pictures and arrays: `load_img`, `img_to_array`, `array_to_img`, `save_img`, `smart_resize`."""

import io
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from lamina.core.configuration import config
from lamina.core.messages.errors import LaminaWarning, stacklevel_of_user
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import DTypeLike, PathLike
from lamina.core.user_data.paths import refuse_special_file
from lamina.utils import resizing

_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_FILTERS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


@filter_traceback
def load_img(
    path: str | PathLike | Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """Opens a picture, and converts its colours and its size.

    Args:
        path: A file's path, or an `io.BytesIO` with its contents.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        target_size: `(height, width)` in pixels; the picture's own for None.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos"`, `"box"` or `"hamming"`.
        keep_aspect_ratio: Whether to crop the picture to the proportions of `target_size` first,
            so that it is not distorted.

    Returns:
        A Pillow image; `img_to_array` makes an array of it.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is not a picture or is damaged, or an argument has an unknown value.

    Example:
        >>> picture = load_img(io.BytesIO(_DOT), color_mode="grayscale", target_size=(2, 3))
        >>> picture.size, img_to_array(picture).shape
        ((3, 2), (2, 3, 1))
    """
    from PIL import Image

    if color_mode not in _MODES:
        raise ValueError(
            f"color_mode must be 'rgb', 'rgba' or 'grayscale'; received {color_mode!r}."
        )
    if interpolation not in _FILTERS:
        raise ValueError(
            f"interpolation must be one of {', '.join(_FILTERS)}; received {interpolation!r}."
        )
    size = None if target_size is None else check_size(target_size)
    image = open_picture(path)
    # Grey images of 16 and 32 bits are not converted, as in Keras.
    if image.mode != _MODES[color_mode] and not (
        color_mode == "grayscale" and image.mode in ("I;16", "I")
    ):
        image = image.convert(_MODES[color_mode])
    if size is None or image.size == size[::-1]:
        return image
    height, width = size
    box = None
    if keep_aspect_ratio:
        rows, columns = resizing.crop_box(image.height, image.width, (height, width))
        box = (columns.start, rows.start, columns.stop, rows.stop)
    return image.resize((width, height), Image.Resampling[interpolation.upper()], box=box)


def open_picture(path: str | PathLike | Any) -> Any:
    """A decoded picture; the first frame if it is animated."""
    from PIL import Image, UnidentifiedImageError

    if not isinstance(path, (str, bytes, os.PathLike, io.BytesIO)):
        raise TypeError(
            f"path must be the path of a file or an io.BytesIO; received {type(path).__name__}."
        )
    name = "the bytes" if isinstance(path, io.BytesIO) else os.fsdecode(path)
    if not isinstance(path, io.BytesIO):
        refuse_special_file(name)
    try:
        # Read the whole file first, because Pillow would leave the file of a broken picture open.
        contents = path if isinstance(path, io.BytesIO) else io.BytesIO(Path(name).read_bytes())
        image = Image.open(contents)
        image.load()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"There is no picture {name!r}; Python works in {os.getcwd()}."
        ) from None
    except UnidentifiedImageError:
        raise ValueError(
            f"{name} is not a picture that Pillow can read.\n"
            "  Likely cause: another kind of file under a picture's name.\n"
            "  Fix: remove it, or save it again as PNG or JPEG."
        ) from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"The picture {name} cannot be read: {error}.\n"
            "  Likely cause: an interrupted download or copy.\n  Fix: fetch it again, or "
            "remove it."
        ) from None
    return image


@filter_traceback
def img_to_array(
    img: Any, data_format: str | None = None, dtype: DTypeLike | None = None
) -> np.ndarray:
    """A Pillow image as an array of its pixels' values, not rescaled.

    Args:
        img: The picture.
        data_format: `"channels_last"` or `"channels_first"`; the default of the process for None.
        dtype: `floatx()` for None.

    Returns:
        `(height, width, channels)` or `(channels, height, width)`.
    """
    data_format = config.standardize_data_format(data_format)
    array = np.asarray(img, dtype=dtype or config.floatx())
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3:
        raise ValueError(f"img_to_array needs one picture; received shape {array.shape}.")
    return array.transpose(2, 0, 1) if data_format == "channels_first" else array


@filter_traceback
def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: DTypeLike | None = None
) -> Any:
    """An array as a Pillow image.

    Args:
        x: `(height, width, channels)` or `(channels, height, width)` with 1, 3 or 4 channels.
        data_format: Which of the two; the default of the process for None.
        scale: Whether to scale the values so that the smallest is 0 and the largest 255.
        dtype: Dtype of the computation; `floatx()` for None.

    Returns:
        A Pillow image.

    Example:
        >>> array_to_img(np.zeros((2, 3, 1))).size
        (3, 2)
    """
    from PIL import Image

    data_format = config.standardize_data_format(data_format)
    x = np.array(x, dtype=dtype or config.floatx())
    if x.ndim != 3:
        raise ValueError(
            f"array_to_img needs one picture of 3 axes; received shape {x.shape}.\n"
            "  Fix: x[0] takes the first picture of a batch, x[..., None] adds a channel axis."
        )
    if data_format == "channels_first":
        x = x.transpose(1, 2, 0)
    if x.shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"array_to_img needs 1, 3 or 4 channels; received {x.shape[-1]} ({data_format})."
        )
    if scale:
        x = x - x.min()
        x = x / (x.max() or 1) * 255
    if x.shape[-1] > 1:
        return Image.fromarray(x.astype("uint8"))
    # Grey beyond 8 bits keeps its values, in 32-bit integers.
    return Image.fromarray(x[..., 0].astype("int32" if x.max(initial=0) > 255 else "uint8"))


@filter_traceback
def save_img(
    path: str | PathLike | Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Saves an array as a picture.

    Args:
        path: Where to, or an open file.
        x: See `array_to_img`.
        data_format: See `array_to_img`.
        file_format: Such as `"png"`; taken from the suffix of the name for None.
        scale: See `array_to_img`.
        **kwargs: For Pillow's `Image.save`, such as `quality=90`.
    """
    if file_format is None and isinstance(path, (str, os.PathLike)):
        file_format = Path(path).suffix[1:]
        if not file_format:
            raise ValueError(
                f"The name {os.fspath(path)!r} has no suffix, so the file format is unknown.\n"
                "  Fix: end it in .png, or give file_format='png'."
            )
    file_format = "jpeg" if str(file_format).lower() == "jpg" else file_format
    image = array_to_img(x, data_format=data_format, scale=scale)
    if image.mode == "RGBA" and str(file_format).lower() == "jpeg":
        warnings.warn(
            "JPEG keeps no transparency; the picture is saved without it.\n  To keep it: .png.",
            LaminaWarning,
            stacklevel=stacklevel_of_user(),
        )
        image = image.convert("RGB")
    image.save(path, format=file_format, **kwargs)


@filter_traceback
def smart_resize(
    x: Any,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    data_format: str = "channels_last",
    **kwargs: Any,
) -> Any:
    """Resizes without distortion: crops to the new proportions, then resizes.

    Args:
        x: `(height, width, channels)` or a batch `(batch, height, width, channels)`; channels
            before height for `"channels_first"`. NumPy in, NumPy out; else a JAX array.
        size: `(height, width)` in pixels.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`; for
            NumPy arrays also `"area"`, `"gaussian"` and `"mitchellcubic"`.
        data_format: Where the channels are.
        **kwargs: Only Keras's `backend_module`, which is ignored.

    Returns:
        Picture or batch of that size; a NumPy array if `x` is one, else a JAX array.

    Example:
        >>> smart_resize(np.zeros((340, 500, 3)), (200, 200)).shape
        (200, 200, 3)
    """
    kwargs.pop("backend_module", None)
    if kwargs:
        raise TypeError(f"smart_resize has no argument {next(iter(kwargs))!r}.")
    size = check_size(size)
    interpolation = resizing.check_interpolation(interpolation)
    x = np.asarray(x) if isinstance(x, (list, tuple)) else x
    if np.ndim(x) not in (3, 4):
        raise ValueError(
            "smart_resize needs a picture (height, width, channels) or a batch of them; received "
            f"shape {tuple(np.shape(x))}."
        )
    channels_first = config.standardize_data_format(data_format) == "channels_first"
    image = x.swapaxes(-3, -2).swapaxes(-2, -1) if channels_first else x
    rows, columns = resizing.crop_box(image.shape[-3], image.shape[-2], size)
    image = image[..., rows, columns, :]
    if isinstance(x, np.ndarray):
        image = resizing.resize(image, size, interpolation)
    else:
        image = _resize_with_jax(image, size, interpolation)
    return image.swapaxes(-1, -2).swapaxes(-2, -3) if channels_first else image


def check_size(size: Any) -> tuple[int, int]:
    """A height and a width in pixels, given as a pair or as one number for both.

    Example:
        >>> check_size(64), check_size([48, 64])
        ((64, 64), (48, 64))
    """
    pair = (size, size) if isinstance(size, (int, np.integer)) else size
    if isinstance(pair, (tuple, list)) and len(pair) == 2:
        if all(isinstance(length, (int, np.integer)) and length > 0 for length in pair):
            return int(pair[0]), int(pair[1])
    raise ValueError(f"A size is (height, width) in pixels, such as (64, 64); received {size!r}.")


def _resize_with_jax(image: Any, size: tuple[int, int], interpolation: str) -> Any:
    import jax

    shape = (*image.shape[:-3], *size, image.shape[-1])
    return jax.image.resize(image, shape, interpolation, antialias=False)


# A picture of one grey pixel, for the example above.
_DOT = b"P5 1 1 255 \x80"
