"""Products of matrices with few rows, float32: a batch of samples times a kernel."""

from typing import Any

import jax
import numpy as np

from lamina_kernels.library import Array, call
from lamina_kernels.primitives import bilinear, primitive


def product(x: Array, y: Array) -> Array:
    """The matrix product `x @ y`, made for few rows in `x`.

    Args:
        x: `(rows, inner)`, float32.
        y: `(inner, columns)`, float32.

    Returns:
        `(rows, columns)`.
    """
    return _product.bind(x, y)


def _shaped(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, np.float32)


def _spec(x: Any, y: Any) -> Any:
    return _shaped(x.shape[0], y.shape[1])


def _spec_times_transposed(x: Any, y: Any) -> Any:
    return _shaped(x.shape[0], y.shape[0])


def _spec_transposed_times(x: Any, y: Any) -> Any:
    return _shaped(x.shape[1], y.shape[1])


_product = primitive(
    "lamina_product", _spec, lambda x, y: call("product", _spec(x, y), x, y, transposed=False)
)
_times_transposed = primitive(  # x y^T
    "lamina_times_transposed",
    _spec_times_transposed,
    lambda x, y: call("product", _spec_times_transposed(x, y), x, y, transposed=True),
)
_transposed_times = primitive(  # x^T y
    "lamina_transposed_times",
    _spec_transposed_times,
    lambda x, y: call("transposed_product", _spec_transposed_times(x, y), x, y),
)

bilinear(
    _product,
    lambda change, y, _: _times_transposed.bind(change, y),
    lambda change, x, _: _transposed_times.bind(x, change),
)
bilinear(
    _times_transposed,
    lambda change, y, _: _product.bind(change, y),
    lambda change, x, _: _transposed_times.bind(change, x),
)
bilinear(
    _transposed_times,
    lambda change, y, _: _times_transposed.bind(y, change),
    lambda change, x, _: _product.bind(x, change),
)
