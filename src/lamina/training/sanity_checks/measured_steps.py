"""Training steps that return the loss of each step, for programs that change no Variable."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax.numpy as jnp

from lamina.core.types import PyTree
from lamina.core.variable.stateless import stateless
from lamina.core.variable.variable import Variable
from lamina.training import steps
from lamina.training.learner import Learner
from lamina.training.train_state import TrainState

State = Any


def step_with_loss(
    learner: Learner, variables: TrainState[Variable]
) -> Callable[[State, PyTree, Any], tuple[State, Any]]:
    """`(state, batch, last_loss) → (state, loss)`: one training step, and its own loss.

    The model's loss metric is the mean over all steps so far, so the metrics are reset before each
    step. A step that is skipped, because a float16 gradient is not finite, returns `last_loss`.

    Args:
        learner: A model prepared for its first step.
        variables: Its training state.

    Raises:
        ValueError: When the step is traced, if the user's own `train_step` returns no loss.
    """
    step = steps.make_train_step(learner, variables).step
    reset = stateless(learner.model.reset_metrics, variables)
    tracked = [id(variable) for variable in learner.objectives.loss_tracker.variables]
    positions = [i for i, variable in enumerate(variables.metrics) if id(variable) in tracked]
    has_custom_step = learner.overrides.train_step or learner.overrides.compute_metrics

    def step_and_loss(state: State, batch: PyTree, last_loss: Any) -> tuple[State, Any]:
        _, reset_state = reset(state)
        state, logs = step(replace(state, metrics=reset_state.metrics), batch)
        if has_custom_step:
            return state, _loss_in(logs, learner)
        total, count = (state.metrics[i] for i in positions)
        loss = total / jnp.where(count > 0, count, 1)
        return state, jnp.where(count > 0, loss, last_loss).astype("float32")

    return step_and_loss


def _loss_in(logs: Any, learner: Learner) -> Any:
    """The loss among the logs of the user's own step."""
    if not isinstance(logs, dict) or "loss" not in logs:
        name = type(learner.model).__name__
        raise ValueError(
            f"{name}.train_step returns no 'loss', and the loss of every step is needed here.\n"
            "  Fix: return {'loss': loss} with the others."
        )
    return jnp.asarray(logs["loss"], "float32")
