"""Matrix products of low-precision floats, summed in float32, and so are those of their gradients.

XLA's CPU backend has fast products of bfloat16 where the processor has instructions for them, but
only with a float32 result and only if the left operand's last axis is summed over and both
operands are in memory in the order of their axes. Otherwise it converts the operands to float32.
A gradient by `lax.dot_general` does not have this form: the cotangent is float32, and the gradient
of a kernel sums over the first axis of both operands. Hence an operation of its own, which chooses
the order of axes. Figures: docs/performance.md, `low-precision-products`.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from lamina.core.types import Array
from lamina.ops.lowering.low_precision import is_low_precision

# Axes that are summed, of the left and right operand; axes that both have, as `lax.dot_general`.
_Axes = tuple[int, ...]
_Dimensions = tuple[tuple[_Axes, _Axes], tuple[_Axes, _Axes]]


def dot_general(
    x: Array,
    y: Array,
    dimension_numbers: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
    **settings: Any,
) -> Array:
    """`lax.dot_general`; on CPUs, products of bfloat16 or float16 are summed in float32.

    Args:
        x, y, dimension_numbers, precision, **settings: See `jax.lax.dot_general`.
        preferred_element_type: Dtype of the result; None for that of the operands.

    Example:
        >>> x = jnp.ones((2, 512), jnp.bfloat16)
        >>> dot_general(x, x, (((1,), (1,)), ((), ()))).dtype.name
        'bfloat16'
    """
    if not is_low_precision(x, y):
        return lax.dot_general(
            x, y, dimension_numbers, precision, preferred_element_type, **settings
        )
    return _bind(x, y, dimension_numbers, preferred_element_type or x.dtype, x.dtype)


def rounded_dot_general(x: Array, y: Array, dimension_numbers: Any, dtype: Any) -> Array:
    """A product of float32 arrays that are rounded to a dtype; float32, as are its gradients.

    Args:
        x, y, dimension_numbers: See `jax.lax.dot_general`; x or y may have the dtype already.
        dtype: The dtype of the operands, and of the cotangent, in the product.
    """
    return _bind(x, y, dimension_numbers, jnp.float32, dtype)


def matmul(x: Array, y: Array, dtype: Any = None) -> Array:
    """`jnp.matmul`; on CPUs, products of bfloat16 or float16 are summed in float32.

    Args:
        x, y: See `jax.numpy.matmul`.
        dtype: Dtype of the result; None for that of the operands.

    Example:
        >>> matmul(jnp.ones((2, 3), jnp.bfloat16), jnp.ones((3, 4), jnp.bfloat16)).shape
        (2, 4)
    """
    has_matrices = x.ndim > 1 and y.ndim > 1 and x.shape[-1] == y.shape[-2]
    if not (is_low_precision(x, y) and has_matrices and y.shape[:-2] in ((), x.shape[:-2])):
        return jnp.matmul(x, y, preferred_element_type=dtype)
    batch = tuple(range(y.ndim - 2))
    return dot_general(
        x, y, (((x.ndim - 1,), (y.ndim - 2,)), (batch, batch)), preferred_element_type=dtype
    )


def einsum(equation: str, x: Array, y: Array) -> Array:
    """`jnp.einsum` of two arrays; on CPUs, low-precision products are summed in float32."""
    if not is_low_precision(x, y):
        return jnp.einsum(equation, x, y)
    return jnp.einsum(equation, x, y, _dot_general=dot_general)


def _bind(x: Array, y: Array, dimension_numbers: Any, dtype: Any, operand_dtype: Any) -> Array:
    (x_summed, y_summed), (x_batch, y_batch) = dimension_numbers
    summed, batch = (tuple(x_summed), tuple(y_summed)), (tuple(x_batch), tuple(y_batch))
    return _product.bind(
        x,
        y,
        dimension_numbers=jax.tree.map(int, (summed, batch)),
        dtype=jnp.dtype(dtype),
        operand_dtype=jnp.dtype(operand_dtype),
    )


def _free_axes(ndim: int, summed: tuple, batch: tuple) -> list[int]:
    return [axis for axis in range(ndim) if axis not in summed and axis not in batch]


# -- the operation ---------------------------------------------------------------------------------


def _spec(x: Any, y: Any, *, dimension_numbers: _Dimensions, dtype: Any, operand_dtype: Any) -> Any:
    (x_summed, y_summed), (x_batch, y_batch) = dimension_numbers
    shape = [x.shape[axis] for axis in x_batch]
    shape += [x.shape[axis] for axis in _free_axes(x.ndim, x_summed, x_batch)]
    shape += [y.shape[axis] for axis in _free_axes(y.ndim, y_summed, y_batch)]
    return jax.core.ShapedArray(tuple(shape), dtype)


def _compute(
    x: Array, y: Array, *, dimension_numbers: _Dimensions, dtype: Any, operand_dtype: Any
) -> Array:
    """The product, of matrices in the order of axes that XLA's CPU backend computes fast."""
    (x_summed, y_summed), (x_batch, y_batch) = dimension_numbers
    settings = {"dimension_numbers": dimension_numbers, "dtype": dtype}
    shape = _spec(x, y, **settings, operand_dtype=operand_dtype).shape
    x, y = x.astype(operand_dtype), y.astype(operand_dtype)
    x_matrix = _Matrices(x, x_batch, tuple(_free_axes(x.ndim, x_summed, x_batch)), x_summed)
    y_matrix = _Matrices(y, y_batch, tuple(_free_axes(y.ndim, y_summed, y_batch)), y_summed)
    # Numbers that are transposed with the operands in this order, and with the other order.
    size_of_result = math.prod(shape)
    if x_matrix.size_to_transpose <= y_matrix.size_to_transpose + size_of_result:
        product = _multiply(x_matrix, y_matrix)
    else:
        product = jnp.swapaxes(_multiply(y_matrix, x_matrix), -1, -2)
    return product.reshape(shape).astype(dtype)


