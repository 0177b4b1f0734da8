"""Steps: pure functions of a state and a batch, made from the steps of a model."""

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


class StepWithResults(NamedTuple):
    """A training or evaluation step, with functions that read its results.

    Attributes:
        step: `(state, batch) → (state, logs)`.
        read_results: Reads the metrics from the state after the last step. None for a step that the
            user has overridden, whose logs are those of the last step.
        read_loss: Reads the running loss from the state or the logs. It is NaN after the loss of
            any step was NaN.
        constrain: Gives a state the shardings of its Variables, at the end of a program.
    """

    step: Step
    read_results: Callable[[State], Any] | None
    read_loss: Callable[[State, Any], Any]
    constrain: Callable[[State], State] = lambda state: state


def make_train_step(learner: Trainable, variables: TrainState[Variable]) -> StepWithResults:
    """The model's `train_step` as a pure function."""
    overridden = learner.overrides.train_step or learner.overrides.compute_metrics
    return _make_step_with_results(learner, variables, "train_step", overridden)


def make_test_step(learner: Trainable, variables: TrainState[Variable]) -> StepWithResults:
    """The model's `test_step` as a pure function."""
    overridden = learner.overrides.test_step or learner.overrides.compute_metrics
    return _make_step_with_results(learner, variables, "test_step", overridden)


def make_forward_step(learner: Trainable, variables: TrainState[Variable]) -> Step:
    """The model's `predict_step` as a pure function `(state, batch) → (outputs, state)`.

    The program in which the step is traced determines the implementations of operations.
    """
    return stateless(learner.step("predict_step"), variables)


def make_predict_step(learner: Trainable, variables: TrainState[Variable]) -> Step:
    """The forward step, with implementations of operations for the platform of the state."""
    forward = _for_platform(make_forward_step(learner, variables), variables)
    placement = variables.placement

    def step(state: State, batch: PyTree) -> tuple[Any, State]:
        outputs, new_state = forward(state, placement.constrain_batch(batch))

        def constrain_changed(new: Any, old: Any, variable: Variable) -> Any:
            return old if new is old else placement.constrain(new, variable)

        outputs = placement.constrain_predictions(outputs)
        return outputs, jax.tree.map(constrain_changed, new_state, state, variables)

    return step


def _make_step_with_results(
    learner: Trainable, variables: TrainState[Variable], name: str, overridden: bool
) -> StepWithResults:
    pure = _for_platform(stateless(learner.step(name), variables), variables)
    metrics_result = stateless(learner.model.get_metrics_result, variables)
    placement = variables.placement
    tracker = learner.objectives.loss_tracker.variables[0]
    loss_index = next(i for i, v in enumerate(variables.metrics) if v is tracker)

    def step(state: State, batch: PyTree) -> tuple[State, Any]:
        logs, state = pure(state, placement.constrain_batch(batch))
        return constrain(state), logs

    def constrain(state: State) -> State:
        return placement.constrain(state, variables)

    def read_results(state: State) -> Any:
        return metrics_result(state)[0]

    def read_loss(state: State, logs: Any) -> Any:
        if overridden and isinstance(logs, dict) and "loss" in logs:
            return logs["loss"]
        return state.metrics[loss_index]

    return StepWithResults(step, None if overridden else read_results, read_loss, constrain)


def _for_platform(pure: Callable[..., Any], variables: TrainState[Variable]) -> Callable[..., Any]:
    """Trace a function with the implementations of operations for the platform of the variables."""
    placement = variables.placement
    return lowering_for(placement.platform, kernels=placement.has_kernels)(pure)
