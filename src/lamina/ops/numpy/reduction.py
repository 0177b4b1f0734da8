"""Reductions: sums, means, extremes, cumulative sums, quantiles.

`axis` is one axis, several, or None for all of them; with `keepdims` they stay, of size 1.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.types import Array, ArrayLike, DTypeLike
from lamina.ops.arrays import (
    as_array,
    as_axes,
    as_dtype,
    at_least_float32,
    refuse_sparse_and_ragged,
    to_common_floats,
    to_floats,
)
from lamina.ops.define import make_docstring, operations, set_name_and_docstring
from lamina.ops.lowering import run_lowering

op = operations("numpy")
reduction = op.reduction


# ---- sums, means, spread ---------------------------------------------------------------------


def _mean(x: Array, axis: Any, keepdims: bool) -> Array:
    return jnp.mean(x, axis, at_least_float32(x), keepdims=keepdims).astype(x.dtype)


def _var(x: Array, axis: Any, keepdims: bool) -> Array:
    return jnp.var(x, axis, at_least_float32(x), keepdims=keepdims).astype(_real(x))


def _real(x: Array) -> Any:
    return jnp.finfo(x.dtype).dtype  # for complex numbers the dtype of their parts


sum = reduction("sum", jnp.sum, "The sum over axes.")
mean = reduction("mean", _mean, "The mean over axes.", to_floats)
var = reduction("var", _var, "The variance: the mean squared distance from the mean.", to_floats)
std = reduction("std", jnp.std, "The standard deviation: the root of the variance.", to_floats)


@op("x")
def prod(
    x: ArrayLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    dtype: DTypeLike | None = None,
) -> Array:
    """The product over axes, computed and returned in `dtype`.

    Args:
        x: Array of any shape.
        axis: Axis or axes to reduce; None for all.
        keepdims: Whether these axes stay, of size 1.
        dtype: Type of the result; that of `x`, int32 at least, for None.

    Returns:
        Array without these axes.

    Example:
        >>> prod([[1, 2], [3, 4]], axis=0).tolist()
        [3, 8]
    """
    return jnp.prod(as_array(x), as_axes(axis), as_dtype(dtype), keepdims=keepdims)


@op("x", "weights")
def average(
    x: ArrayLike, axis: int | Sequence[int] | None = None, weights: ArrayLike | None = None
) -> Array:
    """The weighted mean over an axis.

    Args:
        x: Any array.
        axis: One axis, or None for all.
        weights: One per value, or one per position on the axis; equal weights for None.

    Returns:
        Array without that axis.

    Example:
        >>> float(average([1.0, 3.0], weights=[3.0, 1.0]))
        1.5
    """
    if weights is None:
        return jnp.average(to_floats(x), as_axes(axis))
    x, weights = to_common_floats(x, weights)
    return jnp.average(x, as_axes(axis), weights)


# ---- extremes and truth ------------------------------------------------------------------------


@op("x")
def max(
    x: ArrayLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    initial: float | None = None,
) -> Array:
    """The largest value over axes, at least `initial`.

    Args:
        x: Array of any shape.
        axis: Axis or axes to reduce; None for all.
        keepdims: Whether these axes stay, of size 1.
        initial: An additional value; without it the array must not be empty.

    Returns:
        Array without these axes.

    Example:
        >>> max([[1, 5], [4, 2]], axis=1).tolist()
        [5, 4]
    """
    return jnp.max(as_array(x), as_axes(axis), keepdims=keepdims, initial=initial)


@op("x")
def min(
    x: ArrayLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    initial: float | None = None,
) -> Array:
    """The smallest value over axes, at most `initial`.

    Args:
        x: Array of any shape.
        axis: Axis or axes to reduce; None for all.
        keepdims: Whether these axes stay, of size 1.
        initial: An additional value; without it the array must not be empty.

    Returns:
        Array without these axes.

    Example:
        >>> min([[1, 5], [4, 2]], axis=1).tolist()
        [1, 2]
    """
    return jnp.min(as_array(x), as_axes(axis), keepdims=keepdims, initial=initial)


amax = reduction("amax", jnp.max, "The largest value over axes.")
amin = reduction("amin", jnp.min, "The smallest value over axes.")
ptp = reduction("ptp", jnp.ptp, "The distance from the smallest value to the largest.")


_ONE_AXIS = "Axis to reduce; None for the flattened array."


def _argmax(x: Array, axis: Any, keepdims: bool) -> Array:
    return run_lowering("argmax", x, axis, keepdims)


def _argmin(x: Array, axis: Any, keepdims: bool) -> Array:
    return run_lowering("argmin", x, axis, keepdims)


argmax = reduction(
    "argmax",
    _argmax,
    "Index of the largest value; the first of equal values.",
    axis=_ONE_AXIS,
)
argmin = reduction(
    "argmin",
    _argmin,
    "Index of the smallest value; the first of equal values.",
    axis=_ONE_AXIS,
)
all = reduction("all", jnp.all, "True if all values are true.")
any = reduction("any", jnp.any, "True if one value is true.")


@op("x")
def count_nonzero(x: ArrayLike, axis: Any = None) -> Array:
    """Counts values that are not 0.

    Args:
        x: Array of any shape.
        axis: Axis or axes to reduce; None for all.

    Returns:
        Array of int32 without these axes.

    Example:
        >>> count_nonzero([[0, 1], [2, 3]], axis=0).tolist()
        [1, 2]
    """
    return jnp.count_nonzero(as_array(x), as_axes(axis)).astype("int32")


# ---- ignoring NaN -----------------------------------------------------------------

nansum = reduction("nansum", jnp.nansum, "The sum without NaN.")
nanprod = reduction("nanprod", jnp.nanprod, "The product without NaN.")
nanmax = reduction("nanmax", jnp.nanmax, "The largest value that is not NaN.")
nanmin = reduction("nanmin", jnp.nanmin, "The smallest value that is not NaN.")
nanmean = reduction("nanmean", jnp.nanmean, "The mean without NaN.", to_floats)
nanmedian = reduction("nanmedian", jnp.nanmedian, "The median without NaN.", to_floats)
nanstd = reduction("nanstd", jnp.nanstd, "The standard deviation without NaN.", to_floats)
nanvar = reduction("nanvar", jnp.nanvar, "The variance without NaN.", to_floats)
nanargmax = reduction(
    "nanargmax", jnp.nanargmax, "Index of the largest value, ignoring NaN.", axis=_ONE_AXIS
)
nanargmin = reduction(
    "nanargmin", jnp.nanargmin, "Index of the smallest value, ignoring NaN.", axis=_ONE_AXIS
)


# ---- cumulative sums and products --------------------------------------------------------------


def _define_cumulative(name: str, compute: Callable, summary: str) -> Callable[..., Array]:
    def function(x: ArrayLike, axis: int | None = None, dtype: DTypeLike | None = None) -> Array:
        if isinstance(axis, (list, tuple)) and len(axis) == 1:
            (axis,) = axis
        return compute(as_array(x), axis, as_dtype(dtype))

    arguments = {
        "x": "Array of any shape.",
        "axis": "The axis; None for the flattened array.",
        "dtype": "Type of the result; that of `x` for None, int32 for booleans.",
    }
    returns = "Array of the same shape, or `(values,)` if `axis` is None."
    return op("x")(
        set_name_and_docstring(function, name, make_docstring(summary, arguments, returns))
    )


cumsum = _define_cumulative(
    "cumsum", jnp.cumsum, "Cumulative sums along an axis; flattened for None."
)
cumprod = _define_cumulative(
    "cumprod", jnp.cumprod, "Cumulative products along an axis; flattened for None."
)
nancumsum = _define_cumulative("nancumsum", jnp.nancumsum, "Cumulative sums, NaN counted as 0.")
nancumprod = _define_cumulative(
    "nancumprod", jnp.nancumprod, "Cumulative products, NaN counted as 1."
)


@op("a")
def diff(a: ArrayLike, n: int = 1, axis: int = -1) -> Array:
    """The `n`-th difference of neighbouring values.

    Args:
        a: Array of any shape.
        n: Number of repetitions.
        axis: The axis to go along.

    Returns:
        Array whose size on that axis is less by `n`.

    Example:
        >>> diff([1, 4, 9]).tolist()
        [3, 5]
    """
    return jnp.diff(as_array(a), n, axis)


@op("y")
def trapezoid(y: ArrayLike, x: ArrayLike | None = None, dx: float = 1.0, axis: int = -1) -> Array:
    """Integrates by the trapezoidal rule.

    Args:
        y: Heights.
        x: Positions of the points; None for the distance `dx`.
        dx: Distance of two points.
        axis: The axis along which to add up.

    Returns:
        Array without that axis.

    Example:
        >>> float(trapezoid([1.0, 2.0, 3.0]))
        4.0
    """
    return jnp.trapezoid(to_floats(y), None if x is None else as_array(x), dx, axis)


# ---- quantiles and distributions -----------------------------------------------------------------


def _define_quantile(name: str, compute: Callable, summary: str) -> Callable[..., Array]:
    def function(
        x: ArrayLike,
        q: ArrayLike,
        axis: int | Sequence[int] | None = None,
        method: str = "linear",
        keepdims: bool = False,
    ) -> Array:
        return compute(to_floats(x), as_array(q), as_axes(axis), method=method, keepdims=keepdims)

    arguments = {
        "x": "Array of any shape.",
        "q": "One number or several.",
        "axis": "Axis or axes to reduce; None for all.",
        "method": 'Interpolation between two values: `"linear"`, `"lower"`, `"higher"`, '
        '`"midpoint"` or `"nearest"`.',
        "keepdims": "Whether to keep the reduced axes with size 1.",
    }
    returns = "Array without these axes; for several `q` they are its first axis."
    return op("x", "q")(
        set_name_and_docstring(function, name, make_docstring(summary, arguments, returns))
    )


median = reduction(
    "median", jnp.median, "The middle value over axes, or the mean of two.", to_floats
)
quantile = _define_quantile(
    "quantile", jnp.quantile, "The value that a fraction `q` (0 to 1) of the values is below."
)
percentile = _define_quantile(
    "percentile", jnp.percentile, "The value that `q` percent (0 to 100) of the values are below."
)
nanquantile = _define_quantile("nanquantile", jnp.nanquantile, "`quantile` without NaN.")
nanpercentile = _define_quantile("nanpercentile", jnp.nanpercentile, "`percentile` without NaN.")


@op("x")
def histogram(
    x: ArrayLike, bins: int = 10, range: tuple[float, float] | None = None
) -> tuple[Array, Array]:
    """Counts the values of a vector in `bins` intervals of equal width.

    Args:
        x: A vector.
        bins: Number of intervals.
        range: Lower end of the first and upper end of the last; those of the values for None.

    Returns:
        Counts, `(bins,)`, and edges, `(bins + 1,)`.

    Example:
        >>> counts, edges = histogram([1.0, 1.5, 3.0], bins=2)
        >>> counts.tolist(), edges.tolist()
        ([2.0, 1.0], [1.0, 2.0, 3.0])
    """
    if not isinstance(bins, int) or bins < 1:
        raise ValueError(f"histogram needs bins as an integer, 1 or more; received {bins!r}.")
    if range is not None and (len(range) != 2 or range[1] < range[0]):
        raise ValueError(f"histogram needs a range (lower, upper); received {range!r}.")
    x = as_array(x)
    if x.ndim > 1:
        raise ValueError(f"histogram needs a vector; received shape {x.shape}. See ravel().")
    return jnp.histogram(x, bins, None if range is None else tuple(range))


def _bincount_spec(
    x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False
) -> KerasTensor:
    dtype = "int32" if weights is None else jnp.result_type(as_array(weights), x.dtype)
    return KerasTensor((*x.shape[:-1], None), dtype)


@op("x", spec=_bincount_spec)
def bincount(
    x: ArrayLike, weights: ArrayLike | None = None, minlength: int = 0, sparse: bool = False
) -> Array:
    """Counts of each integer, or sums of the weights at its positions.

    The size of the result depends on the largest number. Inside a compiled step, where that is not
    known, the result has `minlength` entries and larger numbers are ignored.

    Args:
        x: Integers, `(values,)` or `(batch, values)`.
        weights: One for each, or None.
        minlength: Minimum size of the last axis.
        sparse: Must be False.

    Returns:
        Array `(numbers,)`, one entry for every integer from 0 on.

    Example:
        >>> bincount([0, 2, 2]).tolist()
        [1, 0, 2]
    """
    refuse_sparse_and_ragged("bincount", sparse)
    x = as_array(x)
    weights = None if weights is None else as_array(weights)
    if isinstance(x, jax.core.Tracer):
        if minlength < 1:
            raise ValueError(
                "bincount in a compiled step needs the size of the result.\n"
                "  Fix: bincount(x, minlength=…), one more than the largest number."
            )
        length = minlength
    else:
        length = int(jnp.maximum(x.max() + 1, minlength)) if x.size else minlength

    def count(values: Array, values_weights: Array | None) -> Array:
        return jnp.bincount(values, values_weights, length=length)

    if x.ndim < 2:
        return count(x, weights)
    return jax.vmap(count, in_axes=(0, None if weights is None else 0))(x, weights)


@op("x")
def corrcoef(x: ArrayLike) -> Array:
    """Correlation coefficients of rows, -1 to 1: `(rows, values)` to `(rows, rows)`.

    Args:
        x: Array `(rows, values)`.

    Returns:
        Array `(rows, rows)`.

    Example:
        >>> corrcoef([[1.0, 2.0], [4.0, 2.0]]).round(3).tolist()
        [[1.0, -1.0], [-1.0, 1.0]]
    """
    return jnp.corrcoef(to_floats(x))


@op("x1", "x2")
def correlate(x1: ArrayLike, x2: ArrayLike, mode: str = "valid") -> Array:
    """The sum of products of two vectors, one shifted along the other.

    Args:
        x1, x2: Vectors.
        mode: `"valid"` where they overlap fully, `"same"`, or `"full"`.

    Returns:
        Array `(shifts,)`.

    Example:
        >>> correlate([1.0, 2.0, 3.0], [0.0, 1.0]).tolist()
        [2.0, 3.0]
    """
    if mode not in ("valid", "same", "full"):
        raise ValueError(f"correlate needs mode 'valid', 'same' or 'full'; received {mode!r}.")
    x1, x2 = to_common_floats(x1, x2)
    return jnp.correlate(x1, x2, mode)
