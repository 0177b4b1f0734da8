"""Conversion, dtypes, slices, scatters, and control flow that can be compiled."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration.dtypes import standardize_dtype
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.graph.output_specs import trace_spec
from lamina.core.messages.errors import suggest_similar_names, unknown_name
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Array, ArrayLike, DTypeLike, PyTree
from lamina.core.variable.variable import Variable
from lamina.ops.arrays import as_array, as_arrays, refuse_sparse_and_ragged
from lamina.ops.define import operations

__all__ = [
    "associative_scan",
    "cast",
    "cond",
    "convert_to_numpy",
    "convert_to_tensor",
    "custom_gradient",
    "dtype",
    "fori_loop",
    "is_tensor",
    "map",
    "saturate_cast",
    "scan",
    "scatter",
    "scatter_update",
    "shape",
    "slice",
    "slice_update",
    "stop_gradient",
    "switch",
    "unstack",
    "vectorized_map",
    "while_loop",
]

op = operations("core")


# ---- conversion and dtypes ---------------------------------------------------------------------


@op("x")
def convert_to_tensor(
    x: ArrayLike,
    dtype: DTypeLike | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
) -> Array:
    """An array from numbers, lists, a NumPy array or a Variable.

    Args:
        x: Value to convert; an array of the right type is returned unchanged.
        dtype: Type of the result; that of `x` for None.
        sparse, ragged: Must be None or False.

    Returns:
        A JAX array.

    Example:
        >>> convert_to_tensor([1, 2], "float32").tolist()
        [1.0, 2.0]
    """
    refuse_sparse_and_ragged("convert_to_tensor", sparse or ragged)
    return as_array(x) if dtype is None else as_array(x).astype(standardize_dtype(dtype))


@filter_traceback
def convert_to_numpy(x: ArrayLike) -> np.ndarray:
    """The values as a NumPy array, a copy.

    Args:
        x: Array, Variable or nested list of numbers.

    Returns:
        NumPy array of the same shape.

    Example:
        >>> convert_to_numpy(jnp.arange(2))
        array([0, 1], dtype=int32)
    """
    return np.array(x)


@filter_traceback
def is_tensor(x: ArrayLike) -> bool:
    """True for an array on a device; False for NumPy arrays, Variables and symbolic tensors.

    Args:
        x: Anything.

    Returns:
        True or False.

    Example:
        >>> is_tensor(jnp.ones(2)), is_tensor(np.ones(2))
        (True, False)
    """
    return isinstance(x, jax.Array)


@filter_traceback
def shape(x: ArrayLike) -> tuple[int | None, ...]:
    """The sizes of the axes; None for those of a symbolic tensor that are not known.

    Args:
        x: Array, symbolic tensor or nested list of numbers.

    Returns:
        A tuple with one entry for each axis.

    Example:
        >>> shape(jnp.ones((2, 3)))
        (2, 3)
    """
    return tuple(np.shape(x)) if not hasattr(x, "shape") else tuple(x.shape)


@filter_traceback
def dtype(x: ArrayLike) -> str:
    """The name of the type of the values.

    Args:
        x: Array, Variable, symbolic tensor or numbers.

    Returns:
        The name, e.g. `"float32"`.

    Example:
        >>> dtype(jnp.ones(2))
        'float32'
    """
    return standardize_dtype(x.dtype if hasattr(x, "dtype") else as_array(x).dtype)


@op("x")
def cast(x: ArrayLike, dtype: Any) -> Array:
    """Values of another dtype; floats are truncated when they are cast to integers.

    Args:
        x: Array of any shape.
        dtype: The type, e.g. `"int32"`.

    Returns:
        Array of the same shape.

    Example:
        >>> cast([1.7, -1.7], "int32").tolist()
        [1, -1]
    """
    return as_array(x).astype(standardize_dtype(dtype))


@op("x")
def saturate_cast(x: ArrayLike, dtype: Any) -> Array:
    """Values of another dtype; those out of range become the smallest or largest number.

    Args:
        x: Array of any shape.
        dtype: The type, e.g. `"uint8"`.

    Returns:
        Array of the same shape.

    Example:
        >>> saturate_cast([-1.0, 3.0, 300.0], "uint8").tolist()
        [0, 3, 255]
    """
    x, target_dtype = as_array(x), standardize_dtype(dtype)
    if x.dtype == bool:
        return x.astype(target_dtype)
    lowest, highest = zip(_limits(x.dtype), _limits(target_dtype), strict=True)
    low, high = np.array(max(lowest)).astype(x.dtype), np.array(min(highest)).astype(x.dtype)
    # Rounded to the dtype of x, a limit may be out of range; then the next smaller value is used.
    if low < lowest[1]:
        low = np.nextafter(low, np.zeros((), x.dtype))
    if high > highest[1]:
        high = np.nextafter(high, np.zeros((), x.dtype))
    return jnp.clip(x, low, high).astype(target_dtype)


def _limits(dtype: DTypeLike) -> tuple[float, float]:
    if dtype == "bool":
        return 0, 1
    info: Any = jnp.iinfo(dtype) if jnp.issubdtype(dtype, jnp.integer) else jnp.finfo(dtype)
    number = int if jnp.issubdtype(dtype, jnp.integer) else float
    return number(info.min), number(info.max)


@op("variable")
def stop_gradient(variable: Any) -> Any:
    """The same values, through which no gradient is propagated.

    Args:
        variable: Array of any shape.

    Returns:
        Array of the same shape and values.

    Example:
        >>> float(jax.grad(lambda x: x * stop_gradient(x))(3.0))
        3.0
    """
    return jax.lax.stop_gradient(as_array(variable))


# ---- slices and scatters -----------------------------------------------------------------------


def _slice_spec(inputs: Any, start_indices: Any, shape: Sequence[int]) -> KerasTensor:
    """The symbolic result of `slice`; a size of -1 is unknown if the start is unknown."""
    is_known = not isinstance(start_indices, KerasTensor)
    if is_known:
        starts = list(start_indices)
    else:
        starts = [start_indices] * len(shape)
    sizes: list[int | None] = []
    for size, full, begin in zip(shape, inputs.shape, starts, strict=True):
        if int(size) != -1:
            sizes.append(int(size))
        elif full is None or isinstance(begin, KerasTensor):
            sizes.append(None)
        else:
            sizes.append(full - int(begin))
    return KerasTensor(sizes, inputs.dtype)


@op("inputs", "start_indices", spec=_slice_spec)
def slice(
    inputs: ArrayLike, start_indices: Array | Sequence[ArrayLike], shape: Sequence[int]
) -> Array:
    """A block of an array. Its start may be computed; its size must be known.

    Args:
        inputs: Any array.
        start_indices: Its start, one number for each axis.
        shape: Its size; -1 for everything after a known start.

    Returns:
        Array of that shape.

    Example:
        >>> slice([[1, 2, 3], [4, 5, 6]], (0, 1), (2, -1)).tolist()
        [[2, 3], [5, 6]]
    """
    x = as_array(inputs)
    if len(shape) != x.ndim:
        raise ValueError(f"slice needs a size for every axis of {x.shape}; received {shape}.")
    starts = list(start_indices)
    if any(s == -1 and isinstance(b, jax.core.Tracer) for s, b in zip(shape, starts, strict=True)):
        raise ValueError(
            "slice cannot take -1 as a size where the start is computed in a compiled step."
        )
    pairs = zip(shape, x.shape, starts, strict=True)
    sizes = [full - int(begin) if size == -1 else size for size, full, begin in pairs]
    return jax.lax.dynamic_slice(x, [as_array(b) for b in starts], sizes)


@op("inputs", "start_indices", "updates", index_arguments=("start_indices",))
def slice_update(
    inputs: ArrayLike, start_indices: Array | Sequence[ArrayLike], updates: ArrayLike
) -> Array:
    """The array with a block of it replaced.

    Args:
        inputs: Any array.
        start_indices: Start of the block, one number for each axis.
        updates: The block.

    Returns:
        Array of the same shape.

    Example:
        >>> slice_update([1, 2, 3, 4], [1], [8, 9]).tolist()
        [1, 8, 9, 4]
    """
    x = as_array(inputs)
    starts = [as_array(b) for b in start_indices]
    return jax.lax.dynamic_update_slice(x, as_array(updates).astype(x.dtype), starts)


@op("indices", "values", index_arguments=("indices",))
def scatter(indices: ArrayLike, values: ArrayLike, shape: Sequence[int]) -> Array:
    """Zeros, with values added at the given positions.

    Args:
        indices: `(n, axes)`, the position of each value.
        values: `(n,)`, or `(n, …)` for whole blocks.
        shape: Shape of the result.

    Returns:
        Array of that shape.

    Example:
        >>> scatter([[0], [2], [2]], [1.0, 2.0, 3.0], (4,)).tolist()
        [1.0, 0.0, 5.0, 0.0]
    """
    values = as_array(values)
    return jnp.zeros(tuple(shape), values.dtype).at[_index_arrays(indices)].add(values)


@op("inputs", "indices", "updates", index_arguments=("indices",))
def scatter_update(
    inputs: ArrayLike, indices: ArrayLike, updates: ArrayLike, reduction: str | None = None
) -> Array:
    """The array with values at the given positions replaced, or combined with new ones.

    Args:
        inputs: Any array.
        indices: `(n, axes)`, the position of each value.
        updates: `(n,)`, or `(n, …)` for whole blocks.
        reduction: None to replace, or `"add"`, `"max"`, `"min"`, `"mul"`.

    Returns:
        Array of the same shape.

    Example:
        >>> scatter_update([1, 2, 3], [[0], [2]], [5, 5], reduction="add").tolist()
        [6, 2, 8]
    """
    methods = {None: "set", "add": "add", "max": "max", "min": "min", "mul": "multiply"}
    if reduction not in methods:
        raise unknown_name("reduction of scatter_update", reduction, filter(None, methods))
    indexed = as_array(inputs).at[_index_arrays(indices)]
    return getattr(indexed, methods[reduction])(as_array(updates))


def _index_arrays(indices: ArrayLike) -> tuple[Array, ...]:
    return tuple(jnp.moveaxis(as_array(indices), -1, 0))


def _unstack_spec(x: Any, num: int | None = None, axis: int = 0) -> list[KerasTensor]:
    count = x.shape[axis] if num is None else num
    if count is None:
        raise ValueError(
            f"unstack cannot know how many pieces axis {axis} of shape {x.shape} has.\n"
            "  Fix: unstack(x, num=…)."
        )
    shape = list(x.shape)
    del shape[axis]
    return [KerasTensor(shape, x.dtype) for _ in range(count)]


@op("x", spec=_unstack_spec)
def unstack(x: ArrayLike, num: int | None = None, axis: int = 0) -> list[Array]:
    """The slices along an axis, as a list of arrays without it.

    Args:
        x: Any array.
        num: Number of slices; required if the size is not known.
        axis: The axis.

    Returns:
        A list of arrays.

    Example:
        >>> [row.tolist() for row in unstack([[1, 2], [3, 4]])]
        [[1, 2], [3, 4]]
    """
    x = as_array(x)
    return [jax.lax.index_in_dim(x, i, axis, keepdims=False) for i in range(x.shape[axis])]


# ---- control flow ------------------------------------------------------------------------------


@op()
def cond(pred: ArrayLike, true_fn: Callable, false_fn: Callable) -> Any:
    """Result of one of two functions, chosen by a condition; only that function is run.

    Args:
        pred: A boolean, which may be computed.
        true_fn, false_fn: Functions without arguments, of results of one shape and type.

    Returns:
        The result of that function.

    Example:
        >>> int(cond(jnp.array(3) > 2, lambda: 1, lambda: 0))
        1
    """
    try:
        return jax.lax.cond(as_array(pred), true_fn, false_fn)
    except TypeError as error:
        lines = str(error).split("\n\n")
        if not lines[0].startswith("cond branch"):
            raise
        raise ValueError(
            f"cond: both functions must give arrays of the same shapes and types.\n  {lines[2]}"
        ) from None


@op(index_arguments=("index",))
def switch(index: ArrayLike, branches: Sequence[Callable], *operands: Any) -> Any:
    """Result of one of several functions; an index out of range is clipped.

    Args:
        index: Which function, from 0.
        branches: Functions of the operands, of results of one shape and type.
        *operands: Their arguments.

    Returns:
        The result of that function.

    Example:
        >>> float(switch(1, [lambda x: x, lambda x: x * x], 3.0))
        9.0
    """
    return jax.lax.switch(as_array(index), list(branches), *operands)


def _while_loop_spec(
    cond: Callable, body: Callable, loop_vars: PyTree, maximum_iterations: int | None = None
) -> Any:
    """The loop variables: an iteration keeps their shapes and dtypes."""

    def spec(x: ArrayLike) -> KerasTensor:
        if isinstance(x, KerasTensor):
            return KerasTensor(x.shape, x.dtype)
        array = as_array(x)
        return KerasTensor(array.shape, array.dtype)

    specs = jax.tree.map(spec, loop_vars)
    return tuple(specs) if isinstance(loop_vars, list) else specs


@op("loop_vars", spec=_while_loop_spec)
def while_loop(
    cond: Callable, body: Callable, loop_vars: PyTree, maximum_iterations: int | None = None
) -> PyTree:
    """Runs `body` as long as `cond` is true.

    Args:
        cond: Function of the loop variables that returns True or False.
        body: Function of the loop variables that returns new ones, of the same shapes and types.
        loop_vars: One array, or a list or tuple of arrays, which are passed as separate arguments.
        maximum_iterations: Maximum number of iterations.

    Returns:
        The last values, in the structure of the first.

    Example:
        >>> int(while_loop(lambda x: x < 100, lambda x: x * 3, jnp.array(1)))
        243
    """
    is_sequence = isinstance(loop_vars, (list, tuple))
    first = tuple(loop_vars) if is_sequence else (loop_vars,)

    def should_continue(state: tuple) -> Array:
        count, values = state
        continues = jnp.asarray(cond(*values))
        return continues if maximum_iterations is None else continues & (count < maximum_iterations)

    def step(state: tuple) -> tuple:
        count, values = state
        new = body(*values)
        return count + 1, tuple(new) if is_sequence else (new,)

    _, last = jax.lax.while_loop(should_continue, step, (0, jax.tree.map(as_array, first)))
    return last if is_sequence else last[0]


@op("init_val")
def fori_loop(lower: Any, upper: Any, body_fun: Callable, init_val: Any) -> PyTree:
    """`x = body_fun(i, x)` for every `i` from `lower` to `upper - 1`.

    Args:
        lower: The first `i`.
        upper: One more than the last `i`.
        body_fun: Function of `i` and `x`, which returns something of the shape and type of `x`.
        init_val: The first `x`, an array or a structure of arrays.

    Returns:
        The last `x`.

    Example:
        >>> int(fori_loop(0, 4, lambda i, total: total + i, 0))
        6
    """
    return jax.lax.fori_loop(lower, upper, body_fun, init_val)


@op("f", "init", "xs")
def scan(
    f: Callable,
    init: PyTree,
    xs: PyTree = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """Loops over the rows of `xs` with a carried state.

    Args:
        f: `(carry, row) → (carry, result)`.
        init: The first carry.
        xs: Arrays with a common first axis, or None.
        length: Number of steps; needed if `xs` is None.
        reverse: Start with the last row.
        unroll: Steps in one iteration of the compiled loop.

    Returns:
        The last carry, and the results stacked along a first axis.

    Example:
        >>> total, running = scan(lambda c, x: (c + x, c + x), 0, jnp.arange(1, 4))
        >>> int(total), running.tolist()
        (6, [1, 3, 6])
    """
    if not isinstance(unroll, (bool, int)) or (unroll is not False and unroll < 1):
        raise ValueError(f"scan needs unroll as True, False or 1, 2, …; received {unroll!r}.")
    return jax.lax.scan(f, init, xs, length, reverse=reverse, unroll=unroll)


@op("f", "elems")
def associative_scan(f: Callable, elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Cumulative results of an associative function, `f(f(a, b), c) = f(a, f(b, c))`, in parallel.

    Args:
        f: Function of two slices of `elems`.
        elems: An array, or several in a structure.
        reverse: From the end to the start.
        axis: The axis.

    Returns:
        Arrays of the shapes of `elems`.

    Example:
        >>> associative_scan(lambda a, b: a + b, jnp.arange(1, 5)).tolist()
        [1, 3, 6, 10]
    """
    return jax.lax.associative_scan(f, jax.tree.map(as_array, elems), reverse, axis)


