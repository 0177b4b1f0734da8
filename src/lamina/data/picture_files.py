"""Reads picture files of any format as colours from 0 to 1."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamina.core.user_data.paths import refuse_special_file

# Usual maxima of files with more than 8 bits per pixel.
_FULL_SCALES = (1, 255, 1023, 4095, 16_383, 65_535)


@dataclass(frozen=True)
class Picture:
    """One picture.

    Args:
        pixels: Values from 0 (dark) to 1 (light), `(height, width, 3)`.
        is_grey: Whether the file has no colours.
        note: A remark on what was unusual about the file and how it was handled; or None.
    """

    pixels: np.ndarray
    is_grey: bool
    note: str | None = None

    @property
    def grey(self) -> np.ndarray:
        """Luminance (ITU-R BT.601), `(height, width)`."""
        return self.pixels @ np.array([0.299, 0.587, 0.114], dtype="float32")

    @property
    def is_uneven(self) -> bool:
        """Whether its brightness varies a lot, as in noise, though there may be no object."""
        return float(self.grey.std()) > 0.06

    @property
    def is_blank(self) -> bool:
        """Whether it has a single colour."""
        return bool(np.ptp(self.pixels, axis=(0, 1)).max() < 1 / 64)


def read_picture(path: str | os.PathLike, largest: int | None = None) -> Picture:
    """Read a picture file.

    Photographs are rotated as their metadata say. A transparent background becomes white, or black
    if the foreground is light. Files with 16 bits are scaled to 0…1.

    Args:
        path: A file in any format that Pillow reads.
        largest: Largest height or width in pixels; larger pictures are reduced. None for no limit.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is not a picture or is damaged; the message has its path.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the pictures in it.")
    refuse_special_file(path)
    try:
        with Image.open(path) as file:
            file.load()
            image = ImageOps.exif_transpose(file) or file
    except UnidentifiedImageError:
        raise ValueError(_not_a_picture_message(path)) from None
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {str(path)!r}.") from None
    except PermissionError:
        raise ValueError(f"{path} may not be read: permission denied.") from None
    except Image.DecompressionBombError:
        raise ValueError(f"{path} claims to be too large a picture to be opened.") from None
    # For a damaged file, Pillow's decoders may raise any error.
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, MemoryError) as error:
        raise ValueError(
            f"{path} is damaged or incomplete, and cannot be read as a picture: {error}.\n"
            "  Likely cause: a download or copy that was broken off. Fix: fetch the file again."
        ) from None
    if 0 in image.size:
        raise ValueError(f"{path} has no pixels.")
    return picture_of(image, largest)


def picture_of(image: Any, largest: int | None = None) -> Picture:
    """The colours of a Pillow image, as `read_picture` gives them for a file."""
    from PIL import Image

    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        values, note = _scale_deep_grey(np.asarray(image, dtype="float64"))
        image = Image.fromarray(values.astype("float32"))
        image = _downscale(image, largest)
        grey = np.clip(np.asarray(image), 0, 1)
        return Picture(np.repeat(grey[..., None], 3, axis=2), True, note)
    is_grey = image.mode in ("1", "L", "LA", "La")
    colours = np.asarray(_downscale(_on_opaque_background(image), largest), dtype="float32") / 255
    return Picture(colours, is_grey or bool((colours == colours[..., :1]).all()))


def _not_a_picture_message(path: Path) -> str:
    if path.suffix in (".keras", ".h5", ".hdf5"):
        return f"{path} is a model, not a picture. The model comes first, then the pictures."
    if path.suffix in (".csv", ".tsv", ".parquet", ".xlsx", ".json", ".txt"):
        return f"{path} is a table or text, not a picture."
    if not path.stat().st_size:
        return f"{path} is empty."
    return f"{path} is not an image, or of a kind that Pillow cannot read."


def _scale_deep_grey(values: np.ndarray) -> tuple[np.ndarray, str]:
    """Grey values of more than 8 bits scaled to 0 to 1, and a note about the scale."""
    values = np.nan_to_num(values, posinf=0, neginf=0)
    low, high = float(values.min()), float(values.max())
    if low < 0:
        values, high = values - low, high - low
    has_only_integers = bool((values == np.round(values)).all())
    scale = next(
        (s for s in _FULL_SCALES if high <= s and not (has_only_integers and s == 1)), high
    )
    return values / scale, (
        f"has grey values up to {high:g}, more than 8 bits; taken as 0…{scale:g}"
    )


def _downscale(image: Any, largest: int | None) -> Any:
    """The image, reduced by averaging until no side is longer than `largest`."""
    from PIL import Image

    if largest is None or max(image.size) <= largest:
        return image
    ratio = largest / max(image.size)
    size = tuple(max(1, round(side * ratio)) for side in image.size)
    return image.resize(size, Image.Resampling.BOX)


def _on_opaque_background(image: Any) -> Any:
    """The image in RGB; if it is transparent, on a background with good contrast."""
    from PIL import Image

    if not (image.has_transparency_data or image.mode in ("RGBA", "LA", "PA")):
        return image.convert("RGB")
    image = image.convert("RGBA")
    pixels = np.asarray(image)
    border = edge_pixels(pixels)
    opaque = border[border[:, 3] > 127]
    if len(opaque) > len(border) / 2:  # a page with a few holes
        colour = np.median(opaque[:, :3], axis=0)
    else:
        visible = pixels[pixels[..., 3] > 127][:, :3]
        colour = np.full(3, 0 if len(visible) and visible.mean() > 127 else 255)
    background = Image.new("RGBA", image.size, (*(int(c) for c in colour), 255))
    return Image.alpha_composite(background, image).convert("RGB")


def edge_pixels(image: np.ndarray) -> np.ndarray:
    """The pixels along the four edges, `(pixels, ...)`."""
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
