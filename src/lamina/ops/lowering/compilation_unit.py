"""Parts of a program that XLA compiles as units: what goes in and comes out lies in memory.

XLA's CPU backend merges element-wise steps with whatever uses them. Where many things use one
result, such as the gradient that runs along the residual connections of a transformer, each of
them computes it again from the start, and so does the next block with all the ones before it.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.experimental.xla_metadata import set_xla_metadata


def compilation_unit(function: Callable) -> Callable:
    """A function that XLA's CPU backend compiles by itself: for lowerings for CPUs.

    The same numbers, and the same gradients, which are compiled by themselves, too.

    Args:
        function: Takes and returns arrays; it should be defined once, since what is traced is
            kept by function.

    Example:
        >>> import jax.numpy as jnp
        >>> float(compilation_unit(jnp.sin)(0.0))
        0.0
    """
    compiled = jax.jit(function)

    @functools.wraps(function)
    def wrapped(*args: Any) -> Any:
        with set_xla_metadata(inlineable="false"):
            return compiled(*args)

    return wrapped
