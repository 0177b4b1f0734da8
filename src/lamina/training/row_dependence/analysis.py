"""Whether the rows of a batch are computed apart from each other.

Where they are, it makes no difference with which others a row is computed: `predict` may fill a
batch up, or cut it, so that a handful of programs serve any number of rows, and `evaluate` may take
larger batches. Where an output depends on other rows too – the batch's mean, a softmax over the
batch, a matrix of similarities – or on their number, only the batches that were asked for are
right.
"""

from collections.abc import Callable
from typing import Any

import jax

from lamina.training.row_dependence.flow import UnlikeProgramsError, flow
from lamina.training.row_dependence.values import SAME, Rows

# Numbers of rows to trace a function with. Primes: an axis shows them, and nothing computed from
# them is the same by chance. Some operations are put otherwise for few rows than for many, so that
# the programs of one pair may differ; those of the next then don't.
_SIZES = ((83, 89), (17, 19), (499, 503))


def rows_are_independent(
    forward: Callable[[Any, Any], tuple[Any, Any]], state: Any, rows: Any
) -> bool:
    """Whether each row of the outputs is known to depend on its own row of the inputs alone.

    Found by following the batch axis through the program that JAX traces; nothing is computed. What
    is not known counts as dependent, and so does a function that changes its state, since that goes
    on from batch to batch.

    Args:
        forward: Pure, `(state, rows) → (outputs, state)`.
        state: Structure of arrays, of which only shapes and dtypes are read.
        rows: Structure of arrays `(rows, …)`, likewise.

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
            one, other = (_traced(forward, state, rows, size) for size in sizes)
        except Exception:
            return False  # the call itself says what is wrong, if anything is
        held = [SAME] * len(jax.tree.leaves(state))
        given = [Rows(0)] * len(jax.tree.leaves(rows))
        try:
            values = flow((one[0], other[0]), [*held, *given], sizes)
        except UnlikeProgramsError:
            continue
        count = one[1]  # of the outputs; what follows is the state
        unchanged = one[0].jaxpr.outvars[count:] == one[0].jaxpr.invars[: len(held)]
        return unchanged and all(value in _APART for value in values[:count])
    return False


# The second is an output that is the same in every row.
_APART = (Rows(0), Rows(0, 0, 1))


def _traced(forward: Callable, state: Any, rows: Any, size: int) -> tuple[Any, int]:
    """The program for so many rows, and how many arrays of its results are outputs."""
    state = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), state)
    rows = jax.tree.map(lambda a: jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype), rows)
    program, (outputs, _) = jax.make_jaxpr(forward, return_shape=True)(state, rows)
    return program, len(jax.tree.leaves(outputs))
