"""Separates the foreground of a picture, such as strokes, from its background."""

from dataclasses import dataclass

import numpy as np

from lamina.data.picture_files import Picture, edge_of

# Differences from the ground that are too faint to be meant: of the whole range, and of the noise.
_FAINTEST, _NOISE = 0.06, 5.0
# Parts smaller than this share of the largest are specks.
_SPECK = 0.03
# Below this share of the full strength it is ground.
_FLOOR = 0.05


@dataclass(frozen=True)
class Ink:
    """The foreground of a picture.

    Args:
        strength: From 0 for the background to 1 for the strokes; `(height, width)`.
        is_dark: Whether it is darker than the background.
    """

    strength: np.ndarray
    is_dark: bool

    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the bounding box."""
        is_ink = self.strength > 0.25
        rows, columns = np.flatnonzero(is_ink.any(axis=1)), np.flatnonzero(is_ink.any(axis=0))
        return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def find_ink(picture: Picture) -> Ink | None:
    """The strokes in a picture, of any colour and in any light; None if it is blank.

    The background is modelled as a smooth surface: first a plane fitted to the colours along the
    edges, then a quadratic surface fitted to the pixels near that plane. The foreground is what
    differs from it in any colour.
    """
    ground = _ground(picture.pixels)
    difference = picture.pixels - ground
    distance = np.sqrt((difference**2).mean(axis=2))
    noise = _noise(distance)
    mark = _two_groups(distance)
    drawn = distance > mark
    if not drawn.any():
        return None
    full = float(np.percentile(distance[drawn], 80))
    if full < max(_FAINTEST, _NOISE * noise):
        return None
    drawn = _without_specks(drawn)
    floor = max(3 * noise, _FLOOR * full)
    strength = np.clip((distance - floor) / max(full - floor, 1e-6), 0, 1) * _grown(drawn)
    light = np.array([0.299, 0.587, 0.114])
    return Ink(strength, float((difference[drawn] @ light).mean()) < 0)


def find_shades(picture: Picture) -> Ink | None:
    """An object with shades on an even background, as light on dark; None if blank."""
    grey = picture.grey
    is_dark = bool(np.median(edge_of(grey)) > 0.5)
    values = 1 - grey if is_dark else grey
    ground = float(np.median(edge_of(values)))
    strength = np.clip((values - ground) / max(1 - ground, 1e-6), 0, 1)
    drawn = strength > 0.06
    if not drawn.any():
        return None
    return Ink(strength * _grown(_without_specks(drawn)), is_dark)


def as_chosen(picture: Picture, is_dark: bool) -> Ink | None:
    """The dark or the light pixels, if the user has said which of them are the foreground."""
    values = 1 - picture.grey if is_dark else picture.grey
    values = values - values.min()
    return Ink(values / values.max(), is_dark) if values.max() > _FAINTEST else None


def _ground(pixels: np.ndarray) -> np.ndarray:
    """The colours of the background at every pixel, `(height, width, 3)`."""
    height, width, _ = pixels.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    plane = np.stack([np.ones_like(x), x, y], axis=2)
    surface = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=2)
    edge = _robust_fit(edge_of(plane), edge_of(pixels))
    few = slice(None, None, max(1, max(height, width) // 100))  # are enough for six numbers
    near = _near(pixels[few, few] - plane[few, few] @ edge)
    if near.mean() < 0.3:  # little ground is seen: a curved surface would follow the ink
        return plane @ edge
    bent = _robust_fit(surface[few, few][near], pixels[few, few][near])
    return surface @ bent


def _near(difference: np.ndarray) -> np.ndarray:
    distance = np.sqrt((difference**2).mean(axis=-1))
    return distance < max(0.04, 3 * _noise(distance))


def _noise(distance: np.ndarray) -> float:
    """The noise of the background, if up to three quarters of the pixels are foreground.

    Twice the lower quartile is about the median of the background alone.
    """
    return 2 * float(np.percentile(distance, 25))


def _robust_fit(at: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Coefficients that fit most points; those far off, ink mostly, lose their weight."""
    weight = np.ones(len(at))
    # The median first: where ink covers an edge, least squares would begin between the two.
    off = np.abs(colours - np.median(colours, axis=0)).mean(axis=1)
    for _ in range(8):
        weight = 1 / (1 + (off / max(2 * float(np.median(off)), 0.01)) ** 2)
        weighted = at.T * weight
        coefficients = np.linalg.lstsq(weighted @ at, weighted @ colours, rcond=None)[0]
        off = np.abs(colours - at @ coefficients).mean(axis=1)
    return coefficients


def _two_groups(values: np.ndarray) -> float:
    """The threshold between two groups with the least variance within them (Otsu, 1979)."""
    counts, edges = np.histogram(values, bins=256)
    middles = (edges[1:] + edges[:-1]) / 2
    below = counts.cumsum()
    above = counts.sum() - below
    with np.errstate(invalid="ignore", divide="ignore"):
        low = (counts * middles).cumsum() / below
        high = ((counts * middles).sum() - (counts * middles).cumsum()) / above
        between = np.nan_to_num(below * above * (high - low) ** 2)
    return float(edges[1:][between.argmax()])


def _without_specks(drawn: np.ndarray) -> np.ndarray:
    """The connected parts that belong to the drawing, without specks and shadows at the edges."""
    from scipy import ndimage  # type: ignore[import-untyped]

    labels, count = ndimage.label(drawn, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    at_edge = np.zeros(count + 1, dtype=bool)
    at_edge[edge_of(labels)] = True
    inside = np.where(at_edge, 0, sizes)
    # If the drawing itself touches the edge, no part inside has its size.
    if inside.max() > 0.1 * sizes.max():
        sizes = inside
    return (sizes >= max(2, _SPECK * sizes.max()))[labels] & drawn if sizes.max() > 1 else drawn


def _grown(drawn: np.ndarray) -> np.ndarray:
    """Dilated by the soft edges of the strokes, which are wide in enlarged pictures."""
    from scipy import ndimage

    return ndimage.binary_dilation(drawn, iterations=max(2, max(drawn.shape) // 20))
