"""Analysis of whether the outputs for a row depend on the other rows of its batch.

If they do not, `predict` may pad or split batches, so that a few programs serve any number of rows,
and `evaluate` may use larger batches. If an output depends on other rows (the mean of the batch, a
softmax over the batch, a matrix of similarities) or on their number, only batches of the requested
size give the right result.
"""

from collections.abc import Callable
from typing import Any

import jax

from lamina.core.types import PyTree
from lamina.training.row_dependence.propagation import DifferentProgramsError, propagate
from lamina.training.row_dependence.values import CONSTANT, Batched

# Pairs of numbers of rows with which a function is traced. Primes, so that an axis whose size
# depends on the number of rows is recognised, and sizes computed from them are not equal by chance.
# Some operations are lowered differently for few and for many rows. If the programs of a pair
# differ, the next pair is tried.
_SIZES = ((83, 89), (17, 19), (499, 503))


def rows_are_independent(
    forward: Callable[[Any, Any], tuple[Any, Any]], state: PyTree, rows: PyTree
) -> bool:
    """Whether each row of the outputs is known to depend only on the same row of the inputs.

    The batch axis is followed through the traced program; nothing is computed or compiled. Returns
    False if this cannot be decided, and for a function that changes its state, which the next batch
    would use.

    Args:
        forward: Pure function `(state, rows) → (outputs, state)`.
        state: Structure of arrays, of which only shapes and dtypes are used.
        rows: Structure of arrays `(rows, …)`, of which only shapes and dtypes are used.

    Example:
        >>> import numpy as np
        >>> x = np.zeros((5, 3))
        >>> rows_are_independent(lambda state, x: (x * x.sum(axis=1)[:, None], state), None, x)
        True
        >>> rows_are_independent(lambda state, x: (x - x.mean(axis=0), state), None, x)
        False
        >>> rows_are_independent(lambda state, x: (x / len(x), state), None, x)
        False
    """
    for sizes in _SIZES:
        try:
            first, second = (_trace(forward, state, rows, size) for size in sizes)
        except Exception:
            return False  # the call itself will raise the error, if it is one
        state_values = [CONSTANT] * len(jax.tree.leaves(state))
        row_values = [Batched(0)] * len(jax.tree.leaves(rows))
        try:
            values = propagate((first[0], second[0]), [*state_values, *row_values], sizes)
        except DifferentProgramsError:
            continue
        program, output_count = first  # the results after the outputs are the state
        state_variables = program.jaxpr.invars[: len(state_values)]
        keeps_state = program.jaxpr.outvars[output_count:] == state_variables
        return keeps_state and all(value in _INDEPENDENT for value in values[:output_count])
    return False


# The second value describes an output that is the same for every row.
_INDEPENDENT = (Batched(0), Batched(0, 0, 1))


def _trace(forward: Callable[..., Any], state: PyTree, rows: PyTree, size: int) -> tuple[Any, int]:
    """The program for a number of rows, and the number of its results that are outputs."""
    state = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), state)
    rows = jax.tree.map(lambda a: jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype), rows)
    program, (outputs, _) = jax.make_jaxpr(forward, return_shape=True)(state, rows)
    return program, len(jax.tree.leaves(outputs))
