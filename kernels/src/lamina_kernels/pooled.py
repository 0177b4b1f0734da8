"""A convolution, bias and ReLU whose result only max-pooling looks at; channels last, float32.

The result is pooled where it is computed and never written as a whole. Of each block one number
has a gradient at most, so both gradients have a quarter of the work with blocks of 2x2.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from lamina_kernels.convolution import (
    Pads,
    attributes as attributes_of_convolution,
    compute_input_gradient as gradient_of_all,
    convolution,
    shaped,
    spec_of_convolution,
)
from lamina_kernels.library import Array, call
from lamina_kernels.primitives import bilinear, primitive

# In the place of a block that has no gradient; so no block may be larger.
_NOWHERE = 255
MOST_PLACES = 255
# The gradient of the input goes over the chosen numbers by vectors of 16 channels.
_VECTOR = 16


def pooled_convolution(
    images: Array,
    kernel: Array,
    bias: Array,
    strides: tuple[int, int],
    pads: Pads,
    block: tuple[int, int],
    rectified: bool,
) -> Array:
    """The largest number of each block of a convolution's result.

    Args:
        images: `(batch, height, width, channels)`, float32.
        kernel: `(height, width, channels, filters)`, float32.
        bias: `(filters,)`, float32, added to the convolution.
        strides: Steps of the kernel in pixels, down and to the right.
        pads: Zeros above and below, left and right of the images, in pixels.
        block: Height and width of the blocks, side by side; what is left over does not count. At
            most 255 numbers.
        rectified: Whether numbers below zero are zero.

    Returns:
        `(batch, rows, columns, filters)`. Of equal numbers in a block, the first has the gradient.

    Example:
        >>> image = jnp.arange(9.0).reshape(1, 3, 3, 1)
        >>> one = jnp.ones((2, 2, 1, 1))
        >>> no_pads = ((0, 0), (0, 0))
        >>> y = pooled_convolution(image, one, jnp.ones(1), (1, 1), no_pads, (2, 2), True)
        >>> y.tolist()
        [[[[25.0]]]]
    """
    settings = _Settings(strides=tuple(strides), pads=tuple(map(tuple, pads)), block=tuple(block))
    return _pooled(images, kernel, bias, settings, bool(rectified))[0]


# -- the kernels ---------------------------------------------------------------------------------


class _Settings(dict):
    """Settings that JAX can compare and keep programs by."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))


def _attributes(strides: tuple, pads: Pads, block: tuple) -> dict[str, np.ndarray]:
    return {**attributes_of_convolution(strides, pads), "block": np.array(block, np.int64)}


@partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def _pooled(
    images: Array, kernel: Array, bias: Array, settings: _Settings, rectified: bool
) -> tuple[Array, Array]:
    """The largest numbers, and which of their block they are."""
    shape = _spec(images, kernel, None, **settings).shape
    results = (jax.ShapeDtypeStruct(shape, np.float32), jax.ShapeDtypeStruct(shape, np.uint8))
    attributes = {**_attributes(**settings), "rectified": rectified}
    return call("pooled_convolution", results, images, kernel, bias, **attributes)


@partial(_pooled.defjvp, symbolic_zeros=True)
def _pooled_jvp(settings: _Settings, rectified: bool, primals: tuple, tangents: tuple) -> tuple:
    images, kernel, bias = primals
    y, places = _pooled(images, kernel, bias, settings, rectified)
    change = jnp.zeros_like(y)
    if not isinstance(tangents[0], SymbolicZero):
        change += _chosen.bind(tangents[0], kernel, places, **settings)
    if not isinstance(tangents[1], SymbolicZero):
        change += _chosen.bind(images, tangents[1], places, **settings)
    if not isinstance(tangents[2], SymbolicZero):
        change += jnp.where(places == _NOWHERE, 0, tangents[2])
    return (y, places), (change, np.zeros(places.shape, jax.dtypes.float0))


def _spec(images: Any, kernel: Any, places: Any, strides: tuple, pads: Pads, block: tuple) -> Any:
    batch, *sizes, filters = spec_of_convolution(images, kernel, strides, pads).shape
    rows, columns = (size // width for size, width in zip(sizes, block, strict=True))
    return shaped(batch, rows, columns, filters)


def _compute_chosen(
    images: Array, kernel: Array, places: Array, strides: tuple, pads: Pads, block: tuple
) -> Array:
    """Of a convolution without bias, the number of each block that has been chosen before."""
    y = convolution(images, kernel, strides, pads)
    batch, rows, columns, filters = places.shape
    y = y[:, : rows * block[0], : columns * block[1]]
    y = y.reshape(batch, rows, block[0], columns, block[1], filters)
    return jnp.sum(jnp.where(_is_chosen(places, block), y, 0), (2, 4))


def _is_chosen(places: Array, block: tuple) -> Array:
    numbers = np.arange(block[0] * block[1], dtype=np.uint8).reshape(block[0], 1, block[1], 1)
    return places[:, :, None, :, None] == numbers


def _compute_input_gradient(
    change: Array,
    kernel: Array,
    places: Array,
    shape: tuple,
    strides: tuple,
    pads: Pads,
    block: tuple,
) -> Array:
    if kernel.shape[1] * kernel.shape[2] % _VECTOR == 0:
        attributes = _attributes(strides, pads, block)
        result = shaped(*shape)
        return call("pooled_input_gradient", result, change, kernel, places, **attributes)
    images = jax.ShapeDtypeStruct(shape, np.float32)
    whole = spec_of_convolution(images, kernel, strides, pads).shape
    spread = jnp.where(_is_chosen(places, block), change[:, :, None, :, None], 0)
    batch, rows, _, columns, _, filters = spread.shape
    spread = spread.reshape(batch, rows * block[0], columns * block[1], filters)
    left = [(0, size - spread.shape[axis]) for axis, size in enumerate(whole)]
    return gradient_of_all(jnp.pad(spread, left), kernel, shape, strides, pads)


def _compute_kernel_gradient(
    images: Array, change: Array, places: Array, shape: tuple, **settings: Any
) -> Array:
    attributes = _attributes(**settings)
    result = shaped(*shape)
    return call("pooled_kernel_gradient", result, images, change, places, **attributes)


def _shape_of_gradient(first: Any, second: Any, places: Any, shape: tuple, **settings: Any) -> Any:
    return shaped(*shape)


_chosen = primitive("lamina_chosen_convolution", _spec, _compute_chosen)
_input_gradient = primitive(
    "lamina_pooled_input_gradient", _shape_of_gradient, _compute_input_gradient
)
_kernel_gradient = primitive(
    "lamina_pooled_kernel_gradient", _shape_of_gradient, _compute_kernel_gradient
)

# As of a plain convolution, the derivatives of each are the other two.
bilinear(
    _chosen,
    lambda change, kernel, places, shape, **s: _input_gradient.bind(
        change, kernel, places, shape=shape, **s
    ),
    lambda change, images, places, shape, **s: _kernel_gradient.bind(
        images, change, places, shape=shape, **s
    ),
    constants=1,
)
bilinear(
    _input_gradient,
    lambda images, kernel, places, _, shape, **s: _chosen.bind(images, kernel, places, **s),
    lambda images, change, places, kernel, shape, **s: _kernel_gradient.bind(
        images, change, places, shape=kernel, **s
    ),
    constants=1,
)
bilinear(
    _kernel_gradient,
    lambda kernel, change, places, images, shape, **s: _input_gradient.bind(
        change, kernel, places, shape=images, **s
    ),
    lambda kernel, images, places, _, shape, **s: _chosen.bind(images, kernel, places, **s),
    constants=1,
)
