"""Conversion of the arguments of operations to arrays, axes and dtypes."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.configuration import config
from lamina.core.configuration.dtypes import standardize_dtype
from lamina.core.types import Array, ArrayLike
from lamina.core.variable.variable import Variable

Axes = int | Sequence[int]


def as_array(x: ArrayLike) -> Array:
    """A JAX array from a Variable, a NumPy array, numbers or nested lists.

    Plain Python numbers stay weakly typed: `as_array(2.0) * half` has the type of `half`.
    """
    if isinstance(x, Variable):
        return x.value
    return x if isinstance(x, jax.Array) else jnp.asarray(x)


def as_arrays(xs: Any) -> list[Array]:
    """Every element of a list, or every row of an array, as an array."""
    return [as_array(x) for x in xs]


def as_pair(x1: ArrayLike, x2: ArrayLike) -> tuple[Array, Array]:
    """Two arrays."""
    return as_array(x1), as_array(x2)


def to_floats(x: ArrayLike) -> Array:
    """A float array; integers and booleans are converted to `floatx()`."""
    x = as_array(x)
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(config.floatx())


def to_common_floats(*xs: ArrayLike) -> tuple[Array, ...]:
    """Float arrays; integers are converted to the type of the floats among the arguments."""
    arrays = as_arrays(xs)
    float_arrays = [x for x in arrays if jnp.issubdtype(x.dtype, jnp.inexact)]
    if not float_arrays:
        return tuple(map(to_floats, arrays))
    common = jnp.result_type(*float_arrays)
    return tuple(x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(common) for x in arrays)


def require_integers(caller: str, *xs: ArrayLike) -> list[Array]:
    """Arrays of integers or booleans; floats are refused."""
    arrays = as_arrays(xs)
    for x in arrays:
        if jnp.issubdtype(x.dtype, jnp.inexact):
            raise TypeError(
                f"{caller} takes integers; received {x.dtype}.\n  Fix: lamina.ops.cast(x, 'int32')."
            )
    return arrays


def at_least_float32(x: Array) -> Any:
    """The dtype for sums: at least float32, because half precision loses digits."""
    return jnp.promote_types(x.dtype, "float32")


def as_axes(axis: Axes | None) -> Any:
    """Axes as an int or a tuple, as JAX needs them; in a saved config a tuple is a list."""
    return axis if axis is None or isinstance(axis, int) else tuple(axis)


def as_dtype(dtype: Any) -> str | None:
    """The name of a dtype; None stays None."""
    return None if dtype is None else standardize_dtype(dtype)


def refuse_sparse_and_ragged(caller: str, sparse: Any) -> None:
    """Refuse `sparse=True` and `ragged=True`, which Keras accepts."""
    if sparse:
        raise ValueError(
            f"{caller} gives dense arrays only; received sparse or ragged={sparse}.\n"
            "  Fix: leave the argument out."
        )


def broadcast_along_axes(vector: ArrayLike, x: Array, axis: Axes) -> Array:
    """A vector (or array) along some axes of x, reshaped to broadcast against x."""
    axes = {a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis)}
    shape = [size if a in axes else 1 for a, size in enumerate(x.shape)]
    return as_array(vector).astype(x.dtype).reshape(shape)
