"""The names of Keras's `backend` module."""

import gc
from typing import Any

import jax.numpy as jnp
from jax.dtypes import canonicalize_dtype

from lamina.core.configuration.config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from lamina.core.configuration.dtypes import is_float, standardize_dtype
from lamina.core.graph.keras_tensor import is_keras_tensor
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization.naming import next_uid, reset_names
from lamina.core.types import DTypeLike


@filter_traceback
def clear_session(free_memory: bool = True) -> None:
    """Restart the numbering of names (`dense`, `dense_1` …); there is no other global state.

    Args:
        free_memory: Whether to run Python's garbage collector now. Models that are not referenced
            any more are freed in any case, but possibly later, which matters in a notebook that
            builds one model after another.

    Example:
        >>> clear_session()
    """
    reset_names()
    if free_memory:
        gc.collect()


def backend() -> str:
    """The name of the library that computes: `"jax"`.

    Returns:
        A name.
    """
    return "jax"


@filter_traceback
def get_uid(prefix: str = "") -> int:
    """A counter for each prefix: 1 at the first call, then 2, 3 …

    Args:
        prefix: Any text.

    Returns:
        An integer.

    Example:
        >>> get_uid("block"), get_uid("block"), get_uid("head")
        (1, 2, 1)
    """
    return next_uid(prefix)


@filter_traceback
def is_float_dtype(dtype: DTypeLike) -> bool:
    """True for float16, bfloat16, float32 and float64.

    Args:
        dtype: Name of a dtype, or another argument that `standardize_dtype` accepts.

    Returns:
        True or False.

    Example:
        >>> is_float_dtype("bfloat16"), is_float_dtype("int32")
        (True, False)
    """
    return is_float(standardize_dtype(dtype))


@filter_traceback
def is_int_dtype(dtype: Any) -> bool:
    """True for signed and unsigned integers.

    Args:
        dtype: Name of a dtype, or another argument that `standardize_dtype` accepts.

    Returns:
        True or False.

    Example:
        >>> is_int_dtype("uint8"), is_int_dtype("bool")
        (True, False)
    """
    return jnp.issubdtype(standardize_dtype(dtype), jnp.integer)


@filter_traceback
def result_type(*dtypes: Any) -> str:
    """The dtype of an operation's result for operands of these dtypes, by JAX's promotion rules.

    Python's `int` and `float` are weakly typed: they do not change a float dtype.

    Args:
        *dtypes: Names of dtypes, NumPy's or JAX's dtypes, or Python's `int` and `float`.

    Returns:
        Name of a dtype; `floatx()` if there are no arguments.

    Example:
        >>> result_type("int32", "bfloat16"), result_type("bfloat16", float)
        ('bfloat16', 'bfloat16')
    """
    if not dtypes:
        return floatx()
    weak = {int: 0, "int": 0, float: 0.0, "float": 0.0, complex: 0j}
    names = [d if d in weak else canonicalize_dtype(standardize_dtype(d)).name for d in dtypes]
    result_dtype = jnp.result_type(*(weak[d] if d in weak else jnp.dtype(d) for d in names)).name
    # A Python float with integers has the dtype `floatx()`, which may differ from JAX's default.
    return floatx() if result_dtype == "float32" and "float32" not in names else result_dtype


__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "get_uid",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "result_type",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "standardize_dtype",
]
