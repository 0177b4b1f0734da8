"""The product of a dense layer, with a gradient of the kernel that is fast on CPUs."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from lamina.core.types import Array
from lamina.ops.lowering import compiled_kernels, products
from lamina.ops.lowering.low_precision import is_low_precision

# docs/performance.md, `kernel-products`: the compiled product is faster for these numbers of rows,
# up to a number of weights; with more rows, such as the steps of a sequence, for fewer weights.
_ROWS = range(16, 257)
_MAX_VALUES = 2**17
_MAX_VALUES_OF_MANY_ROWS = 2**13
_MIN_COLUMNS = 16

# docs/performance.md, `transposed-inputs` and `transposed-sequences`. The kernel's gradient sums
# over the rows, so one operand has to be transposed. XLA transposes the gradient, and passes the
# product to a library that copies the inputs element by element. With few rows,
# the inputs are transposed instead; with many, the narrower operand.
_MAX_TRANSPOSED_ROWS = 64
_MIN_ROWS_OF_SEQUENCES = 1024


def reference(inputs: Array, kernel: Array) -> Array:
    """`inputs @ kernel`.

    Args:
        inputs: `(batch, …, features)`.
        kernel: `(features, units)`.

    Returns:
        `(batch, …, units)`.
    """
    return products.matmul(inputs, kernel)


def suits_kernel(inputs: Array, kernel: Array) -> bool:
    if kernel.ndim != 2 or inputs.ndim < 2:
        return False
    return is_faster_as_kernel(
        math.prod(inputs.shape[:-1]), *kernel.shape
    ) and compiled_kernels.accepts(inputs, kernel)


def is_faster_as_kernel(rows: int, inner: int, columns: int) -> bool:
    """Whether the compiled product of `(rows, inner)` and `(inner, columns)` is faster."""
    limit = _MAX_VALUES if rows in _ROWS else _MAX_VALUES_OF_MANY_ROWS
    return rows >= _ROWS.start and columns >= _MIN_COLUMNS and inner * columns <= limit


def by_kernel(inputs: Array, kernel: Array) -> Array:
    rows = inputs.reshape(-1, inputs.shape[-1])
    product = compiled_kernels.kernel_package().product(rows, kernel)
    return product.reshape(*inputs.shape[:-1], kernel.shape[1])


def suits_transposing(inputs: Array, kernel: Array) -> bool:
    rows = math.prod(inputs.shape[:-1])
    is_supported = inputs.dtype == kernel.dtype and kernel.ndim == 2 and inputs.ndim > 0
    if is_low_precision(inputs, kernel):  # which transposes one operand, too
        return False
    return is_supported and not _MAX_TRANSPOSED_ROWS < rows < _MIN_ROWS_OF_SEQUENCES


def by_transposing(inputs: Array, kernel: Array) -> Array:
    """`inputs @ kernel`, with one operand transposed in memory for the gradient of the kernel."""
    product = _product(inputs.reshape(math.prod(inputs.shape[:-1]), -1), kernel)
    return product.reshape(*inputs.shape[:-1], kernel.shape[-1])


@jax.custom_jvp
def _product(inputs: Array, kernel: Array) -> Array:
    return jnp.matmul(inputs, kernel)


def _product_tangent(primals: tuple, tangents: tuple) -> tuple[Array, Any]:
    inputs, kernel = primals
    d_inputs, d_kernel = tangents
    parts = []
    if not isinstance(d_inputs, SymbolicZero):
        parts.append(jnp.matmul(d_inputs, kernel))
    if not isinstance(d_kernel, SymbolicZero):
        parts.append(_kernel_tangent(inputs, d_kernel))
    product = _product(inputs, kernel)
    return product, sum(parts, start=jnp.zeros_like(product)) if len(parts) != 1 else parts[0]


def _kernel_tangent(inputs: Array, d_kernel: Array) -> Array:
    """`inputs @ d_kernel`, written so that its transpose, the gradient, transposes one operand.

    Without the barriers XLA merges the transpose into the product.
    """
    rows, features = inputs.shape
    if rows <= _MAX_TRANSPOSED_ROWS or features <= d_kernel.shape[1]:
        transposed = lax.optimization_barrier(inputs.T)  # the gradient is `transposed @ gradient`
        return lax.dot_general(transposed, d_kernel, (((0,), (0,)), ((), ())))
    transposed = lax.optimization_barrier(d_kernel.T)  # the gradient is `(gradient.T @ inputs).T`
    tangent = lax.dot_general(transposed, inputs, (((1,), (1,)), ((), ())))
    return lax.optimization_barrier(tangent).T


_product.defjvp(_product_tangent, symbolic_zeros=True)
