"""Low-precision floats on CPUs: steps around products, in float32 where that is faster.

XLA's CPU backend computes bfloat16 and float16 by converting to float32 and back at every
operation, also where values are only moved, and rounds after every addition of a sum. Figures:
docs/performance.md, `low-precision-steps`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.types import Array
from lamina.ops.lowering.target import current_target


def is_low_precision(*arrays: Array) -> bool:
    """Whether all arrays are bfloat16, or all float16, of a program for CPUs."""
    dtypes = {array.dtype.name for array in arrays}
    return dtypes in ({"bfloat16"}, {"float16"}) and current_target().platform == "cpu"


def in_float32(x: Array) -> Array:
    """`x` as float32 if it is low-precision, else `x`."""
    return x.astype(jnp.float32) if is_low_precision(x) else x


def in_float32_outside(function: Callable[..., Array], dtype: Any) -> Callable[..., Array]:
    """A function with arguments and result in float32 that computes in another dtype.

    It is for the body of a loop: XLA's CPU backend converts all low-precision values that a loop
    reads or writes at every step.
    """

    def in_dtype(*arrays: Array) -> Array:
        return function(*(a.astype(dtype) for a in arrays)).astype(jnp.float32)

    return in_dtype


def add_bias(x: Array, bias: Array) -> Array:
    """`x + bias`, so that the gradient of a low-precision bias is summed in float32.

    Example:
        >>> add_bias(jnp.zeros((2, 3)), jnp.ones(3)).sum().item()
        6.0
    """
    if not is_low_precision(x, bias):
        return x + bias
    return (x.astype(jnp.float32) + bias.astype(jnp.float32)).astype(x.dtype)


def move(function: Callable[[Array], Array], x: Array) -> Array:
    """`function(x)`, for a function that only moves values; its gradient is summed in float32.

    Args:
        function: It may slice, join, transpose, reshape, or pad with 0.
        x: Any array.
    """
    return _move(function, x) if is_low_precision(x) else function(x)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _move(function: Callable[[Array], Array], x: Array) -> Array:
    # As integers, which XLA moves as they are.
    return lax.bitcast_convert_type(function(lax.bitcast_convert_type(x, jnp.uint16)), x.dtype)


@_move.defjvp
def _move_jvp(
    function: Callable[[Array], Array], primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    return _move(function, x), function(dx.astype(jnp.float32)).astype(dx.dtype)
