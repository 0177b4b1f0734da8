"""Steps: pure functions of a state and a batch, made from the object-style steps of a model."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from lamina.core.types import PyTree
from lamina.core.variable.stateless import stateless
from lamina.core.variable.variable import Variable
from lamina.ops.lowering import lowering_for
from lamina.training.train_state import TrainState
from lamina.training.trainable import Trainable

State = Any
Step = Callable[[State, Any], tuple[State, Any]]


class MeasuredStep(NamedTuple):
    """A training or evaluation step, and how to read its results.

    Attributes:
        step: `(state, batch) → (state, logs)`.
        results: Reads the metrics from the state after the last step. It is None for a step that
            the user has overridden: then the logs are those of the last step.
        loss_of: Reads the running loss from a state or the logs. It is NaN as soon as the loss of
            any step was NaN.
        constrain: Gives a state the shardings of its Variables, at the end of a program.
    """

    step: Step
    results: Callable[[State], Any] | None
    loss_of: Callable[[State, Any], Any]
    constrain: Callable[[State], State] = lambda state: state


def make_train_step(learner: Trainable, variables: TrainState[Variable]) -> MeasuredStep:
    """The model's `train_step` as a pure function."""
    overridden = learner.overrides.train_step or learner.overrides.compute_metrics
    return _make_measured_step(learner, variables, "train_step", overridden)


def make_test_step(learner: Trainable, variables: TrainState[Variable]) -> MeasuredStep:
    """The model's `test_step` as a pure function."""
    overridden = learner.overrides.test_step or learner.overrides.compute_metrics
    return _make_measured_step(learner, variables, "test_step", overridden)


def make_forward_step(learner: Trainable, variables: TrainState[Variable]) -> Step:
    """The model's `predict_step` as a pure function `(state, batch) → (outputs, state)`.

    The implementations of operations are those for the program in which it is traced.
    """
    return stateless(learner.step("predict_step"), variables)


def make_predict_step(learner: Trainable, variables: TrainState[Variable]) -> Step:
    """The forward step, with the implementations of operations for the platform of `predict`."""
    forward = _for_platform(make_forward_step(learner, variables), variables)
    placement = variables.placement

    def step(state: State, batch: PyTree) -> tuple[Any, State]:
        outputs, new_state = forward(state, placement.constrain_batch(batch))

        def constrain_changed(new: Any, old: Any, variable: Variable) -> Any:
            return old if new is old else placement.constrain(new, variable)

        outputs = placement.constrain_predictions(outputs)
        return outputs, jax.tree.map(constrain_changed, new_state, state, variables)

    return step


def _make_measured_step(
    learner: Trainable, variables: TrainState[Variable], name: str, overridden: bool
) -> MeasuredStep:
    pure = _for_platform(stateless(learner.step(name), variables), variables)
    read_results = stateless(learner.model.get_metrics_result, variables)
    placement = variables.placement
    tracker = learner.objectives.loss_tracker.variables[0]
    loss_index = next(i for i, v in enumerate(variables.metrics) if v is tracker)

    def step(state: State, batch: PyTree) -> tuple[State, Any]:
        logs, state = pure(state, placement.constrain_batch(batch))
        return constrain(state), logs

    def constrain(state: State) -> State:
        return placement.constrain(state, variables)

    def results(state: State) -> Any:
        return read_results(state)[0]

    def loss_of(state: State, logs: Any) -> Any:
        if overridden and isinstance(logs, dict) and "loss" in logs:
            return logs["loss"]
        return state.metrics[loss_index]

    return MeasuredStep(step, None if overridden else results, loss_of, constrain)


def _for_platform(pure: Callable[..., Any], variables: TrainState[Variable]) -> Callable[..., Any]:
    """The function, traced with the implementations of operations for the variables' platform."""
    placement = variables.placement
    return lowering_for(placement.platform, kernels=placement.has_kernels)(pure)
