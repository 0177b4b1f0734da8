"""Applies a change: trains one copy of the model with it and one without it."""

from dataclasses import dataclass
from typing import Any

from lamina.diagnosis.experiments.scores import Task, format_score
from lamina.diagnosis.experiments.setup import TrainingSetup
from lamina.diagnosis.experiments.trials import Trials, gain
from lamina.findings import Change


@dataclass(frozen=True)
class AppliedChange:
    """A trained copy with a change, and how much the change helped.

    Args:
        model: The trained copy with the change.
        change: The change.
        before: Validation score of a copy without the change: 0 is guessing, 1 is perfect.
        after: Validation score of the copy with the change.
        error: Standard error of the difference.
        task: What the first output predicts.
    """

    model: Any
    change: Change
    before: float
    after: float
    error: float
    task: Task

    @property
    def helped(self) -> bool:
        """Whether the score rose by more than two standard errors."""
        return self.after - self.before > max(2 * self.error, 1e-6)

    def __str__(self) -> str:
        verdict = "helped" if self.helped else "did not help"
        return (
            f"{self.change.describe()}: {verdict}. The {self.task.measure} in validation is "
            f"{format_score(self.after, self.task)}, and {format_score(self.before, self.task)} "
            "without it, after trainings from the same weights and with the same data."
        )


def apply(change: Change, setup: TrainingSetup, tasks: list[Task]) -> AppliedChange:
    """Train two copies, one with the change.

    Args:
        change: The change.
        setup: The model, data and settings of the training.
        tasks: What each output predicts.

    Raises:
        CannotCopyError: If no copy can be made.
    """
    trials = Trials(setup, tasks, seconds=float("inf"))
    before, after = trials.run(), trials.run(change)
    _, error = gain(after, before)
    return AppliedChange(after.model, change, before.score, after.score, error, tasks[0])
