"""Separates the foreground of a picture, such as strokes, from its background."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.data.picture_files import Picture, edge_pixels

# Smaller differences from the background are not foreground: as a fraction of the range of values,
# and as a multiple of the noise.
_MIN_DIFFERENCE, _MIN_NOISE_RATIO = 0.06, 5.0
# Parts with fewer pixels than this fraction of the largest are specks.
_MIN_PART_SIZE = 0.03
# Below this fraction of the full strength, a pixel is background.
_MIN_STRENGTH = 0.05


@dataclass(frozen=True)
class Foreground:
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


def find_strokes(picture: Picture) -> Foreground | None:
    """The strokes in a picture, of any colour and in any light; None if it is blank.

    The background is modelled as a smooth surface: first a plane fitted to the colours along the
    edges, then a quadratic surface fitted to the pixels near that plane. The foreground is what
    differs from it in any colour.
    """
    background = _fit_background(picture.pixels)
    difference = picture.pixels - background
    distance = np.sqrt((difference**2).mean(axis=2))
    noise = _noise(distance)
    threshold = _otsu_threshold(distance)
    is_foreground = distance > threshold
    if not is_foreground.any():
        return None
    full_strength = float(np.percentile(distance[is_foreground], 80))
    if full_strength < max(_MIN_DIFFERENCE, _MIN_NOISE_RATIO * noise):
        return None
    is_foreground = _remove_specks(is_foreground)
    floor = max(3 * noise, _MIN_STRENGTH * full_strength)
    strength = np.clip((distance - floor) / max(full_strength - floor, 1e-6), 0, 1) * _dilate(
        is_foreground
    )
    light = np.array([0.299, 0.587, 0.114])
    return Foreground(strength, float((difference[is_foreground] @ light).mean()) < 0)


def find_shaded_object(picture: Picture) -> Foreground | None:
    """An object with shades on an even background, as light on dark; None if blank."""
    grey = picture.grey
    is_dark = bool(np.median(edge_pixels(grey)) > 0.5)
    values = 1 - grey if is_dark else grey
    background = float(np.median(edge_pixels(values)))
    strength = np.clip((values - background) / max(1 - background, 1e-6), 0, 1)
    is_foreground = strength > 0.06
    if not is_foreground.any():
        return None
    return Foreground(strength * _dilate(_remove_specks(is_foreground)), is_dark)


def separate_by_brightness(picture: Picture, is_dark: bool) -> Foreground | None:
    """The dark or the light pixels as the foreground, if the user has said which it is."""
    values = 1 - picture.grey if is_dark else picture.grey
    values = values - values.min()
    return Foreground(values / values.max(), is_dark) if values.max() > _MIN_DIFFERENCE else None


def _fit_background(pixels: np.ndarray) -> np.ndarray:
    """The colours of the background at every pixel, `(height, width, 3)`."""
    height, width, _ = pixels.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    plane = np.stack([np.ones_like(x), x, y], axis=2)
    surface = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=2)
    plane_fit = _robust_fit(edge_pixels(plane), edge_pixels(pixels))
    # A hundredth of the pixels is enough to fit six coefficients.
    every_few = slice(None, None, max(1, max(height, width) // 100))
    is_near = _is_near(pixels[every_few, every_few] - plane[every_few, every_few] @ plane_fit)
    if is_near.mean() < 0.3:  # with so little background, a curved surface would follow the ink
        return plane @ plane_fit
    surface_fit = _robust_fit(
        surface[every_few, every_few][is_near], pixels[every_few, every_few][is_near]
    )
    return surface @ surface_fit


def _is_near(difference: np.ndarray) -> np.ndarray:
    distance = np.sqrt((difference**2).mean(axis=-1))
    return distance < max(0.04, 3 * _noise(distance))


def _noise(distance: np.ndarray) -> float:
    """The noise of the background, if up to three quarters of the pixels are foreground.

    Twice the lower quartile is about the median of the background alone.
    """
    return 2 * float(np.percentile(distance, 25))


def _robust_fit(points: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Coefficients that fit most points; points far off, mostly ink, get a low weight."""
    weight = np.ones(len(points))
    # The median first: if ink covers an edge, least squares would begin between ink and background.
    residual = np.abs(colours - np.median(colours, axis=0)).mean(axis=1)
    for _ in range(8):
        weight = 1 / (1 + (residual / max(2 * float(np.median(residual)), 0.01)) ** 2)
        weighted = points.T * weight
        coefficients = np.linalg.lstsq(weighted @ points, weighted @ colours, rcond=None)[0]
        residual = np.abs(colours - points @ coefficients).mean(axis=1)
    return coefficients


def _otsu_threshold(values: np.ndarray) -> float:
    """The threshold that splits values into two groups of least variance (Otsu, 1979)."""
    counts, edges = np.histogram(values, bins=256)
    bin_centres = (edges[1:] + edges[:-1]) / 2
    count_below = counts.cumsum()
    count_above = counts.sum() - count_below
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_below = (counts * bin_centres).cumsum() / count_below
        mean_above = ((counts * bin_centres).sum() - (counts * bin_centres).cumsum()) / count_above
        variance_between = np.nan_to_num(count_below * count_above * (mean_above - mean_below) ** 2)
    return float(edges[1:][variance_between.argmax()])


def _remove_specks(mask: np.ndarray) -> np.ndarray:
    """The connected parts that belong to the drawing, without specks and shadows at the edges."""
    from scipy import ndimage  # type: ignore[import-untyped]

    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    at_edge = np.zeros(count + 1, dtype=bool)
    at_edge[edge_pixels(labels)] = True
    inner_sizes = np.where(at_edge, 0, sizes)
    # If the drawing itself touches the edge, no part inside has its size.
    if inner_sizes.max() > 0.1 * sizes.max():
        sizes = inner_sizes
    return (
        (sizes >= max(2, _MIN_PART_SIZE * sizes.max()))[labels] & mask if sizes.max() > 1 else mask
    )


def _dilate(mask: np.ndarray) -> np.ndarray:
    """The mask dilated, to include the soft edges of strokes, wide in enlarged pictures."""
    from scipy import ndimage

    return ndimage.binary_dilation(mask, iterations=max(2, max(mask.shape) // 20))


def centre_of_mass(image: np.ndarray) -> np.ndarray:
    """Centre of mass in pixels from the upper left corner: row, column."""
    total: Any = image.sum()
    rows, columns = (np.arange(n) + 0.5 for n in image.shape)
    return np.array([image.sum(axis=1) @ rows, image.sum(axis=0) @ columns]) / total
