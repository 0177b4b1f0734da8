"""Index of the largest or smallest value, correct for subnormal numbers, too.

XLA's CPU backend treats subnormal numbers as 0, and -0.0 as less than 0.0; on CPUs, the bits of
the numbers are compared instead.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.types import Array


def argmax(x: Array, axis: Any, keepdims: bool) -> Array:
    """Index of the largest value; the first of equal values."""
    return jnp.argmax(x, axis=axis, keepdims=keepdims)


def argmin(x: Array, axis: Any, keepdims: bool) -> Array:
    """Index of the smallest value; the first of equal values."""
    return jnp.argmin(x, axis=axis, keepdims=keepdims)


def suits_bits(x: Array, axis: Any, keepdims: bool) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)


def argmax_by_bits(x: Array, axis: Any, keepdims: bool) -> Array:
    return _find_by_bits(jnp.argmax, "max", x, axis, keepdims)


def argmin_by_bits(x: Array, axis: Any, keepdims: bool) -> Array:
    return _find_by_bits(jnp.argmin, "min", x, axis, keepdims)


def _find_by_bits(find: Callable, nan: str, x: Array, axis: Any, keepdims: bool) -> Array:
    """Applies `find` to integers in the order of the floats.

    Args:
        find: JAX's function.
        nan: The integer that stands for NaN, `"max"` or `"min"` of the dtype, so that NaN wins.
    """
    # The bits of a float, read as an integer, increase with its magnitude.
    integer_type = jnp.dtype(f"int{x.dtype.itemsize * 8}")
    bits = jax.lax.bitcast_convert_type(x, integer_type)
    limits = jnp.iinfo(integer_type)
    order = jnp.where(bits < 0, -(bits & limits.max), bits)
    return find(jnp.where(jnp.isnan(x), getattr(limits, nan), order), axis, keepdims=keepdims)
