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
        free_memory: Whether to collect garbage now. Models that are not referenced any more are
            freed in any case; in a notebook that builds one model after another, this frees them at
            once.

    Example:
        >>> clear_session()
    """
    reset_names()
    if free_memory:
        gc.collect()


def backend() -> str:
    """The library that computes: `"jax"`.

    Returns:
        A name.
    """
    return "jax"


@filter_traceback
def get_uid(prefix: str = "") -> int:
    """1 at the first call with a prefix, then 2, 3 …

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
        dtype: Name of a dtype, or what else `standardize_dtype` takes.

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
        dtype: Name of a dtype, or what else `standardize_dtype` takes.

    Returns:
        True or False.

    Example:
        >>> is_int_dtype("uint8"), is_int_dtype("bool")
        (True, False)
    """
    return jnp.issubdtype(standardize_dtype(dtype), jnp.integer)


@filter_traceback
def result_type(*dtypes: Any) -> str:
    """The dtype of a result of arguments with these dtypes; Python's `int` and `float` are weak.

    Args:
        *dtypes: Names of dtypes, NumPy's or JAX's dtypes, or Python's `int` and `float`.

    Returns:
        Name of a dtype; `floatx()` for none.

    Example:
        >>> result_type("int32", "bfloat16"), result_type("bfloat16", float)
        ('bfloat16', 'bfloat16')
    """
    if not dtypes:
        return floatx()
    weak = {int: 0, "int": 0, float: 0.0, "float": 0.0, complex: 0j}
    names = [d if d in weak else canonicalize_dtype(standardize_dtype(d)).name for d in dtypes]
    found = jnp.result_type(*(weak[d] if d in weak else jnp.dtype(d) for d in names)).name
    # A Python float with integers has the dtype `floatx()`, which may differ from JAX's default.
    return floatx() if found == "float32" and "float32" not in names else found


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
