"""Parts of a program that XLA compiles separately, with inputs and outputs in memory.

XLA's CPU backend merges element-wise operations into each of their users. A result with many users,
such as the gradient of the residual connections of a transformer, is then recomputed by each user,
and every further block recomputes all earlier ones.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.experimental.xla_metadata import set_xla_metadata


def compilation_unit(function: Callable) -> Callable:
    """A function that XLA's CPU backend compiles separately, for lowerings for CPUs.

    Results and gradients are unchanged; the gradient is compiled separately, too.

    Args:
        function: Takes and returns arrays; it should be defined once, since traces are cached
            by function.

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
