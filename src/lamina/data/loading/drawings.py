"""Detects images that are uniformly scaled and centred drawings, such as the digits of MNIST.

The digits of MNIST fill a box of 20 pixels and have their centre of mass in the middle. A new
drawing of a digit is recognised better if it is cropped, scaled and centred in the same way.
"""

import numpy as np

from lamina.contract import Drawing
from lamina.data.foreground import centre_of_mass
from lamina.data.picture_files import edge_pixels

# Numbers of images that are examined.
_MAX_IMAGES, _MIN_IMAGES = 500, 50
# Fraction of the images that must have a dark edge (or a light edge); edges below the second value
# are dark.
_MIN_SAME_EDGE, _DARK = 0.95, 0.25
# Pixels brighter than this, on a dark background, belong to the drawing.
_MIN_INK = 0.1
# Maximum deviation of the size and of the centre of drawings, relative to the size of the image.
_MAX_SIZE_DEVIATION, _MAX_CENTRE_DEVIATION = 0.05, 0.05
# Strokes fill at most this fraction of their bounding box.
_MAX_FILL_OF_STROKES = 0.5


def detect_drawing(images: np.ndarray) -> Drawing | None:
    """The size and centring of the drawings in images; None if they are not such drawings.

    Args:
        images: uint8, `(samples, height, width, channels)`.

    Example:
        >>> images = np.zeros((60, 16, 16, 1), "uint8")
        >>> images[:, 3:13, 7:9] = 255
        >>> detect_drawing(images).longest
        10
    """
    if images.shape[-1] != 1 or len(images) < _MIN_IMAGES or min(images.shape[1:3]) < 8:
        return None
    grey = images[:: -(-len(images) // _MAX_IMAGES), ..., 0].astype("float32") / 255
    is_dark = bool(np.mean([has_dark_edge(1 - image) for image in grey]) >= _MIN_SAME_EDGE)
    if not is_dark and np.mean([has_dark_edge(image) for image in grey]) < _MIN_SAME_EDGE:
        return None
    ink = 1 - grey if is_dark else grey
    ink = ink[[bool((image > _MIN_INK).any()) for image in ink]]
    if len(ink) < _MIN_IMAGES // 2:
        return None
    size = np.array(ink.shape[1:])
    boxes = np.array([_box(image) for image in ink])
    sides = boxes[:, 1] - boxes[:, 0]
    longest = sides.max(axis=1)
    if (
        np.percentile(longest, 90) - np.percentile(longest, 10)
        > 2 * _MAX_SIZE_DEVIATION * size.max()
    ):
        return None
    centres = {
        "mass": np.array([centre_of_mass(image) for image in ink]),
        "box": boxes.mean(axis=1),
    }
    deviations = {name: float(points.std(axis=0).max()) for name, points in centres.items()}
    centred_by = min(deviations, key=lambda name: deviations[name])
    if deviations[centred_by] > _MAX_CENTRE_DEVIATION * size.max():
        return None
    ink_pixels = (ink > _MIN_INK).sum(axis=(1, 2))
    return Drawing(
        longest=int(np.median(longest)),
        centred_by=centred_by,
        strokes=bool(np.median(ink_pixels / sides.prod(axis=1)) < _MAX_FILL_OF_STROKES),
        is_dark=is_dark,
        fullest=round(float(np.percentile(ink_pixels / longest**2, 99)), 3),
    )


def has_dark_edge(image: np.ndarray) -> bool:
    """Whether most of the outermost pixels are dark.

    Args:
        image: Values from 0 to 1, `(height, width)`.
    """
    return float(np.median(edge_pixels(image))) < _DARK


def ink_density(image: np.ndarray) -> float:
    """Number of ink pixels, relative to a square with the longest side of the drawing.

    Args:
        image: Values from 0 to 1, light on dark, `(height, width)`.
    """
    first, last = _box(image)
    return float((image > _MIN_INK).sum() / (last - first).max() ** 2)


def _box(image: np.ndarray) -> np.ndarray:
    """The bounding box of the ink: first row and column, and last ones (exclusive), `(2, 2)`."""
    ink_pixels = np.argwhere(image > _MIN_INK)
    box: np.ndarray = np.stack([ink_pixels.min(axis=0), ink_pixels.max(axis=0) + 1])
    return box
