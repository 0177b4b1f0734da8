"""What copies reach on parts of the samples, which says whether more samples would help."""

from collections.abc import Sequence

import numpy as np

from lamina.core.variable.seed import set_random_seed
from lamina.diagnosis.experiments.copies import copy_of
from lamina.diagnosis.experiments.scores import Task
from lamina.diagnosis.experiments.setup import undisturbed
from lamina.diagnosis.experiments.trials import Trial, Trials, gain
from lamina.findings import LearningCurve

_PARTS = (2, 4, 8)
# The smallest part has so many samples.
_FEWEST = 20
# The order must not be the one that `default_rng(0).permutation` gave a user for something else.
_STREAM = 8


def learning_curve(
    trials: Trials, whole: Trial, tasks: Sequence[Task], samples: int
) -> LearningCurve | str | None:
    """Train copies on a half, a quarter and an eighth of the samples, as time allows.

    A part is repeated until it has as many rows as the whole, so that all copies run one compiled
    program and make the same number of steps.

    Args:
        trials: What was trained, and the time that is left.
        whole: What a copy reached on all samples of `trials`.
        tasks: What each output predicts.
        samples: Number of training samples of the user.

    Returns:
        The curve; why there is none, if time is short; or None where there are too few samples.

    Raises:
        CannotCopyError: If no copy can be made.
    """
    train = trials.setup.train
    parts = [part for part in _PARTS if train.size // part >= _FEWEST]
    if not parts or whole.failed:
        return None
    if trials.seconds_left < whole.seconds:
        return "whether more samples would help, for lack of time"
    order = np.random.default_rng((trials.setup.seed, _STREAM)).permutation(train.size)
    reached, skipped = [(train.size, whole)], []
    with undisturbed():
        set_random_seed(trials.setup.seed)
        copy = copy_of(trials.setup)
        copy.optimizer.build(copy.trainable_variables)
        variables = [*copy.variables, *copy.optimizer.variables]
        start = [np.array(variable) for variable in variables]
        for part in parts:
            size = train.size // part
            if trials.seconds_left < whole.seconds:
                skipped.append(f"{size:,}")
                continue
            for variable, value in zip(variables, start, strict=True):
                variable.assign(value)
            set_random_seed(trials.setup.seed)
            part_of_samples = train.take(_repeated(order, size))
            trial = trials.fitted(copy, part_of_samples, trials.setup.validation)
            if trial.failed is None:
                reached.append((size, trial))
    if len(reached) < 2:
        return None
    return _curve(reached[::-1], tasks[0], _left_out(skipped, train.size, samples))


def _repeated(order: np.ndarray, size: int) -> np.ndarray:
    """The first samples in this order, again and again until there are as many as before."""
    return np.resize(order[:size], len(order))


def _left_out(skipped: Sequence[str], used: int, samples: int) -> str:
    notes = []
    if skipped:
        notes.append(f"parts of {' and '.join(skipped)} samples, for lack of time")
    if samples > used:
        notes.append(f"all but {used:,} of the {samples:,} samples, which would take too long")
    return "; ".join(notes)


def _curve(reached: Sequence[tuple[int, Trial]], task: Task, skipped: str) -> LearningCurve:
    classes = 2 if task.kind == "several classes" else max(task.classes, 2)
    # From 0 for guessing to an accuracy; R² stays as it is.
    chance = 0.0 if task.kind == "numbers" else 1 / classes
    factor = 1 - chance
    (_, before), (_, after) = reached[-2:]
    risen, error = gain(after, before)
    return LearningCurve(
        samples=tuple(size for size, _ in reached),
        scores=tuple(chance + factor * trial.score for _, trial in reached),
        train_scores=tuple(chance + factor * trial.train_score for _, trial in reached),
        gain=factor * risen,
        error=factor * error,
        measure=task.measure,
        skipped=skipped,
    )
