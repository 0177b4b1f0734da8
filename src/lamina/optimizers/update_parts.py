"""Parts of a step: initial slots, weights without a gradient, conditional changes."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from lamina.core.messages.errors import LaminaWarning, stacklevel_of_user
from lamina.core.types import Array
from lamina.core.variable.variable import Variable


def zeros_like(weights: Iterable[Any]) -> list[np.ndarray]:
    """Zeros of the shape of each weight, as NumPy arrays; `jnp.zeros` would compile programs."""
    return [np.zeros(w.shape, w.dtype) for w in weights]


def revert_unless(
    condition: Array, variables: Sequence[Variable], old_values: Sequence[Array]
) -> None:
    """Restore the previous values of Variables, unless a condition is true.

    The change is always computed and then selected: XLA fuses the selection, and unlike a branch it
    needs no compilation outside compiled code.

    Args:
        condition: Whether the change is kept: a boolean array, which may be traced.
        variables: The Variables.
        old_values: Their values before the change.
    """
    for variable, old in zip(variables, old_values, strict=True):
        if variable.value is not old:
            variable.assign(jnp.where(condition, variable.value, old))


def pairs_with_gradient(
    gradients: Sequence[Any], variables: Sequence[Variable]
) -> list[tuple[Any, Variable]]:
    """Pairs of gradient and weight; warns about weights without a gradient and omits them."""
    pairs = list(zip(gradients, variables, strict=True))
    missing = [v.path for gradient, v in pairs if gradient is None]
    if len(missing) == len(pairs):
        raise ValueError(
            f"No gradients for any of the weights {', '.join(missing)}.\n"
            "  Likely cause: the loss was computed without them."
        )
    if missing:
        warnings.warn(
            f"No gradients for the weights {', '.join(missing)}; they are not changed.\n"
            "  Likely cause: the loss doesn't depend on them.",
            LaminaWarning,
            stacklevel=stacklevel_of_user(),
        )
    return [(gradient, v) for gradient, v in pairs if gradient is not None]