def _map_spec(f: Callable, xs: Any) -> Any:
    """The symbolic result for one row, with the number of rows of `xs` as first axis."""
    length = jax.tree.leaves(xs)[0].shape[0]
    row = jax.tree.map(lambda x: KerasTensor(x.shape[1:], x.dtype), xs)
    return jax.tree.map(lambda y: KerasTensor((length, *y.shape), y.dtype), trace_spec(f, row))


@op("f", "xs", spec=_map_spec)
def map(f: Callable, xs: Any) -> Any:
    """Applies a function to every row of `xs`, one after another. See `vectorized_map`.

    Args:
        f: Function of one row, an array or a structure of arrays.
        xs: Array `(rows, ...)`, or a structure of such arrays.

    Returns:
        The results of `f`, stacked along a new first axis.

    Example:
        >>> map(lambda x: x * x, jnp.arange(3)).tolist()
        [0, 1, 4]
    """
    return jax.lax.map(f, jax.tree.map(as_array, xs))


@op("elements")
def vectorized_map(function: Callable, elements: Any) -> Any:
    """Applies a function to all rows of `elements` at once.

    Args:
        function: Function of one row, an array or a structure of arrays.
        elements: Array `(rows, ...)`, or a structure of such arrays.

    Returns:
        The results of the function, stacked along a new first axis.

    Example:
        >>> vectorized_map(lambda row: row.sum(), jnp.ones((2, 3))).tolist()
        [3.0, 3.0]
    """
    if isinstance(elements, (list, tuple)):
        elements = as_arrays(elements)
    return jax.vmap(function)(elements)


@filter_traceback
def custom_gradient(f: Callable) -> Callable:
    """Decorator of a function that defines its own gradient.

    Args:
        f: Returns `(value, gradient)`, where `gradient(upstream)` gives the gradient with respect
            to each argument, or a tuple of them.

    Returns:
        A function of the same arguments.

    Example:
        >>> @custom_gradient
        ... def log1pexp(x):
        ...     e = jnp.exp(x)
        ...     return jnp.log(1 + e), lambda upstream: upstream * (1 - 1 / (1 + e))
        >>> float(jax.grad(log1pexp)(100.0))
        1.0
    """
    inner = jax.custom_gradient(f)

    def outer(*args: Any, **kwargs: Any) -> Any:
        def value_of(leaf: Any) -> Any:
            return leaf.value if isinstance(leaf, Variable) else leaf

        args, kwargs = jax.tree.map(value_of, (args, kwargs))
        return inner(*args, **kwargs)

    return outer


suggest_similar_names(__name__)
