"""The learning rate range test: steps at increasing rates, and the rate that the losses suggest."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.types import Data, PyTree, Targets
from lamina.core.user_data.arguments import check_integer, is_number
from lamina.core.variable.variable import Variable
from lamina.optimizers import LossScaleOptimizer, MultiOptimizer, Optimizer
from lamina.training.compiled_function import CompiledFunction, run_program
from lamina.training.learner import Learner
from lamina.training.sanity_checks.batches import first_batches
from lamina.training.sanity_checks.measured_steps import step_with_loss
from lamina.training.train_state import TrainState

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MIN_STEPS = 10
# The curve is smoothed over this many steps; by default there are 14 steps per factor of 10.
_WINDOW = 9
# Weight of a new loss in the moving average that detects divergence.
_SMOOTHING = 0.1
# The test ends when the smoothed loss exceeds its minimum by this factor times the minimum, or
# times the decrease from the first loss to the minimum, whichever is larger.
_DIVERGENCE_FACTOR = 3.0
# A smaller decrease, as a fraction of the first loss, is ignored.
_MIN_DECREASE = 0.02


@filter_tracebacks_of_methods
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LearningRateRange:
    """Losses at increasing learning rates, and the rate that they suggest.

    Made by `model.find_learning_rate`.

    Args:
        rates: The increasing rates of the steps that were run, `(steps,)`.
        losses: The loss of each step's batch before the step, `(steps,)`.
        smoothed: The mean of each loss and its neighbours, `(steps,)`.
        suggestion: The suggested rate; None if the loss decreased at no rate.
        steepest: The rate at which the smoothed loss decreased fastest, or None.
        lowest: The rate at which the smoothed loss was lowest.
        diverged: Whether the test ended early because the loss diverged.
        explanation: How the suggestion was found, in words.

    Example:
        >>> rates = np.geomspace(1e-5, 1.0, 50)
        >>> result = suggest(rates, 1 / (1 + (30 * rates) ** 2) + (2 * rates) ** 3)
        >>> 0.001 < result.suggestion < result.steepest < result.lowest
        True
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float | None
    steepest: float | None
    lowest: float
    diverged: bool
    explanation: str

    def __repr__(self) -> str:
        suggestion = "none" if self.suggestion is None else f"{self.suggestion:.2g}"
        outcome = (
            f"the loss diverged at {self.rates[-1]:.2g}"
            if self.diverged
            else f"no rate up to {self.rates[-1]:.2g} made the loss diverge"
        )
        steps = f"{len(self.rates)} steps at rates from {self.rates[0]:.2g}; {outcome}"
        return f"Suggested learning rate: {suggestion}\n  {self.explanation}\n  Tried: {steps}."

    def plot(self) -> "Figure":
        """The losses over the rates, with the suggestion marked.

        Returns:
            A matplotlib figure.
        """
        from lamina.training.sanity_checks.plots import (
            plot_rates,  # imports matplotlib, which is slow
        )

        return plot_rates(self)


def find_learning_rate(
    learner: Learner,
    x: Data,
    y: Targets,
    sample_weight: Targets,
    batch_size: int | None,
    steps: int,
    min_rate: float,
    max_rate: float,
) -> LearningRateRange:
    """Run the test; see `Trainer.find_learning_rate`."""
    check_integer("steps", steps, _MIN_STEPS, owner="find_learning_rate")
    in_order = is_number(min_rate) and is_number(max_rate) and 0 < min_rate < max_rate < np.inf
    if not in_order:
        raise ValueError(
            "find_learning_rate needs 0 < min_rate < max_rate; received "
            f"min_rate={min_rate!r}, max_rate={max_rate!r}."
        )
    if learner.compiled:
        _refuse_fixed_rates(learner.model.optimizer)
    batches = first_batches(learner, x, y, sample_weight, batch_size, steps, "find_learning_rate")
    variables = learner.variables()
    rates = np.geomspace(min_rate, max_rate, steps).astype("float32")
    losses, steps_done = run_program(
        _make_program(learner, variables),
        variables,
        batches.data,
        np.int32(batches.batch_count),
        rates,
        batch_size=batches.batch_size,
        assign=lambda result: None,
    )
    step_count = int(steps_done)
    return suggest(
        rates[:step_count].astype(float),
        np.asarray(losses)[:step_count].astype(float),
        step_count < steps,
    )


