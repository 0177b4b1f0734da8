"""Scores of copies trained on fewer samples, which say whether more samples would help."""

from collections.abc import Sequence

import numpy as np

from lamina.core.variable.seed import set_random_seed
from lamina.diagnosis.experiments.copies import make_copy
from lamina.diagnosis.experiments.scores import Task
from lamina.diagnosis.experiments.setup import without_side_effects
from lamina.diagnosis.experiments.trials import Trial, Trials, gain
from lamina.findings import LearningCurve

_PARTS = (2, 4, 8)
# Minimum number of samples of the smallest part.
_MIN_SAMPLES = 20
# The order must not be the one that `default_rng(0).permutation` gave a user for something else.
_STREAM = 8


def learning_curve(
    trials: Trials, whole: Trial, tasks: Sequence[Task], samples: int
) -> LearningCurve | str | None:
    """Train copies on a half, a quarter and an eighth of the samples, as time allows.

    A part is repeated until it has as many rows as the whole, so that all copies run one compiled
    program and make the same number of steps.

    Args:
        trials: The setup of the training, and the time that is left.
        whole: The trial of a copy that was trained on all samples of `trials`.
        tasks: What each output predicts.
        samples: Number of training samples of the user.

    Returns:
        The curve; why there is none, if time is short; or None where there are too few samples.

    Raises:
        CannotCopyError: If no copy can be made.
    """
    train = trials.setup.train
    parts = [part for part in _PARTS if train.size // part >= _MIN_SAMPLES]
    if not parts or whole.failed:
        return None
    if trials.seconds_left < whole.seconds:
        return "whether more samples would help, for lack of time"
    order = np.random.default_rng((trials.setup.seed, _STREAM)).permutation(train.size)
    curve_trials, skipped = [(train.size, whole)], []
    with without_side_effects():
        set_random_seed(trials.setup.seed)
        copy = make_copy(trials.setup)
        copy.optimizer.build(copy.trainable_variables)
        variables = [*copy.variables, *copy.optimizer.variables]
        initial_values = [np.array(variable) for variable in variables]
        for part in parts:
            size = train.size // part
            if trials.seconds_left < whole.seconds:
                skipped.append(f"{size:,}")
                continue
            for variable, value in zip(variables, initial_values, strict=True):
                variable.assign(value)
            set_random_seed(trials.setup.seed)
            samples_of_part = train.take(_repeat_first_rows(order, size))
            trial = trials.train_copy(copy, samples_of_part, trials.setup.validation)
            if trial.failed is None:
                curve_trials.append((size, trial))
    if len(curve_trials) < 2:
        return None
    return _make_learning_curve(
        curve_trials[::-1], tasks[0], _skipped_note(skipped, train.size, samples)
    )


def _repeat_first_rows(order: np.ndarray, size: int) -> np.ndarray:
    """The first `size` of these rows, repeated until there are as many rows as in `order`."""
    return np.resize(order[:size], len(order))


def _skipped_note(skipped: Sequence[str], used: int, samples: int) -> str:
    notes = []
    if skipped:
        notes.append(f"parts of {' and '.join(skipped)} samples, for lack of time")
    if samples > used:
        notes.append(f"all but {used:,} of the {samples:,} samples, which would take too long")
    return "; ".join(notes)


def _make_learning_curve(
    trials: Sequence[tuple[int, Trial]], task: Task, skipped: str
) -> LearningCurve:
    classes = 2 if task.kind == "several classes" else max(task.classes, 2)
    # From 0 for guessing to an accuracy; R² stays as it is.
    chance = 0.0 if task.kind == "numbers" else 1 / classes
    factor = 1 - chance
    (_, before), (_, after) = trials[-2:]
    increase, error = gain(after, before)
    return LearningCurve(
        samples=tuple(size for size, _ in trials),
        scores=tuple(chance + factor * trial.score for _, trial in trials),
        train_scores=tuple(chance + factor * trial.train_score for _, trial in trials),
        gain=factor * increase,
        error=factor * error,
        measure=task.measure,
        skipped=skipped,
    )
