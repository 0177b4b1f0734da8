"""Filters over images: blur, edges, and the similarity of two images."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from lamina.core.types import Array, ArrayLike
from lamina.ops.define import operations
from lamina.ops.image.layout import as_batch, round_and_clip
from lamina.ops.sliding_windows import to_integers_per_axis

op = operations("image")

# Up to this width a filter is a sum of shifted images, above it a product with a band matrix.
_MAX_WIDTH_FOR_SHIFTS = 16


@op("images")
def gaussian_blur(
    images: ArrayLike,
    kernel_size: Sequence[int] = (3, 3),
    sigma: Any = (1.0, 1.0),
    data_format: str | None = None,
) -> Array:
    """Blurred images: every pixel is a mixture of those around it, with gaussian-shaped weights.

    Args:
        images: `(height, width, channels)` or `(batch, height, width, channels)`; channels
            before the height for `"channels_first"`. Outside of an image there are zeros.
        kernel_size: Width and height of the filter, in pixels.
        sigma: Standard deviation of the weights in horizontal and vertical direction, in pixels.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        Images of the same shape and type.

    Example:
        >>> picture = jnp.zeros((3, 3, 1)).at[1, 1].set(1.0)
        >>> blurred = gaussian_blur(picture)[..., 0]
        >>> round(float(blurred[1, 1]), 3), round(float(blurred.sum()), 3)
        (0.204, 1.0)
    """
    width, height = to_integers_per_axis(kernel_size, 2, "kernel_size")
    sigma_x, sigma_y = jnp.broadcast_to(jnp.asarray(sigma, "float32"), (2,))
    batch, restore_layout = as_batch("gaussian_blur", images, data_format)
    blurred = convolve_axis(_as_float(batch), gaussian(height, sigma_y), axis=1)
    blurred = convolve_axis(blurred, gaussian(width, sigma_x), axis=2)
    return restore_layout(round_and_clip(blurred, batch.dtype))


@op("images")
def sobel_edges(images: ArrayLike, data_format: str | None = None) -> Array:
    """Sobel edges: the vertical and horizontal gradients of images.

    Args:
        images: `(batch, height, width, channels)`; channels before the height for
            `"channels_first"`. Outside of an image there are zeros.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        The shape of the images with one more axis of size 2: vertical change, horizontal change.

    Example:
        >>> ramp = jnp.broadcast_to(jnp.arange(5.0)[None, None, :, None], (1, 5, 5, 1))
        >>> sobel_edges(ramp)[0, 2, 2, 0].tolist()
        [0.0, 8.0]
    """
    images = jnp.asarray(images)
    if images.ndim != 4:
        raise ValueError(
            f"sobel_edges takes a batch of images, 4 axes; received shape {images.shape}."
        )
    batch, restore_layout = as_batch("sobel_edges", images, data_format)
    batch = _as_float(batch)
    smooth, slope = jnp.array([1.0, 2.0, 1.0]), jnp.array([-1.0, 0.0, 1.0])
    vertical = convolve_axis(convolve_axis(batch, slope, axis=1), smooth, axis=2)
    horizontal = convolve_axis(convolve_axis(batch, smooth, axis=1), slope, axis=2)
    return jnp.stack([restore_layout(vertical), restore_layout(horizontal)], axis=-1)


@op("image1", "image2", class_name="SSIM")
def ssim(
    image1: ArrayLike,
    image2: ArrayLike,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> Array:
    """Structural similarity (SSIM) of two images; 1 if they are equal.

    Args:
        image1: `(height, width, channels)` or `(batch, height, width, channels)`; channels
            before the height for `"channels_first"`.
        image2: Same shape.
        max_val: Difference between the largest and the smallest possible pixel, e.g. 255.
        filter_size: Side of the windows that are compared, in pixels.
        filter_sigma: Standard deviation of their Gaussian weights, in pixels.
        k1, k2: Small constants that keep quotients of dark and of uniform windows finite.
        data_format: `"channels_last"`, `"channels_first"` or None for the process-wide default.

    Returns:
        One number per image: `(batch,)`, or a scalar for single images.

    Source: Wang et al., 2004, "Image Quality Assessment: From Error Visibility to Structural
    Similarity", IEEE Transactions on Image Processing 13(4).

    Example:
        >>> picture = jnp.linspace(0, 1, 256).reshape(16, 16, 1)
        >>> round(float(ssim(picture, picture)), 3)
        1.0
    """
    image1, image2 = jnp.asarray(image1), jnp.asarray(image2)
    if image1.shape != image2.shape:
        raise ValueError(
            f"ssim compares images of one shape; received {image1.shape} and {image2.shape}."
        )
    dtype, single = image1.dtype, image1.ndim == 3
    x, y = (_as_float(as_batch("ssim", i, data_format)[0]) for i in (image1, image2))
    if min(x.shape[1:3]) < filter_size:
        raise ValueError(
            f"ssim compares windows of {filter_size} × {filter_size} pixels; received images of "
            f"{x.shape[1]} × {x.shape[2]}.\n  Fix: a smaller filter_size."
        )
    # One filter for all quantities whose local mean is needed.
    moments = jnp.stack([x, y, x * x, y * y, x * y])
    weights = gaussian(filter_size, filter_sigma)
    moments = convolve_axis(moments, weights, axis=2, padded=False)
    mean1, mean2, square1, square2, product = convolve_axis(moments, weights, axis=3, padded=False)
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    variance1, variance2 = square1 - mean1 * mean1, square2 - mean2 * mean2
    covariance = product - mean1 * mean2
    similarity = (2 * mean1 * mean2 + c1) * (2 * covariance + c2)
    similarity /= (mean1 * mean1 + mean2 * mean2 + c1) * (variance1 + variance2 + c2)
    result = similarity.mean(axis=(1, 2, 3)).astype(dtype)
    return result[0] if single else result


def gaussian_filter_2d(fields: Array, sigma: Any) -> Array:
    """Blur arrays `(..., height, width)` by a Gaussian of `sigma` pixels, a number or tracer."""
    sigma = jnp.maximum(jnp.asarray(sigma, "float32"), 1e-6)
    height, width = fields.shape[-2:]
    radius = (jnp.asarray(6 * sigma, "int32") | 1) // 2
    rows, columns = (_gaussian_matrix(size, sigma, radius) for size in (height, width))
    return jnp.einsum("ij,...jk,lk->...il", rows, fields, columns)


def gaussian(size: int, sigma: Any) -> Array:
    """Gaussian weights that sum to 1."""
    position = jnp.arange(size, dtype="float32") - (size - 1) / 2
    weights = jnp.exp(-0.5 * jnp.square(position / sigma))
    return weights / weights.sum()


def _gaussian_matrix(size: int, sigma: Any, radius: Any) -> Array:
    """A matrix of Gaussians: row i has the weights of neighbours at most `radius` away."""
    offsets = np.arange(2 * size - 1) - (size - 1)
    weights = jnp.exp(-0.5 * jnp.square(offsets / sigma))
    # Positions outside of the field are zeros, so the sum is over the whole Gaussian.
    distances = jnp.arange(max(8 * size, 64)) + 1.0
    total = 1 + 2 * jnp.sum(
        jnp.where(distances <= radius, jnp.exp(-0.5 * jnp.square(distances / sigma)), 0)
    )
    weights = jnp.where(np.abs(offsets) <= radius, weights, 0) / total
    return weights[np.arange(size)[None, :] - np.arange(size)[:, None] + size - 1]


def _as_float(images: Array) -> Array:
    return images if jnp.issubdtype(images.dtype, jnp.floating) else images.astype("float32")


def convolve_axis(x: Array, weights: Array, axis: int, padded: bool = True) -> Array:
    """Sums over `weights[k] * x[position + k]` along an axis; padded, the axis keeps its size."""
    size, width = x.shape[axis], weights.shape[0]
    before = (width - 1) // 2 if padded else 0
    weights = weights.astype(x.dtype)
    if width > _MAX_WIDTH_FOR_SHIFTS:
        positions = np.arange(size if padded else size - width + 1)
        offset = np.arange(size)[None, :] - positions[:, None] + before
        band = jnp.where(
            (offset >= 0) & (offset < width), weights[np.clip(offset, 0, width - 1)], 0
        )
        return jnp.moveaxis(jnp.tensordot(band, x, (1, axis)), 0, axis)
    if padded:
        edges = [(0, 0)] * x.ndim
        edges[axis] = (before, width - 1 - before)
        x = jnp.pad(x, edges)
    length = x.shape[axis] - width + 1
    shifted = (lax.slice_in_dim(x, k, k + length, axis=axis) for k in range(width))
    return sum(part * weights[k] for k, part in enumerate(shifted))  # type: ignore[return-value]
