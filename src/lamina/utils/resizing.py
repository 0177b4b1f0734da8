"""Resizing of images on the host, in NumPy; the results are those of Keras's resizing on JAX.

Pictures in a folder have many sizes. A compiled resize would be compiled for each of them; this
one costs a few milliseconds per picture and runs in the threads that decode.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

INTERPOLATIONS = (
    "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic",
)  # fmt: skip


def check_interpolation(interpolation: str) -> str:
    """The interpolation's name in lower case.

    Raises:
        ValueError: If it is none of `INTERPOLATIONS`.
    """
    name = str(interpolation).lower()
    if name not in INTERPOLATIONS:
        raise ValueError(
            f"interpolation must be one of {', '.join(INTERPOLATIONS)}; received {interpolation!r}."
        )
    return name


def resize(image: np.ndarray, size: tuple[int, int], interpolation: str = "bilinear") -> np.ndarray:
    """An image of another size, without antialiasing.

    Args:
        image: `(..., height, width, channels)`.
        size: The new `(height, width)`, in pixels.
        interpolation: One of `INTERPOLATIONS`.

    Returns:
        float32 array `(..., height, width, channels)` in the range of the input; bicubic and
        Lanczos overshoot a little beside sharp edges.
    """
    result = image
    for axis, length in ((-3, size[0]), (-2, size[1])):
        if result.shape[axis] != length:
            result = _resample_axis(
                result, axis, *_source_weights(result.shape[axis], length, interpolation)
            )
    return result.astype("float32", copy=False)


def crop_box(height: int, width: int, size: tuple[int, int]) -> tuple[slice, slice]:
    """The largest part in the middle of an image that has the proportions of `size`.

    Example:
        >>> crop_box(340, 500, (200, 200))
        (slice(0, 340, None), slice(80, 420, None))
    """
    crop_height = max(1, min(height, width * size[0] // size[1]))
    crop_width = max(1, min(width, height * size[1] // size[0]))
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    return slice(top, top + crop_height), slice(left, left + crop_width)


def pad_to_ratio(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image `(height, width, channels)` with black borders that give it `size`'s proportions."""
    height, width = image.shape[:2]
    top = max(0, width * size[0] // size[1] - height) // 2
    left = max(0, height * size[1] // size[0] - width) // 2
    return np.pad(image, ((top, top), (left, left), (0, 0)))


def _resample_axis(
    image: np.ndarray, axis: int, indices: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Compute every new row or column as a weighted sum of a few old ones."""
    shape = (-1,) + (1,) * (-1 - axis)
    result: np.ndarray | None = None
    for index, weight in zip(indices.T, weights.T, strict=True):
        part = np.take(image, index, axis=axis) * weight.reshape(shape)
        result = part if result is None else np.add(result, part, out=result)
    assert result is not None  # every kernel has at least one weight
    return result


@lru_cache(maxsize=1024)
def _source_weights(old: int, new: int, interpolation: str) -> tuple[np.ndarray, np.ndarray]:
    """Indices and weights of the old rows or columns that each of the `new` ones is a sum of."""
    step = old / new
    if interpolation == "nearest":
        indices = np.floor((np.arange(new) + 0.5) * step).astype(int)[:, None]
        return indices, np.ones((new, 1), "float32")
    if interpolation == "area":
        start = np.arange(new)[:, None] * step
        indices = np.floor(start).astype(int) + np.arange(int(np.ceil(step)) + 1)
        weights = np.minimum(indices + 1, start + step) - np.maximum(indices, start)
        weights = np.maximum(weights, 0)
    else:
        radius, kernel = _KERNELS[interpolation]
        centre = (np.arange(new)[:, None] + 0.5) * step - 0.5
        indices = np.floor(centre).astype(int) + np.arange(1 - radius, 1 + radius)
        weights = kernel(np.abs(centre - indices))
    weights[(indices < 0) | (indices >= old)] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    return np.clip(indices, 0, old - 1), weights.astype("float32")


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 - x)


def _cubic(b: float, c: float) -> Callable[[np.ndarray], np.ndarray]:
    """The family of Mitchell and Netravali, 1988; b = 0, c = 0.5 is the bicubic of Keys."""

    def kernel(x: np.ndarray) -> np.ndarray:
        inner = (12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + 6 - 2 * b
        outer = (-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x + 8 * b
        return np.where(x < 1, inner, np.where(x < 2, outer + 24 * c, 0)) / 6

    return kernel


def _lanczos(radius: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.where(x < radius, np.sinc(x) * np.sinc(x / radius), 0)


def _gaussian(x: np.ndarray) -> np.ndarray:
    return np.where(x < 1.5, np.exp(-2 * x**2), 0)  # standard deviation of half a pixel


# How many pixels a kernel covers on either side, and its weight as a function of the distance.
_KERNELS: dict[str, tuple[int, Callable[[np.ndarray], np.ndarray]]] = {
    "bilinear": (1, _triangle),
    "bicubic": (2, _cubic(0, 0.5)),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
    "gaussian": (2, _gaussian),
    "mitchellcubic": (2, _cubic(1 / 3, 1 / 3)),
}
