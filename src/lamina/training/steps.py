"""Steps: pure functions of a state and a batch, made from the object-style steps of a model."""

from collections.abc import Callable
from typing import Any, NamedTuple

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
    """

    step: Step
    results: Callable[[State], Any] | None
    loss_of: Callable[[State, Any], Any]


def training_step(model: Trainable, variables: TrainState[Variable]) -> MeasuredStep:
    """The training step."""
    overridden = model.overrides.train_step or model.overrides.compute_metrics
    return _measured_step(model, variables, "train_step", overridden)


def testing_step(model: Trainable, variables: TrainState[Variable]) -> MeasuredStep:
    """The evaluation step."""
    overridden = model.overrides.test_step or model.overrides.compute_metrics
    return _measured_step(model, variables, "test_step", overridden)


def forward_step(model: Trainable, variables: TrainState[Variable]) -> Step:
    """`(state, batch) → (outputs, state)`, lowered for the program that it is traced in."""
    return stateless(model.step("predict_step"), variables)


def predicting_step(model: Trainable, variables: TrainState[Variable]) -> Step:
    """The forward step, lowered for the programs of `predict`."""
    return _lowered(forward_step(model, variables), variables)


def _measured_step(
    model: Trainable, variables: TrainState[Variable], name: str, overridden: bool
) -> MeasuredStep:
    pure = _lowered(stateless(model.step(name), variables), variables)
    read_results = stateless(model.model.get_metrics_result, variables)
    constrain = variables.placement.constrain
    tracker = model.objectives.loss_tracker.variables[0]
    loss_index = next(i for i, v in enumerate(variables.metrics) if v is tracker)

    def step(state: State, batch: PyTree) -> tuple[State, Any]:
        logs, state = pure(state, batch)
        return constrain(state), logs

    def results(state: State) -> Any:
        return read_results(state)[0]

    def loss_of(state: State, logs: Any) -> Any:
        if overridden and isinstance(logs, dict) and "loss" in logs:
            return logs["loss"]
        return state.metrics[loss_index]

    return MeasuredStep(step, None if overridden else results, loss_of)


def _lowered(pure: Callable[..., Any], variables: TrainState[Variable]) -> Callable[..., Any]:
    """The function, lowered for the platform of its variables."""
    return lowering_for(variables.placement.platform, kernels=True)(pure)
