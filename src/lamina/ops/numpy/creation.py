"""New arrays: constants, ranges, matrices, grids and windows."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from lamina.core.configuration import config
from lamina.core.configuration.dtypes import standardize_dtype
from lamina.core.graph.keras_tensor import is_symbolic
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Array, ArrayLike, DTypeLike
from lamina.core.variable.variable import Variable
from lamina.ops.arrays import as_array, as_dtype
from lamina.ops.define import make_docstring, operations, set_name_and_docstring

op = operations("numpy")


def _define_like(name: str, make: Callable, summary: str) -> Callable[..., Array]:
    def function(x: ArrayLike, dtype: DTypeLike | None = None) -> Array:
        return make(as_array(x), dtype=as_dtype(dtype))

    arguments = {
        "x": "Array with the shape of the result.",
        "dtype": "Type of the result; that of `x` for None.",
    }
    docstring = make_docstring(summary, arguments, "Array of the shape of `x`.")
    return op("x")(set_name_and_docstring(function, name, docstring))


@filter_traceback
def zeros(shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
    """An array of zeros; `floatx()` if no dtype is given.

    Args:
        shape: Sizes of the axes.
        dtype: Type of the result.

    Returns:
        Array of that shape.

    Example:
        >>> zeros((2,)).tolist()
        [0.0, 0.0]
    """
    return jnp.zeros(shape, standardize_dtype(dtype))


@filter_traceback
def ones(shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
    """An array of ones; `floatx()` if no dtype is given.

    Args:
        shape: Sizes of the axes.
        dtype: Type of the result.

    Returns:
        Array of that shape.

    Example:
        >>> ones((2,), "int32").tolist()
        [1, 1]
    """
    return jnp.ones(shape, standardize_dtype(dtype))


@filter_traceback
def empty(shape: Sequence[int], dtype: DTypeLike | None = None) -> Array:
    """An array whose values do not matter; in JAX they are zeros.

    Args:
        shape: Sizes of the axes.
        dtype: Type of the result; `floatx()` for None.

    Returns:
        Array of that shape.

    Example:
        >>> empty((2, 3)).shape
        (2, 3)
    """
    return jnp.empty(shape, standardize_dtype(dtype))


@op("fill_value")
def full(shape: Sequence[int], fill_value: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """An array of one value; `floatx()` if no dtype is given.

    Args:
        shape: Sizes of the axes.
        fill_value: The value, a number or an array that broadcasts to the shape.
        dtype: Type of the result; `floatx()` for None.

    Returns:
        Array of that shape.

    Example:
        >>> full((2,), 7).tolist()
        [7.0, 7.0]
    """
    return jnp.full(shape, as_array(fill_value), standardize_dtype(dtype))


zeros_like = _define_like("zeros_like", jnp.zeros_like, "Zeros in the shape and type of `x`.")
ones_like = _define_like("ones_like", jnp.ones_like, "Ones in the shape and type of `x`.")
empty_like = _define_like("empty_like", jnp.empty_like, "Any values in the shape and type of `x`.")


@op("x", "fill_value")
def full_like(x: ArrayLike, fill_value: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """One value in the shape and type of `x`.

    Args:
        x: Array whose shape is taken.
        fill_value: The value, a number or an array that broadcasts to the shape.
        dtype: Type of the result; that of `x` for None.

    Returns:
        Array of the shape of `x`.

    Example:
        >>> full_like([1, 2], 7).tolist()
        [7, 7]
    """
    return jnp.full_like(as_array(x), as_array(fill_value), dtype=as_dtype(dtype))


@op("x")
def array(x: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """An array with the values of `x`, always a copy.

    Args:
        x: Array or nested list of numbers.
        dtype: Type of the result; that of `x` for None.

    Returns:
        Array of the same shape.

    Example:
        >>> array([1, 2], "float32").tolist()
        [1.0, 2.0]
    """
    return jnp.array(as_array(x), dtype=as_dtype(dtype))


@filter_traceback
def identity(n: int, dtype: DTypeLike | None = None) -> Array:
    """A square matrix with ones on the diagonal.

    Args:
        n: Number of rows.
        dtype: Type of the result; `floatx()` for None.

    Returns:
        Array `(n, n)`.

    Example:
        >>> identity(2).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    return jnp.identity(n, standardize_dtype(dtype))