class _Matrices(NamedTuple):
    """An operand of a product, and its axes: of the batch, free and summed ones."""

    array: Array
    batch: tuple
    free: tuple
    summed: tuple

    @property
    def size_to_transpose(self) -> int:
        """How many numbers are to be moved, so that the summed axes are the last ones."""
        return 0 if _is_in_order(self.batch + self.free + self.summed) else self.array.size

    def in_memory(self, first: tuple, last: tuple) -> Array:
        """The matrices with these axes, in this order in memory, too; no batch of size 1."""
        x, axes = self.array, self.batch + first + last
        sizes = [math.prod(x.shape[axis] for axis in group) for group in (self.batch, first, last)]
        if not _is_in_order(axes):
            x = x.transpose(axes)
        # One axis more for a moment: XLA gives the result of a transpose, and what is computed from
        # it, the order in memory of its operand, but that of a reshape the order of its axes.
        # Without the barrier it merges the transpose into the product, and rewrites the product to
        # others that it cannot compute.
        x = lax.optimization_barrier(x.reshape(1, *sizes))
        return x.reshape(sizes[1:] if sizes[0] == 1 else sizes)


def _is_in_order(axes: tuple) -> bool:
    return axes == tuple(sorted(axes))


def _multiply(x: _Matrices, y: _Matrices) -> Array:
    """The products, `(batch, free axes of x, free axes of y)`, in float32; no batch of size 1."""
    left = x.in_memory(x.free, x.summed)
    batch = tuple(range(left.ndim - 2))
    if _is_in_order(y.batch + y.summed + y.free):
        right, summed = y.in_memory(y.summed, y.free), len(batch)
    else:
        right, summed = y.in_memory(y.free, y.summed), len(batch) + 1
    if min(left.shape + right.shape) <= 1:  # XLA rewrites products of vectors, see above
        left, right = left.astype(jnp.float32), right.astype(jnp.float32)
    numbers = (((left.ndim - 1,), (summed,)), (batch, batch))
    product = lax.dot_general(left, right, numbers, preferred_element_type=jnp.float32)
    return lax.optimization_barrier(product)


