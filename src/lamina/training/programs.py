"""Programs: compiled loops over many steps, so that Python code runs only a few times per second.

A program takes the state, the data and the order, and runs steps `start` to `stop`. The bounds
are traced, so one compilation serves one step as well as a whole epoch.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.types import PyTree
from lamina.core.variable.changes import last_change
from lamina.core.variable.settings import settings_key
from lamina.core.variable.threads import build_lock
from lamina.core.variable.variable import Variable
from lamina.optimizers import Optimizer
from lamina.training import steps
from lamina.training.compiled_function import CompiledFunction
from lamina.training.feeds.zero_copy import rows_of
from lamina.training.placement import move_variables
from lamina.training.steps import State, StepWithResults
from lamina.training.train_state import TrainState
from lamina.training.trainable import Trainable


class Programs:
    """The compiled programs of a model, created when they are first needed.

    Args:
        learner: The model.
    """

    def __init__(self, learner: Trainable):
        self._learner = learner
        self._programs: dict[tuple[Any, ...], CompiledFunction] = {}
        # For each mode: the version of the model for which `program_for` was called, and its
        # result.
        self._latest: dict[str, tuple[object, tuple[CompiledFunction, TrainState[Variable]]]] = {}

    def program_for(self, mode: str) -> tuple[CompiledFunction, TrainState[Variable]]:
        """The program (`"train"`, `"test"` or `"predict"`) and the Variables of its state.

        A new program is created only if the model has changed: `compile` was called, layers were
        added, frozen, unfrozen or adapted, or a setting of a layer or of the optimizer was
        assigned, such as `dropout.rate`, `optimizer.momentum` or a schedule. A new learning rate
        or number of epochs needs none.
        """
        latest = self._latest.get(mode)
        if latest is not None and latest[0] is last_change():
            return latest[1]
        with build_lock:
            version = last_change()
            result = self._get_or_create(mode)
            self._latest[mode] = (version, result)
        return result

    def add(self, mode: str, program: CompiledFunction) -> None:
        """Add a program that was created elsewhere for the current model."""
        self._programs[self._key(mode, self._learner.state(mode))] = program

    def clear(self) -> None:
        """Delete all programs, because `compile` was called."""
        self._programs.clear()

    def _get_or_create(self, mode: str) -> tuple[CompiledFunction, TrainState[Variable]]:
        variables = self._learner.state(mode)
        move_variables(variables)
        key = self._key(mode, variables)
        optimizer = self._learner.model.optimizer
        if key not in self._programs and mode == "train" and isinstance(optimizer, Optimizer):
            # A callback may have unfrozen a layer. Its weights have no slots in the optimizer yet.
            optimizer.build(self._learner.model.trainable_variables)
            variables = self._learner.state(mode)
            move_variables(variables)
            key = self._key(mode, variables)
        if key not in self._programs:
            self._programs[key] = make_program(self._learner, mode, variables)
        return self._programs[key], variables

    def _key(self, mode: str, variables: TrainState[Variable]) -> tuple[Any, ...]:
        layers = [
            (layer.trainable, getattr(layer, "adaptations", 0), settings_key(layer))
            for layer in self._learner.layers()
        ]
        optimizers = self._learner.optimizers() if mode == "train" else []
        return (
            mode,
            tuple((optimizer.schedule_changes, optimizer.settings) for optimizer in optimizers),
            self._learner.precision.active,
            variables.placement,
            tuple(layers),
            tuple(id(v) for group in variables.groups.values() for v in group),
        )


def make_program(
    learner: Trainable, mode: str, variables: TrainState[Variable]
) -> CompiledFunction:
    """A `"train"`, `"test"` or `"predict"` program, which is compiled when it is first called."""
    platform = variables.placement.platform
    if mode == "predict":
        return make_predict_program(steps.make_predict_step(learner, variables), platform)
    if mode == "test":
        return make_test_program(steps.make_test_step(learner, variables), platform)
    return make_train_program(steps.make_train_step(learner, variables), platform)


class StepsOutcome(NamedTuple):
    """The results of several steps, besides the new state."""

    logs: Any  # losses and metrics so far, a dict of scalars
    bad_step: jax.Array  # number of the first step whose loss was not finite, or -1


def make_train_program(train_step: StepWithResults, platform: str) -> CompiledFunction:
    """A compiled `(state, data, order, start, stop, batch_size=…) → (state, StepsOutcome)`."""
    step, read_results, read_loss, constrain = train_step

    def train_program(
        state: State, data: PyTree, order: Any, start: Any, stop: Any, *, batch_size: int
    ) -> tuple[State, StepsOutcome]:
        def body(i: Any, carry: tuple[Any, ...]) -> tuple[Any, ...]:
            state, bad_step, logs = carry
            state, new_logs = step(state, batch_at(data, order, i, batch_size))
            is_finite = jnp.isfinite(read_loss(state, new_logs))
            bad_step = jnp.where((bad_step < 0) & ~is_finite, i, bad_step)
            return state, bad_step, (logs if read_results is not None else new_logs)

        logs = _first_logs(train_step, state, data, order, batch_size)
        carry = (state, jnp.int32(-1), logs)
        state, bad_step, logs = lax.fori_loop(start, stop, body, carry)
        state = constrain(state)
        return state, StepsOutcome(
            read_results(state) if read_results is not None else logs, bad_step
        )

    return CompiledFunction(train_program, platform, donate=True)


def make_test_program(test_step: StepWithResults, platform: str) -> CompiledFunction:
    """A compiled `(state, data, order, start, stop, batch_size=…) → (state, logs)`.

    Only the metrics in the state change.
    """
    step, read_results, _, constrain = test_step

    def test_program(
        state: State, data: PyTree, order: Any, start: Any, stop: Any, *, batch_size: int
    ) -> tuple[State, Any]:
        def body(i: Any, carry: tuple[Any, ...]) -> tuple[Any, ...]:
            state, logs = carry
            state, new_logs = step(state, batch_at(data, order, i, batch_size))
            return state, (logs if read_results is not None else new_logs)

        logs = _first_logs(test_step, state, data, order, batch_size)
        state, logs = lax.fori_loop(start, stop, body, (state, logs))
        state = constrain(state)
        return state, (read_results(state) if read_results is not None else logs)

    return CompiledFunction(test_program, platform)


def _first_logs(
    step: StepWithResults, state: State, data: PyTree, order: Any, batch_size: int
) -> PyTree:
    """Initial logs of a loop: zeros if the step returns them, None if the state has them."""
    if step.read_results is not None:
        return None
    _, shapes = jax.eval_shape(step.step, state, batch_at(data, order, 0, batch_size))
    return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)


def make_predict_program(
    forward: Callable[[State, Any], tuple[Any, State]], platform: str
) -> CompiledFunction:
    """A compiled `(state, rows, batch_size=…) → outputs, changes`, which loops over batches.

    The changes are the new values of the state that a forward pass changes, such as the counters of
    random layers or the states of recurrent layers, by their position in the flattened state.
    Weights that are only read are not returned, so they are not copied.

    Args:
        forward: Pure function `(state, batch) → (outputs, state)`.
        platform: Platform to compile for: `"cpu"`, `"gpu"` or `"tpu"`.
    """

    def predict_program(
        state: State, rows: PyTree, *, batch_size: int
    ) -> tuple[Any, dict[int, Any]]:
        old_values, structure = jax.tree.flatten(state)

        def step(changes: dict[int, Any], batch: PyTree) -> tuple[dict[int, Any], Any]:
            values = [changes.get(i, value) for i, value in enumerate(old_values)]
            outputs, new_state = forward(jax.tree.unflatten(structure, values), batch)
            pairs = enumerate(zip(jax.tree.leaves(new_state), values, strict=True))
            return changes | {i: new for i, (new, old) in pairs if new is not old}, outputs

        count = jax.tree.leaves(rows)[0].shape[0]
        if count <= batch_size:
            changes, outputs = step({}, rows)
            return outputs, changes
        batches = jax.tree.map(
            lambda a: a.reshape(count // batch_size, batch_size, *a.shape[1:]), rows
        )
        first_batch = jax.tree.map(lambda a: a[0], batches)
        changed_positions, _ = jax.eval_shape(step, {}, first_batch)
        changes, outputs = lax.scan(step, {i: old_values[i] for i in changed_positions}, batches)
        return jax.tree.map(_join_batches, outputs), changes

    return CompiledFunction(predict_program, platform)


def _join_batches(outputs: jax.Array) -> jax.Array:
    """Concatenate the outputs of all batches; a scalar output becomes one number per batch."""
    if outputs.ndim < 2:
        return outputs
    return outputs.reshape(outputs.shape[0] * outputs.shape[1], *outputs.shape[2:])


def batch_at(data: PyTree, order: Any, i: Any, batch_size: int) -> PyTree:
    """Batch `i` of the data; `order` has the row numbers, or is None for consecutive rows."""
    return rows_of(data, order, i * batch_size, batch_size)
