"""Linear algebra of matrices, `(…, rows, columns)`: decompositions, linear systems, norms."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.messages.errors import suggest_similar_names
from lamina.core.types import Array, ArrayLike
from lamina.ops.arrays import as_array, as_axes, to_common_floats, to_floats
from lamina.ops.define import operations
from lamina.ops.specs import refuse_unknown_sizes, with_known_sizes

__all__ = [
    "cholesky",
    "cholesky_inverse",
    "det",
    "eig",
    "eigh",
    "inv",
    "jvp",
    "lstsq",
    "lu_factor",
    "matrix_rank",
    "norm",
    "pinv",
    "qr",
    "solve",
    "solve_triangular",
    "svd",
]

op = operations("linalg")


def _refuse_unknown_system(caller: str) -> Callable[..., None]:
    def spec(a: Any, b: Any, lower: bool = False) -> None:
        refuse_unknown_sizes(caller, a, (-2, -1))
        if len(b.shape) == len(a.shape):
            refuse_unknown_sizes(caller, b, (-2,))

    return spec


@op("x", spec=with_known_sizes("cholesky", -2, -1))
def cholesky(x: ArrayLike, upper: bool = False) -> Array:
    """Cholesky decomposition: the triangular matrix whose product with its transpose is `x`.

    Args:
        x: Symmetric matrices with positive eigenvalues.
        upper: Return the upper triangle instead of the lower one.

    Returns:
        Array `(..., n, n)`.

    Raises:
        ValueError: If a matrix has no such decomposition; in a compiled step the result is NaN.

    Example:
        >>> cholesky([[4.0, 0.0], [0.0, 9.0]]).tolist()
        [[2.0, 0.0], [0.0, 3.0]]
    """
    factor = jnp.linalg.cholesky(_check_square("cholesky", x), upper=upper)
    if not isinstance(factor, jax.core.Tracer) and bool(jnp.isnan(factor).any()):
        raise ValueError(
            "cholesky needs symmetric matrices with positive eigenvalues; this one is not."
        )
    return factor


@op("x", spec=with_known_sizes("cholesky_inverse", -2, -1))
def cholesky_inverse(x: ArrayLike, upper: bool = False) -> Array:
    """The inverse of the matrix whose Cholesky factor is `x`.

    Args:
        x: Lower triangular matrices, or upper ones.
        upper: Which of the two.

    Returns:
        Array `(..., n, n)`.

    Example:
        >>> cholesky_inverse([[2.0, 0.0], [0.0, 4.0]]).tolist()
        [[0.25, 0.0], [0.0, 0.0625]]
    """
    factor = _check_square("cholesky_inverse", x)
    identity = jnp.broadcast_to(jnp.eye(factor.shape[-1], dtype=factor.dtype), factor.shape)
    inverse = jax.scipy.linalg.solve_triangular(factor, identity, lower=not upper)
    transposed = jnp.swapaxes(inverse, -1, -2)
    return inverse @ transposed if upper else transposed @ inverse


@op("x", spec=with_known_sizes("det", -2, -1))
def det(x: ArrayLike) -> Array:
    """The determinant of square matrices.

    Args:
        x: Array `(..., n, n)`.

    Returns:
        Array `(...)`.

    Raises:
        ValueError: If the last two sizes differ.

    Example:
        >>> float(det([[2.0, 0.0], [0.0, 3.0]]))
        6.0
    """
    return jnp.linalg.det(_check_square("det", x))


@op("x", spec=with_known_sizes("inv", -2, -1))
def inv(x: ArrayLike) -> Array:
    """The inverse of square matrices.

    Args:
        x: Array `(..., n, n)`.

    Returns:
        Array `(..., n, n)`.

    Raises:
        ValueError: If the last two sizes differ.

    Example:
        >>> inv([[2.0, 0.0], [0.0, 4.0]]).tolist()
        [[0.5, 0.0], [0.0, 0.25]]
    """
    return jnp.linalg.inv(_check_square("inv", x))


@op("x", spec=with_known_sizes("eig", -2, -1))
def eig(x: ArrayLike) -> tuple[Array, Array]:
    """Eigenvalues, `(…, n)`, and eigenvectors as columns, of any square matrix; complex.

    JAX computes them on CPUs only.

    Args:
        x: Array `(..., n, n)`.

    Returns:
        Eigenvalues `(..., n)` and eigenvectors `(..., n, n)`.

    Raises:
        ValueError: If the last two sizes differ.

    Example:
        >>> values, vectors = eig([[2.0, 0.0], [0.0, 3.0]])
        >>> values.real.tolist()
        [2.0, 3.0]
    """
    values, vectors = jnp.linalg.eig(_check_square("eig", x))
    return values, vectors


@op("x", spec=with_known_sizes("eigh", -2, -1))
def eigh(x: ArrayLike) -> tuple[Array, Array]:
    """Eigenvalues in ascending order, and eigenvectors as columns, of symmetric matrices.

    Args:
        x: Array `(..., n, n)`.

    Returns:
        Eigenvalues `(..., n)` and eigenvectors `(..., n, n)`.

    Raises:
        ValueError: If the last two sizes differ.

    Example:
        >>> values, vectors = eigh([[3.0, 0.0], [0.0, 2.0]])
        >>> values.tolist()
        [2.0, 3.0]
    """
    return tuple(jnp.linalg.eigh(_check_square("eigh", x)))


@op("x")
def lu_factor(x: ArrayLike) -> tuple[Array, Array]:
    """LU decomposition: lower and upper triangle in one matrix, and the row exchanges.

    Args:
        x: Array `(..., m, n)`.

    Returns:
        Array `(..., m, n)`, and the rows, `(..., min(m, n))`.

    Example:
        >>> factors, rows = lu_factor([[2.0, 1.0], [4.0, 4.0]])
        >>> factors.tolist(), rows.tolist()
        ([[4.0, 4.0], [0.5, -1.0]], [1, 1])
    """
    x = _check_matrix("lu_factor", x)
    factor: Callable = jax.scipy.linalg.lu_factor
    for _ in range(x.ndim - 2):
        factor = jax.vmap(factor)
    return tuple(factor(x))


@op("x", spec=with_known_sizes("qr", -2, -1))
def qr(x: ArrayLike, mode: str = "reduced") -> tuple[Array, Array]:
    """QR decomposition: orthonormal columns and an upper triangular matrix.

    Args:
        x: Matrices, `(…, rows, columns)`.
        mode: `"reduced"` for as many columns as needed, `"complete"` for as many as rows.

    Returns:
        Two arrays, `q` and `r`.

    Example:
        >>> q, r = qr([[2.0, 0.0], [0.0, 3.0]])
        >>> abs(q @ r).round(4).tolist()
        [[2.0, 0.0], [0.0, 3.0]]
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr needs mode 'reduced' or 'complete'; received {mode!r}.")
    return tuple(jnp.linalg.qr(_check_matrix("qr", x), mode))