@filter_traceback
def eye(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike | None = None) -> Array:
    """An `(N, M)` matrix with ones on a diagonal.

    Args:
        N: Rows.
        M: Columns; as many as rows for None.
        k: Which diagonal: 0 the main one, above it positive, below it negative.
        dtype: Type of the result; `floatx()` for None.

    Returns:
        Array `(N, M)`.

    Example:
        >>> eye(2, 3, k=1).tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    for name, size in (("N", N), ("M", M)):
        if isinstance(size, float) or jnp.issubdtype(getattr(size, "dtype", int), jnp.floating):
            raise TypeError(f"eye needs an integer as {name}; received {size!r}.")
    return jnp.eye(N, M, k, standardize_dtype(dtype))


@filter_traceback
def tri(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike | None = None) -> Array:
    """An `(N, M)` matrix with ones on and below a diagonal.

    Args:
        N: Number of rows.
        M: Number of columns; as many as rows for None.
        k: Which diagonal; 0 is the main one, positive ones are above.
        dtype: Type of the result; `floatx()` for None.

    Returns:
        Array `(N, M)`.

    Example:
        >>> tri(2, 3).tolist()
        [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """
    return jnp.tri(N, M, k, standardize_dtype(dtype))


@op("start", "stop", "step")
def arange(
    start: ArrayLike,
    stop: ArrayLike | None = None,
    step: ArrayLike | None = None,
    dtype: DTypeLike | None = None,
) -> Array:
    """Numbers from `start` up to, but not including, `stop`, in equal steps.

    Args:
        start: First number; with one argument it is the stop, and the first number is 0.
        stop: End, not included.
        step: Distance; 1 for None.
        dtype: Type of the result; that of the arguments for None.

    Returns:
        Array `(numbers,)`.

    Example:
        >>> arange(3).tolist(), arange(1, 2, 0.5).tolist()
        ([0, 1, 2], [1.0, 1.5])
    """
    ends: list[Any] = [v.value if isinstance(v, Variable) else v for v in (start, stop, step)]
    if dtype is None:
        known_arguments = [v for v in ends if v is not None]
        dtype = jnp.result_type(*(jnp.asarray(v).dtype for v in known_arguments))
    first, end, distance = ends
    return jnp.arange(first, end, distance, dtype=as_dtype(dtype))


@op("start", "stop")
def linspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Any:
    """`num` numbers at equal distances.

    Args:
        start, stop: First and last number, or arrays of them.
        num: Number of values.
        endpoint: Whether `stop` is among them.
        retstep: Return `(numbers, distance)`.
        dtype: Type of the result.
        axis: Where the new axis goes if `start` or `stop` are arrays.

    Returns:
        Array `(num,)`, with the axes of `start` and `stop` besides; a tuple of it and the distance
        with `retstep`.

    Example:
        >>> linspace(0, 1, 3).tolist()
        [0.0, 0.5, 1.0]
    """
    return jnp.linspace(
        as_array(start), as_array(stop), num, endpoint, retstep, as_dtype(dtype), axis
    )


@op("start", "stop")
def logspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Array:
    """`num` numbers from `base**start` to `base**stop`, with a constant ratio.

    Args:
        start: Exponent of the first number.
        stop: Exponent of the last number, or the end of the range without `endpoint`.
        num: Number of values.
        endpoint: Whether the number at `stop` is one of them.
        base: Base of the powers.
        dtype: Type of the result; that of the arguments, in floats, for None.
        axis: Where the new axis is, if `start` or `stop` are arrays.

    Returns:
        Array `(num,)`, with the axes of `start` and `stop` besides.

    Example:
        >>> logspace(0, 2, 3, base=2).tolist()
        [1.0, 2.0, 4.0]
    """
    return jnp.logspace(as_array(start), as_array(stop), num, endpoint, base, as_dtype(dtype), axis)


@op("start", "stop")
def geomspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Array:
    """`num` numbers from `start` to `stop`, with a constant ratio.

    Args:
        start: The first number.
        stop: The last number, or the end of the range without `endpoint`.
        num: Number of values.
        endpoint: Whether `stop` is one of them.
        dtype: Type of the result; that of the arguments, in floats, for None.
        axis: Where the new axis is, if `start` or `stop` are arrays.

    Returns:
        Array `(num,)`, with the axes of `start` and `stop` besides.

    Example:
        >>> geomspace(1, 4, 3).round(3).tolist()
        [1.0, 2.0, 4.0]
    """
    return jnp.geomspace(as_array(start), as_array(stop), num, endpoint, as_dtype(dtype), axis)


@op("x")
def diag(x: ArrayLike, k: int = 0) -> Array:
    """A matrix with the vector `x` on a diagonal, or the diagonal of the matrix `x`.

    Args:
        x: Array `(n,)` or `(m, n)`.
        k: Which diagonal; 0 is the main one, positive ones are above.

    Returns:
        A matrix for a vector, a vector for a matrix.

    Example:
        >>> diag([1, 2]).tolist(), diag([[1, 2], [3, 4]]).tolist()
        ([[1, 0], [0, 2]], [1, 4])
    """
    return jnp.diag(as_array(x), k)


@op("x")
def diagflat(x: ArrayLike, k: int = 0) -> Array:
    """A matrix with all values of `x`, flattened, on a diagonal.

    Args:
        x: Array of any shape.
        k: Which diagonal; 0 is the main one, positive ones are above.

    Returns:
        A square matrix.

    Example:
        >>> diagflat([[1], [2]]).tolist()
        [[1, 0], [0, 2]]
    """
    return jnp.diagflat(as_array(x), k)


@op("x")
def vander(x: ArrayLike, N: int | None = None, increasing: bool = False) -> Array:
    """Powers of a vector as columns, `(length, N)`.

    Args:
        x: A vector.
        N: Number of columns; the number of values for None.
        increasing: Whether powers increase from left to right.

    Returns:
        Array `(length, N)`.

    Example:
        >>> vander([2, 3], 3).tolist()
        [[4, 2, 1], [9, 3, 1]]
    """
    x = as_array(x)
    if x.ndim != 1:
        raise ValueError(f"vander needs a vector; received shape {x.shape}.")
    if N is not None and (not isinstance(N, int) or N < 0):
        raise ValueError(f"vander needs an integer N, 0 or more; received {N!r}.")
    return jnp.vander(x, N, increasing)


@op("x")
def tril(x: ArrayLike, k: int = 0) -> Array:
    """Matrices with zeros above a diagonal.

    Args:
        x: Array `(..., m, n)`.
        k: Which diagonal; 0 is the main one, positive ones are above.

    Returns:
        Array of the same shape.

    Example:
        >>> tril([[1, 2], [3, 4]]).tolist()
        [[1, 0], [3, 4]]
    """
    return jnp.tril(as_array(x), k)


@op("x")
def triu(x: ArrayLike, k: int = 0) -> Array:
    """Matrices with zeros below a diagonal.

    Args:
        x: Array `(..., m, n)`.
        k: Which diagonal; 0 is the main one, positive ones are above.

    Returns:
        Array of the same shape.

    Example:
        >>> triu([[1, 2], [3, 4]]).tolist()
        [[1, 2], [0, 4]]
    """
    return jnp.triu(as_array(x), k)


@op("x")
def meshgrid(*x: ArrayLike, indexing: str = "xy") -> list[Array]:
    """Coordinates of a grid: for every vector an array that repeats it along the other axes.

    Args:
        *x: Vectors.
        indexing: `"xy"` puts the second vector first, as in an image; `"ij"` keeps the order.

    Returns:
        A list of arrays, each with one axis for every vector.

    Example:
        >>> [axis.tolist() for axis in meshgrid([1, 2], [3, 4])]
        [[[1, 2], [1, 2]], [[3, 3], [4, 4]]]
    """
    return jnp.meshgrid(*(jnp.ravel(as_array(v)) for v in x), indexing=indexing)


# ---- windows ---------------------------------------------------------------------------------


def _define_window(name: str, make: Callable, summary: str) -> Callable[[int], Array]:
    @filter_traceback
    def function(x: int) -> Array:
        return make(_check_length(name, x)).astype(config.floatx())

    docstring = make_docstring(summary, {"x": "Number of points."}, "Array `(points,)` of floats.")
    return set_name_and_docstring(function, name, docstring)


bartlett = _define_window(
    "bartlett", jnp.bartlett, "The Bartlett window of `x` points, a triangle."
)
blackman = _define_window("blackman", jnp.blackman, "The Blackman window of `x` points.")
hamming = _define_window("hamming", jnp.hamming, "The Hamming window of `x` points.")
hanning = _define_window("hanning", jnp.hanning, "The Hann window of `x` points, a raised cosine.")


@filter_traceback
def kaiser(x: int, beta: float) -> Array:
    """The Kaiser window of `x` points.

    Args:
        x: Number of points.
        beta: Shape; 0 is a rectangle, 14 is close to a Gaussian.

    Returns:
        Array `(points,)` of floats.

    Example:
        >>> kaiser(3, 0.0).tolist()
        [1.0, 1.0, 1.0]
    """
    return jnp.kaiser(_check_length("kaiser", x), beta).astype(config.floatx())


def _check_length(name: str, x: Any) -> int:
    if is_symbolic(x):
        raise TypeError(f"{name} needs a number of points that is known; received {x!r}.")
    return int(x)
