"""The place of the largest or smallest value, also among numbers below the smallest normal one.

XLA's CPU backend takes those for 0, and -0.0 for less than 0.0; there the bits are compared.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.types import Array


def argmax(x: Array, axis: Any, keepdims: bool) -> Array:
    """The place of the largest value; of several the first."""
    return jnp.argmax(x, axis=axis, keepdims=keepdims)


def argmin(x: Array, axis: Any, keepdims: bool) -> Array:
    """The place of the smallest value; of several the first."""
    return jnp.argmin(x, axis=axis, keepdims=keepdims)


def suits_bits(x: Array, axis: Any, keepdims: bool) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)


def argmax_by_bits(x: Array, axis: Any, keepdims: bool) -> Array:
    return _by_bits(jnp.argmax, "max", x, axis, keepdims)


def argmin_by_bits(x: Array, axis: Any, keepdims: bool) -> Array:
    return _by_bits(jnp.argmin, "min", x, axis, keepdims)


def _by_bits(find: Callable, nan: str, x: Array, axis: Any, keepdims: bool) -> Array:
    """`find` among whole numbers in the order of the floats.

    Args:
        find: JAX's own.
        nan: What NaN, which wins, becomes among whole numbers: `"max"` or `"min"`.
    """
    # The bits of a float, read as a whole number, rise with its magnitude.
    whole = jnp.dtype(f"int{x.dtype.itemsize * 8}")
    bits = jax.lax.bitcast_convert_type(x, whole)
    limits = jnp.iinfo(whole)
    order = jnp.where(bits < 0, -(bits & limits.max), bits)
    return find(jnp.where(jnp.isnan(x), getattr(limits, nan), order), axis, keepdims=keepdims)