@op("x", class_name="SVD")
def svd(x: ArrayLike, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Singular value decomposition, `x = u @ diag(s) @ vh`, with `s` in descending order.

    Args:
        x: Matrices, `(…, rows, columns)`.
        full_matrices: Whether `u` and `vh` are square; otherwise they have the minimal size.
        compute_uv: Return `(u, s, vh)`; else `s` alone.

    Returns:
        Arrays `u`, `s` and `vh`, or `s` alone.

    Example:
        >>> svd([[3.0, 0.0], [0.0, 4.0]], compute_uv=False).tolist()
        [4.0, 3.0]
    """
    result = jnp.linalg.svd(_check_matrix("svd", x), full_matrices, compute_uv)
    return tuple(result) if compute_uv else result


@op("a", "b", spec=_refuse_unknown_system("solve"))
def solve(a: ArrayLike, b: ArrayLike) -> Array:
    """The `x` for which `a @ x` is `b`.

    Args:
        a: Square matrices, `(…, n, n)`.
        b: Vectors `(…, n)` or matrices `(…, n, k)`.

    Returns:
        Array of the shape of `b`.

    Example:
        >>> solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0]).tolist()
        [1.0, 0.5]
    """
    a, b = _check_system("solve", a, b)
    if 1 < b.ndim == a.ndim - 1:  # one vector for each matrix, which JAX would treat as a matrix
        return jnp.linalg.solve(a, b[..., None])[..., 0]
    return jnp.linalg.solve(a, b)


@op("a", "b", spec=_refuse_unknown_system("solve_triangular"))
def solve_triangular(a: ArrayLike, b: ArrayLike, lower: bool = False) -> Array:
    """The `x` for which `a @ x` is `b`, for triangular `a`.

    Args:
        a: Triangular matrices, `(…, n, n)`; the other half is ignored.
        b: Vectors `(…, n)` or matrices `(…, n, k)`.
        lower: Whether it is the lower triangle.

    Returns:
        Array of the shape of `b`.

    Example:
        >>> solve_triangular([[2.0, 0.0], [2.0, 1.0]], [2.0, 3.0], lower=True).tolist()
        [1.0, 1.0]
    """
    return jax.scipy.linalg.solve_triangular(*_check_system("solve_triangular", a, b), lower=lower)


@op("a", "b")
def lstsq(a: ArrayLike, b: ArrayLike, rcond: float | None = None) -> Array:
    """The `x` for which `a @ x` comes closest to `b`, by the sum of squares.

    Args:
        a: `(rows, columns)`.
        b: `(rows,)` or `(rows, k)`.
        rcond: Singular values below this fraction of the largest count as 0.

    Returns:
        Array `(n,)` or `(n, k)`.

    Example:
        >>> lstsq([[1.0], [1.0]], [1.0, 3.0]).round(3).tolist()
        [2.0]
    """
    a, b = to_common_floats(a, b)
    return jnp.linalg.lstsq(_check_matrix("lstsq", a), b, rcond=rcond)[0]


@op("x")
def pinv(x: ArrayLike, rcond: float | None = None) -> Array:
    """The pseudo-inverse (Moore and Penrose) of matrices of any shape.

    Args:
        x: Matrices, `(…, rows, columns)`.
        rcond: Singular values below this fraction of the largest count as 0.

    Returns:
        Array `(..., n, m)` for `(..., m, n)`.

    Example:
        >>> pinv([[2.0], [0.0]]).round(3).tolist()
        [[0.5, 0.0]]
    """
    return jnp.linalg.pinv(_check_matrix("pinv", x), rcond)


@op("x")
def matrix_rank(x: ArrayLike, tol: float | None = None) -> Array:
    """Rank of matrices: the number of linearly independent rows.

    Args:
        x: Matrices, `(…, rows, columns)`.
        tol: Singular values below it count as 0; by the type's precision for None.

    Returns:
        Integers, `(...)`.

    Example:
        >>> int(matrix_rank([[1.0, 2.0], [2.0, 4.0]]))
        1
    """
    return jnp.linalg.matrix_rank(_check_matrix("matrix_rank", x), tol).astype("int32")


@op("x")
def norm(x: ArrayLike, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """The length of vectors, or a norm of matrices.

    Args:
        x: Any array.
        ord: Which norm: None for the root of the sum of squares, 1, 2, `jnp.inf`, `"fro"`,
            `"nuc"` …, as in NumPy.
        axis: One axis for vectors, two for matrices, None for all.
        keepdims: Keep those axes with size 1.

    Returns:
        Array without the reduced axes.

    Example:
        >>> float(norm([3.0, 4.0]))
        5.0
    """
    return jnp.linalg.norm(to_floats(x), ord, as_axes(axis), keepdims)


@op("fun", "primals", "tangents", class_name="JVP")
def jvp(fun: Callable, primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """A function's value, and its derivative in one direction.

    Args:
        fun: Function of arrays.
        primals: Its arguments, a list or tuple.
        tangents: The direction, of the same structure.
        has_aux: Whether `fun` returns `(value, something_else)`.

    Returns:
        `(value, derivative)`, or `(value, derivative, something_else)`.

    Example:
        >>> value, derivative = jvp(lambda x: x * x, (jnp.array(3.0),), (jnp.array(1.0),))
        >>> float(value), float(derivative)
        (9.0, 6.0)
    """
    primals, tangents = tuple(map(as_array, primals)), tuple(map(as_array, tangents))
    return jax.jvp(fun, primals, tangents, has_aux=has_aux)


def _check_matrix(caller: str, x: ArrayLike) -> Array:
    x = to_floats(x)
    if x.ndim < 2:
        raise ValueError(f"{caller} needs matrices (…, rows, columns); received shape {x.shape}.")
    return x


def _check_square(caller: str, x: ArrayLike) -> Array:
    x = _check_matrix(caller, x)
    if x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{caller} needs square matrices; received shape {x.shape}.")
    return x


def _check_system(caller: str, a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    a, b = to_common_floats(a, b)
    a = _check_square(caller, a)
    vectors = b.ndim == a.ndim - 1
    if b.ndim < 1 or b.shape[-1 if vectors else -2] != a.shape[-1]:
        raise ValueError(
            f"{caller} needs as many values in b as a has rows; received a of shape {a.shape} and "
            f"b of shape {b.shape}."
        )
    return a, b


suggest_similar_names(__name__)
