"""Indexing, selection by conditions, sorting and searching."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Array, ArrayLike
from lamina.ops.arrays import as_array, as_arrays
from lamina.ops.define import operations
from lamina.ops.specs import elementwise

op = operations("numpy")


# ---- indexing ----------------------------------------------------------------------------------


def _item_spec(x: Any, key: Any) -> None:
    """Refuses indices out of range, which JAX would clip."""
    keys = list(key) if isinstance(key, (list, tuple)) else [key]
    if not all(k is None or k is ... or isinstance(k, (int, slice)) for k in keys):
        return
    positions = [k for k in keys if k is not None]
    if ... in positions:
        ellipsis_position = positions.index(...)
        missing_axes = len(x.shape) - (len(positions) - 1)
        positions[ellipsis_position : ellipsis_position + 1] = [slice(None)] * missing_axes
    for axis, (position, size) in enumerate(zip(positions, x.shape, strict=False)):
        if isinstance(position, int) and size is not None and not -size <= position < size:
            raise ValueError(
                f"get_item: index {position} is out of range for axis {axis} of size {size}."
            )


@op("x", "key", spec=_item_spec)
def get_item(x: ArrayLike, key: Any) -> Array:
    """`x[key]`.

    Args:
        x: Array of any shape.
        key: Number, slice, None, `...`, array, or a tuple of these.

    Returns:
        Array.

    Example:
        >>> get_item([[1, 2], [3, 4]], (slice(None), 0)).tolist()
        [1, 3]
    """
    # In a saved config a tuple of indices is a list.
    return as_array(x)[tuple(key) if isinstance(key, list) else key]


@op("x", "indices", index_arguments=("indices",))
def take(x: ArrayLike, indices: ArrayLike, axis: int | None = None) -> Array:
    """The values at indices along an axis; of the flattened array for None.

    An index out of range gives NaN, or the smallest number of an integer dtype.

    Args:
        x: Array of any shape.
        indices: Integers of any shape; negative ones count from the end.
        axis: The axis.

    Returns:
        Array in which the axes of `indices` replace that axis.

    Example:
        >>> take([[1, 2], [3, 4]], [1, 0], axis=1).tolist()
        [[2, 1], [4, 3]]
    """
    return jnp.take(as_array(x), as_array(indices), axis)


@op("x", "indices", index_arguments=("indices",))
def take_along_axis(x: ArrayLike, indices: ArrayLike, axis: int | None = None) -> Array:
    """The values at indices for every row, e.g. those of `argsort`.

    Args:
        x: Array of any shape.
        indices: Integers, with as many axes as `x`.
        axis: Axis to go along; None for all values in one row.

    Returns:
        Array of the size of `indices` on that axis.

    Example:
        >>> take_along_axis([[1, 2], [3, 4]], [[1], [0]], axis=1).tolist()
        [[2], [3]]
    """
    return jnp.take_along_axis(as_array(x), as_array(indices), axis)


@op("indices")
def unravel_index(indices: ArrayLike, shape: Sequence[int]) -> tuple[Array, ...]:
    """Indices of the flattened array as one index for every axis.

    Args:
        indices: Integers of any shape.
        shape: Shape of the array.

    Returns:
        A tuple of arrays of the shape of `indices`.

    Example:
        >>> [index.tolist() for index in unravel_index([1, 5], (2, 3))]
        [[0, 1], [1, 2]]
    """
    return jnp.unravel_index(as_array(indices), tuple(shape))


# ---- conditions ---------------------------------------------------------------------------------


def _where_spec(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    if x1 is None and x2 is None:
        return _nonzero_spec(condition)
    return _where_values_spec(condition, x1, x2)


_where_values_spec = elementwise(lambda c, x1, x2: jnp.where(c, as_array(x1), as_array(x2)))


def _nonzero_spec(x: Any) -> tuple[KerasTensor, ...]:
    return tuple(KerasTensor((None,), "int32") for _ in x.shape)


@op("condition", "x1", "x2", spec=_where_spec)
def where(condition: ArrayLike, x1: ArrayLike | None = None, x2: ArrayLike | None = None) -> Any:
    """`x1` where the condition is true, `x2` where not; with neither, the indices where it is true.

    Args:
        condition: Booleans, an array of any shape.
        x1: Array or number, of a shape that broadcasts against it.
        x2: Array or number, of a shape that broadcasts against it.

    Returns:
        Array of the shape that all broadcast to; the result of `nonzero` if there are no values.

    Raises:
        ValueError: If only one of `x1` and `x2` is given.

    Example:
        >>> where([True, False], 1, [2, 3]).tolist()
        [1, 3]
    """
    if x1 is None and x2 is None:
        return nonzero(condition)
    if x1 is None or x2 is None:
        raise ValueError("where takes both x1 and x2, or neither.")
    return jnp.where(as_array(condition).astype(bool), as_array(x1), as_array(x2))


@op("condlist", "choicelist", "default")
def select(
    condlist: Sequence[ArrayLike], choicelist: Sequence[ArrayLike], default: ArrayLike = 0
) -> Array:
    """Selects values by the first condition that is true.

    Args:
        condlist: Conditions, one for each choice.
        choicelist: Values where they are true.
        default: Value where none is true.

    Returns:
        Array of the shape of the conditions.

    Example:
        >>> select([[True, False, False], [True, True, False]], [1, 2], 9).tolist()
        [1, 2, 9]
    """
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(
            f"select needs a choice for every condition; received {len(condlist)} conditions and "
            f"{len(choicelist)} choices."
        )
    return jnp.select(as_arrays(condlist), as_arrays(choicelist), as_array(default))


@op("x", spec=_nonzero_spec)
def nonzero(x: ArrayLike) -> tuple[Array, ...]:
    """The indices of values that are not 0, one array for every axis.

    Their number depends on the values, so a compiled step cannot compute it.

    Args:
        x: Array of any shape.

    Returns:
        A tuple of arrays `(count,)`.

    Example:
        >>> [index.tolist() for index in nonzero([[0, 1], [2, 0]])]
        [[0, 1], [1, 0]]
    """
    x = as_array(x)
    _require_known("nonzero", x, "where(condition, x, 0) keeps the shape")
    return jnp.nonzero(x)


@op("x1", "x2", class_name="IsIn")
def isin(x1: ArrayLike, x2: ArrayLike, assume_unique: bool = False, invert: bool = False) -> Array:
    """True where a value of `x1` is in `x2`; the opposite with `invert`.

    Args:
        x1: Array of any shape.
        x2: Values to search, of any shape.
        assume_unique: Whether both have no duplicates, which may be faster.
        invert: Whether to negate the result.

    Returns:
        Array of booleans, of the shape of `x1`.

    Example:
        >>> isin([1, 2, 3], [2, 5]).tolist()
        [False, True, False]
    """
    return jnp.isin(as_array(x1), as_array(x2), assume_unique=assume_unique, invert=invert)


# ---- sorting -------------------------------------------------------------------------------------


@op("x")
def sort(x: ArrayLike, axis: int | None = -1) -> Array:
    """Values in ascending order along an axis; flattened for None.

    Args:
        x: Array of any shape.
        axis: Axis to go along.

    Returns:
        Array of the same shape; `(values,)` if `axis` is None.

    Example:
        >>> sort([3, 1, 2]).tolist()
        [1, 2, 3]
    """
    return jnp.sort(as_array(x), axis)


@op("x")
def argsort(x: ArrayLike, axis: int | None = -1) -> Array:
    """Indices that sort values in ascending order; equal values keep their order.

    Args:
        x: Array of any shape.
        axis: Axis to go along; None for all values in one row.

    Returns:
        Integers, of the same shape; `(values,)` if `axis` is None.

    Example:
        >>> argsort([3, 1, 2]).tolist()
        [1, 2, 0]
    """
    x = as_array(x)
    return jnp.argsort(x, None if x.ndim == 0 else axis)


@op("x")
def argpartition(x: ArrayLike, kth: int, axis: int | None = -1) -> Array:
    """Indices such that the first `kth` values are not larger than the following one.

    Args:
        x: Array of any shape.
        kth: Position of the partition, from 0.
        axis: Axis to go along; None for all values in one row.

    Returns:
        Integers, of the same shape; `(values,)` if `axis` is None.

    Example:
        >>> argpartition([9, 1, 5], 1).tolist()
        [1, 2, 0]
    """
    x = as_array(x)
    return jnp.argpartition(x.ravel() if axis is None else x, kth, 0 if axis is None else axis)


@op("sorted_sequence", "values", class_name="SearchSorted")
def searchsorted(sorted_sequence: ArrayLike, values: ArrayLike, side: str = "left") -> Array:
    """Indices at which values would be inserted to keep a vector sorted.

    Args:
        sorted_sequence: A vector in ascending order.
        values: Any array.
        side: Whether to insert before (`"left"`) or after equal values (`"right"`).

    Returns:
        Integers, of the shape of the values.

    Example:
        >>> searchsorted([1, 3, 5], [3, 4]).tolist()
        [1, 2]
    """
    row = as_array(sorted_sequence)
    if row.ndim != 1:
        raise ValueError(
            f"searchsorted needs a vector to search in; received shape {row.shape}.\n"
            "  Fix: for several vectors, lamina.ops.vectorized_map."
        )
    return jnp.searchsorted(row, as_array(values), side=side)


@op("x", "bins")
def digitize(x: ArrayLike, bins: ArrayLike) -> Array:
    """The index of the interval of a value: the number of edges at or below it.

    Args:
        x: Array of any shape.
        bins: Edges in ascending order, `(edges,)`.

    Returns:
        int32 numbers from 0 to the number of edges, of the shape of `x`.

    Raises:
        ValueError: If `bins` has another number of axes.

    Example:
        >>> digitize([0.5, 3.0], [1.0, 2.0]).tolist()
        [0, 2]
    """
    edges = as_array(bins)
    if edges.ndim != 1:
        raise ValueError(f"digitize needs a vector of edges; received shape {edges.shape}.")
    return jnp.digitize(as_array(x), edges)


def _unique_spec(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    shape = [size] if axis is None else list(x.shape)
    shape[axis or 0] = size
    inverse = x.shape if axis is None else (x.shape[axis],)
    outputs = [KerasTensor(shape, x.dtype)]
    for is_returned, output_shape in (
        (return_index, (size,)),
        (return_inverse, inverse),
        (return_counts, (size,)),
    ):
        if is_returned:
            outputs.append(KerasTensor(output_shape, "int32"))
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


@op("x", spec=_unique_spec)
def unique(
    x: ArrayLike,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Array | float | None = None,
) -> Any:
    """The unique values.

    Args:
        x: Any array; flattened if `axis` is None.
        sorted: Accepted for compatibility with Keras; the values always are in ascending order.
        return_index: Also return the index of the first occurrence of each value.
        return_inverse: Also return the index of each value of `x` in the result.
        return_counts: Also return the count of each value.
        axis: Look for different slices along an axis instead of different values.
        size: Number of values to return, needed in a compiled step; missing ones are filled.
        fill_value: Value for missing ones; the smallest value for None.

    Returns:
        Array `(values,)`, or a tuple with the other requested arrays.

    Example:
        >>> values, counts = unique([3, 1, 3], return_counts=True)
        >>> values.tolist(), counts.tolist()
        ([1, 3], [1, 2])
    """
    x = as_array(x)
    if size is None:
        _require_known("unique", x, "unique(x, size=…) with the maximum number of values")
    return jnp.unique(
        x, return_index, return_inverse, return_counts, axis,
        equal_nan=False, size=size, fill_value=fill_value, sorted=sorted,
    )  # fmt: skip


# ---- sizes, vectorize ---------------------------------------------------------------------------


@op("x")
def size(x: ArrayLike) -> Any:
    """The number of values.

    Args:
        x: Array of any shape.

    Returns:
        An integer.

    Example:
        >>> size([[1, 2], [3, 4]])
        4
    """
    return as_array(x).size


@op("x")
def ndim(x: ArrayLike) -> Any:
    """The number of axes.

    Args:
        x: Array of any shape.

    Returns:
        An integer.

    Example:
        >>> ndim([[1, 2], [3, 4]])
        2
    """
    return as_array(x).ndim


@filter_traceback
def vectorize(pyfunc: Callable, *, excluded: Any = None, signature: str | None = None) -> Callable:
    """A function of arrays from a function of scalars; shapes are broadcast.

    Args:
        pyfunc: The function.
        excluded: Positions or names of arguments that are not vectorized.
        signature: Shapes of arguments and results if they are not scalars, e.g. `"(n),(n)->()"`.

    Returns:
        A function of arrays.

    Example:
        >>> vectorize(lambda a, b: a + 2 * b)(as_array([1, 2]), 10).tolist()
        [21, 22]
    """
    return jnp.vectorize(pyfunc, excluded=excluded or set(), signature=signature)


def _require_known(caller: str, x: Array, alternative: str) -> None:
    if isinstance(x, jax.core.Tracer):
        raise ValueError(
            f"{caller} is of a size that depends on the values, which a compiled step does not "
            f"know.\n  Fix: {alternative}."
        )
