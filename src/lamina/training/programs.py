"""Programs: many steps compiled as one, so that Python is asked a few times a second, not per step.

A program takes the state, the data and the order, and runs steps `start` to `stop`. The bounds
are traced, so one compilation serves one step as well as a whole epoch.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.stateless import stateless
from lamina.ops import kernels
from lamina.training.compiled import CompiledFunction
from lamina.training.feeds.in_place import rows_of

State = Any
Step = Callable[[State, Any], tuple[State, Any]]


class Outcome(NamedTuple):
    """What a run of steps gives besides the new state."""

    logs: Any  # the metrics so far, a dict of scalars
    bad_step: jax.Array  # number of the first step whose loss was not finite, or -1


def training_program(
    step: Step, results: Callable[[State], Any] | None, loss_of: Callable[[State, Any], Any]
) -> CompiledFunction:
    """A compiled `(state, data, order, start, stop, batch_size=…) → (state, Outcome)`.

    Args:
        step: Pure, `(state, batch) → (state, logs)`.
        results: Reads the metrics from a state after the last step. None: the logs are what the
            last step returned (for a user's own `train_step`).
        loss_of: Reads the running loss from a state or the logs; NaN once any step's loss was.
    """

    def train_program(
        state: State, data: Any, order: Any, start: Any, stop: Any, *, batch_size: int
    ) -> tuple[State, Outcome]:
        def body(i: Any, carry: tuple) -> tuple:
            state, bad_step, logs = carry
            state, new_logs = step(state, batch_at(data, order, i, batch_size))
            finite = jnp.isfinite(loss_of(state, new_logs))
            bad_step = jnp.where((bad_step < 0) & ~finite, i, bad_step)
            return state, bad_step, (logs if results is not None else new_logs)

        logs = None
        if results is None:
            _, shapes = jax.eval_shape(step, state, batch_at(data, order, 0, batch_size))
            logs = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
        carry = (state, jnp.int32(-1), logs)
        state, bad_step, logs = lax.fori_loop(start, stop, body, carry)
        return state, Outcome(results(state) if results is not None else logs, bad_step)

    return CompiledFunction(train_program, donate=True)


def testing_program(step: Step, results: Callable[[State], Any] | None) -> CompiledFunction:
    """The same for `test_step`: weights are read only, the state changes in its metrics."""

    def test_program(
        state: State, data: Any, order: Any, start: Any, stop: Any, *, batch_size: int
    ) -> tuple[State, Any]:
        def body(i: Any, carry: tuple) -> tuple:
            state, logs = carry
            state, new_logs = step(state, batch_at(data, order, i, batch_size))
            return state, (logs if results is not None else new_logs)

        logs = None
        if results is None:
            _, shapes = jax.eval_shape(step, state, batch_at(data, order, 0, batch_size))
            logs = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
        state, logs = lax.fori_loop(start, stop, body, (state, logs))
        return state, (results(state) if results is not None else logs)

    return CompiledFunction(test_program)


def predicting_program(forward: Callable[[State, Any], tuple[Any, State]]) -> CompiledFunction:
    """A compiled `(state, rows, batch_size=…) → outputs, changes`, batch after batch inside.

    Args:
        forward: Pure, `(state, batch) → (outputs, state)`.

    The changes are what a forward pass does to the state, such as the counters of random layers
    or the states of recurrent ones: new values by the position in the flattened state. Weights
    that it only reads are not among them, and so are not copied.
    """
    forward = kernels.in_program(forward)

    def predict_program(state: State, rows: Any, *, batch_size: int) -> tuple[Any, dict]:
        before, structure = jax.tree.flatten(state)

        def step(changes: dict[int, Any], batch: Any) -> tuple[dict[int, Any], Any]:
            values = [changes.get(i, value) for i, value in enumerate(before)]
            outputs, after = forward(jax.tree.unflatten(structure, values), batch)
            pairs = enumerate(zip(jax.tree.leaves(after), values, strict=True))
            return changes | {i: new for i, (new, old) in pairs if new is not old}, outputs

        count = jax.tree.leaves(rows)[0].shape[0]
        if count <= batch_size:
            changes, outputs = step({}, rows)
            return outputs, changes
        batches = jax.tree.map(
            lambda a: a.reshape(count // batch_size, batch_size, *a.shape[1:]), rows
        )
        first = jax.tree.map(lambda a: a[0], batches)
        changing, _ = jax.eval_shape(step, {}, first)
        changes, outputs = lax.scan(step, {i: before[i] for i in changing}, batches)
        return jax.tree.map(_joined, outputs), changes

    return CompiledFunction(predict_program)


def _joined(outputs: jax.Array) -> jax.Array:
    """Outputs of batch after batch, one behind the other; of a single number, one a batch."""
    if outputs.ndim < 2:
        return outputs
    return outputs.reshape(outputs.shape[0] * outputs.shape[1], *outputs.shape[2:])


def batch_at(data: Any, order: Any, i: Any, batch_size: int) -> Any:
    """Batch `i` of the data: rows in the given order, or as they lie."""
    return rows_of(data, order, i * batch_size, batch_size)


def pure_step(function: Callable, variables: Any) -> Step:
    """Object-style `train_step(batch)` as `(state, batch) → (state, logs)`."""
    pure = kernels.in_program(stateless(function, variables))

    def step(state: State, batch: Any) -> tuple[State, Any]:
        logs, state = pure(state, batch)
        return state, logs

    return step
