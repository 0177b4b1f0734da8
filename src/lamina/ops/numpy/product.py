"""Products of vectors, matrices and tensors."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from lamina.core.types import Array, ArrayLike
from lamina.ops.arrays import as_array, as_arrays
from lamina.ops.define import operations
from lamina.ops.lowering import products

op = operations("numpy")


@op("x1", "x2")
def matmul(x1: ArrayLike, x2: ArrayLike) -> Array:
    """The matrix product, `(…, n, k) × (…, k, m)` to `(…, n, m)`; int8 is summed in int32.

    Args:
        x1: Array `(..., n, k)`, or a vector `(k,)`.
        x2: Array `(..., k, m)`, or a vector `(k,)`.

    Returns:
        Array `(..., n, m)`; the axis of a vector is left out.

    Example:
        >>> matmul([[1, 2]], [[3], [4]]).tolist()
        [[11]]
    """
    x1, x2 = as_array(x1), as_array(x2)
    return products.matmul(x1, x2, _accumulation_dtype([x1, x2]))


@op("operands")
def einsum(subscripts: str, *operands: ArrayLike, **kwargs: Any) -> Array:
    """Einstein summation: products of arrays, summed over axes that the result does not have.

    Args:
        subscripts: A letter for every axis, e.g. `"bij,bjk->bik"` for products of matrices.
        *operands: As many arrays as there are groups of letters.
        **kwargs: As in `jax.numpy.einsum`, e.g. `optimize`.

    Returns:
        Array with the axes of the result.

    Example:
        >>> einsum("ij,j->i", [[1, 2], [3, 4]], [1, 1]).tolist()
        [3, 7]
    """
    arrays = as_arrays(operands)
    return jnp.einsum(
        subscripts, *arrays, preferred_element_type=_accumulation_dtype(arrays), **kwargs
    )


@op("x1", "x2")
def tensordot(x1: ArrayLike, x2: ArrayLike, axes: int | Sequence = 2) -> Array:
    """The product summed over some axes of each.

    Args:
        x1, x2: Arrays.
        axes: Number of axes: the last of `x1` and the first of `x2`. Or two lists of axes.

    Returns:
        Array of the other axes of `x1`, then those of `x2`.

    Example:
        >>> tensordot([[1, 2], [3, 4]], [[1, 0], [0, 1]]).tolist()
        5
    """
    return jnp.tensordot(as_array(x1), as_array(x2), axes)


dot = op.binary(
    "dot",
    jnp.dot,
    "The sum of products over the last axis of `x1` and the second last of `x2`.",
    broadcast=False,
    returns="Array of the other axes of `x1`, then those of `x2`.",
)
vdot = op.binary(
    "vdot",
    jnp.vdot,
    "The sum of products of all values, `x1` conjugated.",
    broadcast=False,
    returns="A scalar.",
)
inner = op.binary(
    "inner",
    jnp.inner,
    "The sum of products over the last axis of both.",
    broadcast=False,
    returns="Array of the other axes of `x1`, then those of `x2`.",
)
outer = op.binary(
    "outer",
    jnp.outer,
    "The products of all pairs of values.",
    broadcast=False,
    returns="Array `(values of x1, values of x2)`.",
)
kron = op.binary(
    "kron",
    jnp.kron,
    "The Kronecker product: a multiple of `x2` for every value of `x1`.",
    broadcast=False,
    returns="Array whose sizes are the products of those of `x1` and `x2`.",
)


@op("x1", "x2")
def cross(
    x1: ArrayLike,
    x2: ArrayLike,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> Array:
    """The cross product of vectors of two or three numbers.

    Args:
        x1, x2: Arrays of vectors.
        axisa, axisb, axisc: The axis of the vectors in `x1`, in `x2` and in the result.
        axis: All three at once.

    Returns:
        Array of such vectors; of numbers, if all have two.

    Example:
        >>> cross([1, 0, 0], [0, 1, 0]).tolist()
        [0, 0, 1]
    """
    return jnp.cross(as_array(x1), as_array(x2), axisa, axisb, axisc, axis)


@op("x")
def trace(x: ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The sum of the diagonals of the matrices in two axes.

    Args:
        x: Array of two axes or more.
        offset: Which diagonal; 0 is the main one, positive ones are above.
        axis1: Axis of the matrices' rows.
        axis2: Axis of their columns.

    Returns:
        Array without these two axes.

    Example:
        >>> int(trace([[1, 2], [3, 4]]))
        5
    """
    return jnp.trace(as_array(x), offset, axis1, axis2)


@op("x")
def slogdet(x: ArrayLike) -> tuple[Array, Array]:
    """Sign and logarithm of the magnitude of the determinant of square matrices.

    Args:
        x: Array `(..., n, n)`.

    Returns:
        Two arrays `(...)`.

    Example:
        >>> [float(part) for part in slogdet([[1.0, 0.0], [0.0, -1.0]])]
        [-1.0, 0.0]
    """
    return tuple(jnp.linalg.slogdet(as_array(x)))


def _accumulation_dtype(operands: list[Array]) -> str | None:
    return "int32" if all(x.dtype == "int8" for x in operands) else None
