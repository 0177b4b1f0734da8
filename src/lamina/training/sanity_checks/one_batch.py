"""Tests whether a model can memorise one batch, the first test of a new model."""

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.types import Data, PyTree, Targets
from lamina.core.user_data.arguments import check_integer
from lamina.core.variable.variable import Variable
from lamina.findings.performance import loss_of_guessing
from lamina.training.compiled_function import CompiledFunction, run_program
from lamina.training.learner import Learner
from lamina.training.recorded_facts import output_facts
from lamina.training.sanity_checks.batches import first_batches
from lamina.training.sanity_checks.measured_steps import step_with_loss
from lamina.training.train_state import TrainState

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Memorised: the loss is at most this fraction of the loss of the best constant prediction.
_LEARNED = 0.1
# Not learned at all: the loss is more than this fraction.
_UNCHANGED = 0.9
# The loss is still decreasing if its mean over the last fifth of the steps is below this fraction
# of its mean over the fifth before.
_DECREASING = 0.97


@filter_tracebacks_of_methods
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class OneBatchTrial:
    """How the loss on one batch changed when a model was trained on it alone.

    Made by `model.overfit_one_batch`.

    Args:
        losses: The loss before each step, `(steps,)`.
        guess: The loss of the best constant prediction for these samples, for comparison; None if
            it is not known, as for custom losses.
        learned: Whether the model memorised the batch.
        samples: Number of samples in the batch.
        verdict: The result in words.

    Example:
        >>> judge(np.geomspace(2.0, 0.01, 50), guess=2.0, samples=32).learned
        True
        >>> print(judge(np.full(50, 2.0), guess=2.0, samples=32).verdict.split(":")[0])
        The model did not learn 32 samples by heart
    """

    losses: np.ndarray
    guess: float | None
    learned: bool
    samples: int
    verdict: str

    @property
    def first(self) -> float:
        """The loss before the first step."""
        return float(self.losses[0])

    @property
    def last(self) -> float:
        """The loss before the last step."""
        return float(self.losses[-1])

    def __repr__(self) -> str:
        return f"{'yes' if self.learned else 'no'}: {self.verdict}"

    def plot(self) -> "Figure":
        """Plot the loss over the steps.

        Returns:
            A matplotlib figure.
        """
        from lamina.training.sanity_checks.plots import (
            plot_one_batch,  # imports matplotlib, which is slow
        )

        return plot_one_batch(self)


def overfit_one_batch(
    learner: Learner,
    x: Data,
    y: Targets,
    sample_weight: Targets,
    batch_size: int | None,
    steps: int,
) -> OneBatchTrial:
    """Run the trial; see `Trainer.overfit_one_batch`."""
    check_integer("steps", steps, 2, owner="overfit_one_batch")
    batch = first_batches(learner, x, y, sample_weight, batch_size, 1, "overfit_one_batch")
    variables = learner.variables()
    losses = run_program(
        _make_program(learner, variables, steps),
        variables,
        batch.data,
        batch_size=batch.batch_size,
        assign=lambda result: None,
    )
    guess = _constant_prediction_loss(learner, batch.data)
    return judge(np.asarray(losses).astype(float), guess, batch.batch_size)


def judge(losses: np.ndarray, guess: float | None, samples: int) -> OneBatchTrial:
    """Judge the losses of a trial.

    Args:
        losses: The loss before each step, `(steps,)`.
        guess: The loss of the best constant prediction; if None, the first loss is used instead.
        samples: Number of samples in the batch.
    """
    first, last, steps = float(losses[0]), float(losses[-1]), len(losses)
    what = "1 sample" if samples == 1 else f"{samples} samples"
    change = f"the loss went from {first:.4g} to {last:.4g} in {steps} steps"

    def result(learned: bool, sentence: str) -> OneBatchTrial:
        return OneBatchTrial(losses, guess, learned, samples, sentence)

    if not np.isfinite(losses).all():
        bad = int(np.flatnonzero(~np.isfinite(losses))[0]) + 1
        return result(
            False,
            f"The model did not learn {what} by heart: the loss was not finite at step "
            f"{bad}. A lower learning rate, or inputs between -1 and 1, may help.",
        )
    reference = guess or first
    if last < 0:
        decreased = last < first
        return result(
            decreased,
            f"{change[0].upper()}{change[1:]}. The loss may be negative, so there is no 0 to "
            "compare it with.",
        )
    if last <= _LEARNED * reference:
        if first <= _LEARNED * reference:
            return result(True, f"The model knew {what} already: {change}.")
        return result(True, f"The model learned {what} by heart: {change}.")
    fifth = max(1, steps // 5)
    before, end = losses[-2 * fifth : -fifth], losses[-fifth:]
    if steps >= 10 and end.mean() < _DECREASING * before.mean():
        return result(
            False,
            f"The model has not learned {what} by heart yet: {change}, and it still falls. More "
            f"steps will tell: overfit_one_batch(…, steps={4 * steps}).",
        )
    if last > _UNCHANGED * reference:
        return result(
            False,
            f"The model did not learn {what} by heart: {change}. Look for targets that do not "
            "belong to the inputs, a learning rate far too low or too high, frozen layers, or an "
            "output that cannot reach the targets.",
        )
    return result(
        False,
        f"The model learned {what} in part: {change}, and stays there. It may be too small, "
        "strongly regularized, or given equal inputs with different targets.",
    )


def _constant_prediction_loss(learner: Learner, data: PyTree) -> float | None:
    """The loss of the best constant prediction for a batch; None if it is not known."""
    if not isinstance(data, tuple) or len(data) != 2:
        return None  # no targets, or weights of samples
    outputs = output_facts(learner, jax.tree.map(np.asarray, data[1]), None)
    return loss_of_guessing(outputs[0]) if len(outputs) == 1 else None


def _make_program(
    learner: Learner, variables: TrainState[Variable], steps: int
) -> CompiledFunction:
    """`(state, batch, batch_size=…) → losses`."""
    step = step_with_loss(learner, variables)

    def one_batch(state: Any, batch: PyTree, *, batch_size: int) -> Any:
        def body(carry: tuple[Any, Any], _: Any) -> tuple[tuple[Any, Any], Any]:
            state, loss = step(carry[0], batch, carry[1])
            return (state, loss), loss

        return lax.scan(body, (state, jnp.float32(0)), None, length=steps)[1]

    return CompiledFunction(one_batch, variables.placement.platform)
