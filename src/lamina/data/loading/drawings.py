"""Whether images are drawings of one form, so that other pictures can be made like them.

The digits of MNIST fill a box of 20 pixels and have their centre of mass in the middle. Somebody
else's drawing of a digit is recognised better when it is cropped, scaled and centred like that.
"""

import numpy as np

from lamina.contract import Drawing
from lamina.data.foreground import centre_of_mass
from lamina.data.picture_files import edge_pixels

# Images that are looked at.
_MOST = 500
_FEWEST = 50
# Share of the images that must have a dark, or light, edge; an edge below this value is dark.
_SAME_EDGE = 0.95
_DARK = 0.25
# Brighter than this, on a dark background, is drawn.
_FAINTEST = 0.1
# Spread of the size and place of drawings, relative to the size of the image.
_SAME_SIZE, _SAME_PLACE = 0.05, 0.05
# Strokes leave most of their bounding box empty.
_FILLED = 0.5


def drawing_of(images: np.ndarray) -> Drawing | None:
    """The form of the drawings in images; None if they are not drawings of one form.

    Args:
        images: uint8, `(samples, height, width, channels)`.

    Example:
        >>> images = np.zeros((60, 16, 16, 1), "uint8")
        >>> images[:, 3:13, 7:9] = 255
        >>> drawing_of(images).longest
        10
    """
    if images.shape[-1] != 1 or len(images) < _FEWEST or min(images.shape[1:3]) < 8:
        return None
    grey = images[:: -(-len(images) // _MOST), ..., 0].astype("float32") / 255
    is_dark = bool(np.mean([has_dark_edge(1 - image) for image in grey]) >= _SAME_EDGE)
    if not is_dark and np.mean([has_dark_edge(image) for image in grey]) < _SAME_EDGE:
        return None
    ink = 1 - grey if is_dark else grey
    ink = ink[[bool((image > _FAINTEST).any()) for image in ink]]
    if len(ink) < _FEWEST // 2:
        return None
    size = np.array(ink.shape[1:])
    boxes = np.array([_box(image) for image in ink])
    sides = boxes[:, 1] - boxes[:, 0]
    longest = sides.max(axis=1)
    if np.percentile(longest, 90) - np.percentile(longest, 10) > 2 * _SAME_SIZE * size.max():
        return None
    middles = {
        "mass": np.array([centre_of_mass(image) for image in ink]),
        "box": boxes.mean(axis=1),
    }
    spreads = {name: float(points.std(axis=0).max()) for name, points in middles.items()}
    centred_by = min(spreads, key=lambda name: spreads[name])
    if spreads[centred_by] > _SAME_PLACE * size.max():
        return None
    drawn = (ink > _FAINTEST).sum(axis=(1, 2))
    return Drawing(
        longest=int(np.median(longest)),
        centred_by=centred_by,
        strokes=bool(np.median(drawn / sides.prod(axis=1)) < _FILLED),
        is_dark=is_dark,
        fullest=round(float(np.percentile(drawn / longest**2, 99)), 3),
    )


def has_dark_edge(image: np.ndarray) -> bool:
    """Whether most of the outermost pixels are dark.

    Args:
        image: Values from 0 to 1, `(height, width)`.
    """
    return float(np.median(edge_pixels(image))) < _DARK


def drawn_share(image: np.ndarray) -> float:
    """Pixels that are drawn, relative to a square as long as the drawing.

    Args:
        image: Values from 0 to 1, light on dark, `(height, width)`.
    """
    first, last = _box(image)
    return float((image > _FAINTEST).sum() / (last - first).max() ** 2)


def _box(image: np.ndarray) -> np.ndarray:
    """First and last row and column of what is drawn, `(2, 2)`; the last is exclusive."""
    drawn_pixels = np.argwhere(image > _FAINTEST)
    box: np.ndarray = np.stack([drawn_pixels.min(axis=0), drawn_pixels.max(axis=0) + 1])
    return box