def suggest(rates: np.ndarray, losses: np.ndarray, diverged: bool = False) -> LearningRateRange:
    """The rate that the losses at increasing rates suggest.

    It is a tenth of the rate at which the smoothed loss is lowest, because at that rate itself the
    loss would soon increase in a longer training.

    Args:
        rates: Increasing rates, `(steps,)`.
        losses: The loss at each rate, `(steps,)`.
        diverged: Whether the test ended before the last rate.
    """
    smoothed = _moving_average(losses)
    finite = np.where(np.isfinite(smoothed), smoothed, np.inf)
    best = int(np.argmin(finite))
    decrease = float(finite[0] - finite[best])
    result = LearningRateRange(
        rates, losses, smoothed, None, None, float(rates[best]), diverged, ""
    )
    if not decrease > _MIN_DECREASE * abs(finite[0]):
        explanation = "The loss fell at no rate, so none can be suggested."
        return dataclasses.replace(result, explanation=explanation)
    slopes = np.gradient(finite[: best + 1], np.log(rates[: best + 1]))
    steepest = float(rates[int(np.argmin(slopes))])
    explanation = (
        f"It is a tenth of {result.lowest:.2g}, where the loss was lowest; it fell fastest at "
        f"{steepest:.2g}."
    )
    if best == len(rates) - 1 and not diverged:
        explanation += " It still fell at the last rate: a larger max_rate may find more."
    return dataclasses.replace(
        result, suggestion=result.lowest / 10, steepest=steepest, explanation=explanation
    )


def _moving_average(losses: np.ndarray) -> np.ndarray:
    """The mean of each loss and its neighbours, as many before it as after it."""
    count = len(losses)
    reach = [min(_WINDOW // 2, i, count - 1 - i) for i in range(count)]
    return np.array([losses[i - r : i + r + 1].mean() for i, r in enumerate(reach)])


def _make_program(learner: Learner, variables: TrainState[Variable]) -> CompiledFunction:
    """`(state, data, count, rates, batch_size=…) → (losses, steps done)`."""
    step = step_with_loss(learner, variables)
    optimizer = _inner_optimizer(learner.model.optimizer)
    rate_variable = optimizer._learning_rate
    index = next((i for i, v in enumerate(variables.optimizer) if v is rate_variable), None)

    def range_test(
        state: Any, data: PyTree, count: Any, rates: Any, *, batch_size: int
    ) -> tuple[Any, Any]:
        losses = jnp.full(rates.shape, jnp.nan, "float32")
        infinite = jnp.float32(jnp.inf)

        def should_continue(carry: tuple[Any, ...]) -> Any:
            number, *_, diverged = carry
            return (number < rates.shape[0]) & ~diverged

        def body(carry: tuple[Any, ...]) -> tuple[Any, ...]:
            number, state, losses, average, first, minimum, _ = carry
            start = number % count * batch_size
            batch = jax.tree.map(lambda a: lax.dynamic_slice_in_dim(a, start, batch_size), data)
            last_loss = jnp.where(number > 0, losses[number - 1], 0)
            with _replace_schedule(optimizer, rates[number]):
                state, loss = step(_set_rate(state, index, rates[number]), batch, last_loss)
            average = average + _SMOOTHING * (loss - average)
            smoothed = average / (1 - (1 - _SMOOTHING) ** (number + 1.0))
            first = jnp.where(number == 0, smoothed, first)
            minimum = jnp.minimum(minimum, smoothed)
            bound = minimum + _DIVERGENCE_FACTOR * jnp.maximum(jnp.abs(minimum), first - minimum)
            diverged = ~jnp.isfinite(loss) | (smoothed > bound)
            return number + 1, state, losses.at[number].set(loss), average, first, minimum, diverged

        start = (jnp.int32(0), state, losses, jnp.float32(0), infinite, infinite, jnp.bool_(False))
        number, _, losses, *_ = lax.while_loop(should_continue, body, start)
        return losses, number

    return CompiledFunction(range_test, variables.placement.platform)


def _set_rate(state: Any, index: int | None, rate: Any) -> Any:
    """The state with another learning rate, if the state contains the rate."""
    if index is None:
        return state
    optimizer = list(state.optimizer)
    optimizer[index] = rate.astype(optimizer[index].dtype)
    return dataclasses.replace(state, optimizer=optimizer)


@contextmanager
def _replace_schedule(optimizer: Any, rate: Any) -> Iterator[None]:
    """Context manager that replaces a learning rate schedule by a rate while a step is traced."""
    schedule = optimizer._learning_rate
    if isinstance(schedule, Variable):
        yield
        return
    optimizer._learning_rate = lambda: rate
    try:
        yield
    finally:
        optimizer._learning_rate = schedule


def _inner_optimizer(optimizer: Any) -> Any:
    """The optimizer inside a `LossScaleOptimizer`; other optimizers are returned unchanged."""
    while isinstance(optimizer, LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    return optimizer


def _refuse_fixed_rates(optimizer: Any) -> None:
    """Refuse optimizers that do not have exactly one learning rate that can be set."""
    inner = _inner_optimizer(optimizer)
    if isinstance(inner, MultiOptimizer):
        reason = "it has several optimizers, each with a rate of its own"
    elif isinstance(inner, Optimizer) and inner._learning_rate is not None:
        return
    else:
        reason = "its rate is inside an optax transformation"
    raise ValueError(
        f"find_learning_rate sets the rate of the optimizer, and {type(inner).__name__} has none "
        f"to set: {reason}.\n"
        "  Fix: compile with one of Lamina's optimizers for the test, such as "
        "model.compile('adam', …)."
    )