def _transpose_left(
    cotangent: Array,
    x: Any,
    y: Array,
    *,
    dimension_numbers: _Dimensions,
    dtype: Any,
    operand_dtype: Any,
) -> Array:
    return _gradient(cotangent, x.aval, y, dimension_numbers, operand_dtype, is_left=True)


def _transpose_right(
    cotangent: Array,
    x: Array,
    y: Any,
    *,
    dimension_numbers: _Dimensions,
    dtype: Any,
    operand_dtype: Any,
) -> Array:
    (x_summed, y_summed), (x_batch, y_batch) = dimension_numbers
    swapped = (y_summed, x_summed), (y_batch, x_batch)
    return _gradient(cotangent, y.aval, x, swapped, operand_dtype, is_left=False)


def _gradient(
    cotangent: Array,
    x: Any,
    y: Array,
    dimension_numbers: _Dimensions,
    operand_dtype: Any,
    is_left: bool,
) -> Array:
    """The cotangent of x, for a product of x and y whose axes of x come first if `is_left`."""
    (x_summed, y_summed), (x_batch, y_batch) = dimension_numbers
    x_free = _free_axes(x.ndim, x_summed, x_batch)
    y_free = _free_axes(y.ndim, y_summed, y_batch)
    count, before = len(x_batch), len(x_batch) + (len(x_free) if is_left else 0)
    batch = tuple(range(count))
    free = tuple(range(before, before + len(y_free)))
    # The result has the axes: batch, free axes of x, summed axes in the order of those of y.
    numbers = (free, tuple(y_free)), (batch, y_batch)
    product = _bind(cotangent.astype(y.dtype), y, numbers, x.dtype, operand_dtype)
    summed_of_y = sorted(range(len(y_summed)), key=lambda i: y_summed[i])
    axes = [*x_batch, *x_free, *(x_summed[i] for i in summed_of_y)]
    return product.transpose(sorted(range(len(axes)), key=lambda i: axes[i]))


def _vectorize(
    arrays: Any, axes: Any, *, dimension_numbers: _Dimensions, dtype: Any, operand_dtype: Any
) -> tuple[Array, int]:
    x, y = arrays
    x_axis, y_axis = axes
    (x_summed, y_summed), (x_batch, y_batch) = dimension_numbers
    if x_axis is not None:
        x_summed, x_batch = _shifted(x_summed, x_axis), _shifted(x_batch, x_axis)
    if y_axis is not None:
        y_summed, y_batch = _shifted(y_summed, y_axis), _shifted(y_batch, y_axis)
    if x_axis is not None and y_axis is not None:
        x_batch, y_batch, result_axis = (x_axis, *x_batch), (y_axis, *y_batch), 0
    elif x_axis is not None:
        result_axis = len(x_batch) + _free_axes(x.ndim, x_summed, x_batch).index(x_axis)
    else:
        before = len(_free_axes(x.ndim, x_summed, ()))  # axes of the batch and free axes of x
        result_axis = before + _free_axes(y.ndim, y_summed, y_batch).index(y_axis)
    numbers = (x_summed, y_summed), (x_batch, y_batch)
    return _bind(x, y, numbers, dtype, operand_dtype), result_axis


def _shifted(axes: tuple, added: int) -> tuple:
    """Axes of an array after an axis was added."""
    return tuple(axis + (axis >= added) for axis in axes)


_product = Primitive("low_precision_dot_general")
_product.def_impl(
    jax.jit(_compute, static_argnames=("dimension_numbers", "dtype", "operand_dtype"))
)
_product.def_abstract_eval(_spec)
ad.defbilinear(_product, _transpose_left, _transpose_right)
batching.primitive_batchers[_product] = _vectorize
mlir.register_lowering(_product, mlir.lower_fun(_compute, multiple_results=False))
