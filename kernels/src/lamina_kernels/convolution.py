"""Two-dimensional convolution and its gradients; channels last, float32."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina_kernels.library import Array, call
from lamina_kernels.primitives import bilinear, primitive

# The kernel for the gradient of the input works on vectors of channels. Of few, such as the colours
# of a picture, most of a vector is idle: with 3 it took 2.4 ms, and 0.8 ms as a matrix product.
_FEW_CHANNELS = 4

Pads = tuple[tuple[int, int], tuple[int, int]]


def convolution(images: Array, kernel: Array, strides: tuple[int, int], pads: Pads) -> Array:
    """Slides a kernel over images.

    Args:
        images: `(batch, height, width, channels)`, float32.
        kernel: `(height, width, channels, filters)`, float32.
        strides: Steps in pixels, down and to the right.
        pads: Zeros above and below, left and right, in pixels.

    Returns:
        `(batch, rows, columns, filters)`.

    Example:
        >>> image = jnp.arange(9.0).reshape(1, 3, 3, 1)
        >>> y = convolution(image, jnp.ones((2, 2, 1, 1)), (1, 1), ((0, 0), (0, 0)))
        >>> y[0, :, :, 0].tolist()
        [[8.0, 12.0], [20.0, 24.0]]
    """
    settings = {"strides": tuple(strides), "pads": tuple(map(tuple, pads))}
    return _convolution.bind(images, kernel, **settings)


# -- the kernels ---------------------------------------------------------------------------------


def shaped(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, np.float32)


def attributes(strides: tuple, pads: Pads) -> dict[str, np.ndarray]:
    before = [before for before, _ in pads]
    return {"strides": np.array(strides, np.int64), "before": np.array(before, np.int64)}


def spec_of_convolution(images: Any, kernel: Any, strides: tuple, pads: Pads) -> Any:
    rows, columns = (
        (size + sum(pad) - width) // stride + 1
        for size, width, stride, pad in zip(
            images.shape[1:3], kernel.shape, strides, pads, strict=False
        )
    )
    return shaped(images.shape[0], rows, columns, kernel.shape[3])


def _compute_convolution(images: Array, kernel: Array, strides: tuple, pads: Pads) -> Array:
    result = spec_of_convolution(images, kernel, strides, pads)
    return call("convolution", result, images, kernel, **attributes(strides, pads))


def _spec_of_gradient(first: Any, second: Any, shape: tuple, **settings: Any) -> Any:
    return shaped(*shape)


def compute_input_gradient(
    change: Array, kernel: Array, shape: tuple, strides: tuple, pads: Pads
) -> Array:
    if shape[-1] <= _FEW_CHANNELS:
        return _spread_gradient(change, kernel, shape, strides, pads)
    return call("input_gradient", shaped(*shape), change, kernel, **attributes(strides, pads))


def _spread_gradient(
    change: Array, kernel: Array, shape: tuple, strides: tuple, pads: Pads
) -> Array:
    """The same as one matrix product, whose parts are laid over each other."""
    batch, height, width, channels = shape
    taps = kernel.shape[:2]
    parts = jnp.einsum("brcf,yxif->yxbrci", change, kernel)
    total = jnp.zeros(shape, change.dtype)
    for y in range(taps[0]):
        for x in range(taps[1]):
            padding = [(0, 0, 0)]
            for size, count, step, at in (
                (height, change.shape[1], strides[0], y - pads[0][0]),
                (width, change.shape[2], strides[1], x - pads[1][0]),
            ):
                padding.append((at, size - at - (count - 1) * step - 1, step - 1))
            total += jax.lax.pad(parts[y, x], np.float32(0), [*padding, (0, 0, 0)])
    return total


def _compute_kernel_gradient(
    images: Array, change: Array, shape: tuple, strides: tuple, pads: Pads
) -> Array:
    return call("kernel_gradient", shaped(*shape), images, change, **attributes(strides, pads))


_convolution = primitive("lamina_convolution", spec_of_convolution, _compute_convolution)
_input_gradient = primitive("lamina_input_gradient", _spec_of_gradient, compute_input_gradient)
_kernel_gradient = primitive("lamina_kernel_gradient", _spec_of_gradient, _compute_kernel_gradient)

# The three are the same sum of products of image, kernel and result, each solved for one of them:
# the derivatives of any are the other two.
bilinear(
    _convolution,
    lambda change, kernel, shape, **s: _input_gradient.bind(change, kernel, shape=shape, **s),
    lambda change, images, shape, **s: _kernel_gradient.bind(images, change, shape=shape, **s),
)
bilinear(
    _input_gradient,
    lambda images, kernel, _, shape, **s: _convolution.bind(images, kernel, **s),
    lambda images, change, kernel, shape, **s: _kernel_gradient.bind(
        images, change, shape=kernel, **s
    ),
)
bilinear(
    _kernel_gradient,
    lambda kernel, change, images, shape, **s: _input_gradient.bind(
        change, kernel, shape=images, **s
    ),
    lambda kernel, images, _, shape, **s: _convolution.bind(images, kernel, **s),
)
