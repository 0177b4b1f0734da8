"""Trials: trains copies of a model with one change each, within a time budget."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lamina.core.variable.seed import set_random_seed
from lamina.diagnosis.experiments.copies import CannotCopyError, apply_data_changes, make_copy
from lamina.diagnosis.experiments.scores import Task, score_of
from lamina.diagnosis.experiments.setup import (
    MIN_TO_HOLD_OUT,
    Samples,
    TrainingSetup,
    without_side_effects,
)
from lamina.findings import Change


@dataclass(frozen=True)
class Trial:
    """The scores of a trained copy.

    Args:
        change: What was changed; None for a copy without a change.
        validation_scores: Score of each validation sample.
        train_scores: Scores of training samples.
        losses: Training loss of every epoch.
        seconds: Duration.
        failed: Why the training failed, e.g. because of a loss that is not finite; None if it did
            not fail.
        model: The copy.
    """

    change: Change | None
    validation_scores: np.ndarray
    train_scores: np.ndarray
    losses: tuple[float, ...] = ()
    seconds: float = 0.0
    failed: str | None = None
    model: Any = None

    @property
    def score(self) -> float:
        """Mean validation score: 0 is guessing, 1 is perfect."""
        return float(self.validation_scores.mean())

    @property
    def train_score(self) -> float:
        """Mean score on training samples."""
        return float(self.train_scores.mean())


# Maximum number of training samples that are scored.
_MAX_SCORED = 2000


class Trials:
    """Trains copies of a model, each with a change.

    Args:
        setup: The model, data and settings of the training.
        tasks: What each output predicts.
        seconds: Time budget; a trial is not interrupted when the budget runs out.
    """

    def __init__(self, setup: TrainingSetup, tasks: Sequence[Task], seconds: float):
        self.setup = setup
        self.tasks = tasks
        self._deadline = time.perf_counter() + seconds

    @property
    def seconds_left(self) -> float:
        """The rest of the time budget."""
        return self._deadline - time.perf_counter()

    def evaluate(self, model: Any) -> Trial:
        """The scores of a trained model, as a trial without a change."""
        with without_side_effects():
            return Trial(
                None,
                self._sample_scores(model, self.setup.validation),
                self._sample_scores(model, _subsample(self.setup.train)),
            )

    def run(self, change: Change | None = None, seed: int | None = None) -> Trial:
        """Train a copy with a change.

        Args:
            change: The change; None to repeat the training.
            seed: Seed of the order of samples and of new weights; that of the setup if None.

        Returns:
            The scores of the copy. If its loss became infinite or NaN, `failed` says so.

        Raises:
            CannotCopyError: If no such copy can be made.
        """
        began = time.perf_counter()
        changes = () if change is None else change.parts
        with without_side_effects():
            trial = self._train_copy(changes, self.setup.seed if seed is None else seed)
        trial = replace(trial, change=change, seconds=time.perf_counter() - began)
        return trial

    def _train_copy(self, changes: Sequence[Change], seed: int) -> Trial:
        setup = self.setup
        train, validation = apply_data_changes(setup, changes)
        arguments = {change.name: change.value for change in changes if change.where == "fit"}
        epochs = arguments.pop("epochs", setup.epochs)
        if arguments.get("class_weight") == "balanced" and train.sample_weight is not None:
            raise CannotCopyError("The samples have weights already.")
        arguments = {
            "batch_size": setup.batch_size,
            "shuffle": setup.shuffle,
            "class_weight": setup.class_weight,
            **arguments,
        }
        set_random_seed(seed)
        copy = make_copy(setup, changes)
        return self._fit_copy(copy, train, validation, epochs, arguments)

    def train_copy(self, copy: Any, train: Samples, validation: Samples) -> Trial:
        """Train a copy that the caller made, on samples that the caller chose.

        Args:
            copy: A compiled model.
            train: Samples to train on, with the epochs and batch size of the setup.
            validation: Samples to score.

        Raises:
            CannotCopyError: If it cannot be trained.
        """
        setup = self.setup
        arguments = {
            "batch_size": setup.batch_size,
            "shuffle": setup.shuffle,
            "class_weight": setup.class_weight,
        }
        return self._fit_copy(copy, train, validation, setup.epochs, arguments)

    def _fit_copy(
        self,
        copy: Any,
        train: Samples,
        validation: Samples,
        epochs: int,
        arguments: Mapping[str, Any],
    ) -> Trial:
        losses: list[float] = []
        try:
            history = copy.fit(
                train.x,
                train.y,
                sample_weight=train.sample_weight,
                epochs=epochs,
                verbose=0,
                **arguments,
            )
            losses = history.history["loss"]
        except FloatingPointError as error:
            worst = np.full(validation.size, -1.0)
            return Trial(None, worst, worst, failed=str(error).splitlines()[0])
        except ValueError as error:
            raise CannotCopyError(str(error).splitlines()[0]) from error
        return Trial(
            None,
            self._sample_scores(copy, validation),
            self._sample_scores(copy, _subsample(train)),
            tuple(map(float, losses)),
            model=copy,
        )

    def _sample_scores(self, model: Any, samples: Samples) -> np.ndarray:
        predictions = model.predict(samples.x, verbose=0)
        return score_of(self.tasks, predictions, samples.y)


def _subsample(samples: Samples) -> Samples:
    return samples.take(slice(None, None, -(-samples.size // _MAX_SCORED)))


def gain(trial: Trial, baseline: Trial) -> tuple[float, float]:
    """The gain in validation score over another trial, and its standard error.

    The error is 0 for few samples, which are taken for all possible samples.
    """
    scores, other_scores = trial.validation_scores, baseline.validation_scores
    if len(scores) != len(other_scores) or trial.failed or baseline.failed:
        return trial.score - baseline.score, 0.0
    gains = scores - other_scores
    error = gains.std() / np.sqrt(len(gains)) if len(gains) >= MIN_TO_HOLD_OUT else 0.0
    return float(gains.mean()), float(error)
