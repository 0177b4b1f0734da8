"""Small parts of a step: first slots, weights without a gradient, a change taken back."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from lamina.core.messages.errors import LaminaWarning, frames_to_user
from lamina.core.types import Array
from lamina.core.variable.variable import Variable


def zeros_like(weights: Iterable[Any]) -> list[np.ndarray]:
    """Zeros beside each weight, made on the host: `jnp.zeros` compiles a program for each shape."""
    return [np.zeros(w.shape, w.dtype) for w in weights]


def keep_if(wanted: Array, variables: Sequence[Variable], before: Sequence[Array]) -> None:
    """Take back what was assigned to Variables, unless it is wanted.

    The change is always computed and then kept or dropped: XLA fuses the choice into it, and
    unlike a branch it costs no compilation outside compiled code.

    Args:
        wanted: True or False, known only while the program runs.
        variables: The Variables.
        before: What they held before the change.
    """
    for variable, old in zip(variables, before, strict=True):
        if variable.value is not old:
            variable.assign(jnp.where(wanted, variable.value, old))


def with_gradient(
    gradients: Sequence[Any], variables: Sequence[Variable]
) -> list[tuple[Any, Variable]]:
    """Pairs of gradient and weight without the weights that have none, which are named."""
    pairs = list(zip(gradients, variables, strict=True))
    missing = [v.path for gradient, v in pairs if gradient is None]
    if len(missing) == len(pairs):
        raise ValueError(
            f"No gradients for any of the weights {', '.join(missing)}.\n"
            "  Likely cause: the loss was computed without them."
        )
    if missing:
        warnings.warn(
            f"No gradients for the weights {', '.join(missing)}; they stay as they are.\n"
            "  Likely cause: the loss doesn't depend on them.",
            LaminaWarning,
            stacklevel=frames_to_user(),
        )
    return [(gradient, v) for gradient, v in pairs if gradient is not None]
