"""Trials: copies of a model are trained with one change each, within a time budget."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lamina.core.variable.seed import set_random_seed
from lamina.diagnosis.experiments.copies import CannotCopyError, changed_data, copy_of
from lamina.diagnosis.experiments.scores import Task, score_of
from lamina.diagnosis.experiments.setup import WHOLE_WORLD, Samples, TrainingSetup, undisturbed
from lamina.findings import Change


@dataclass(frozen=True)
class Trial:
    """What a copy reached.

    Args:
        change: What was changed; None for a copy without a change.
        validation: Goodness of each validation sample; its mean is the score.
        train: Goodness of training samples.
        losses: Training loss of every epoch.
        seconds: Duration.
        failed: Why there is no result, e.g. a loss that is not finite; None if there is one.
        model: The copy.
    """

    change: Change | None
    validation: np.ndarray
    train: np.ndarray
    losses: tuple[float, ...] = ()
    seconds: float = 0.0
    failed: str | None = None
    model: Any = None

    @property
    def score(self) -> float:
        """Score in validation: 0 is guessing, 1 is perfect."""
        return float(self.validation.mean())

    @property
    def train_score(self) -> float:
        """Score on training samples."""
        return float(self.train.mean())


# Training samples whose predictions are scored.
_SCORED = 2000


class Trials:
    """Trains copies of a model, each with a change.

    Args:
        setup: What the training began with.
        tasks: What each output predicts.
        seconds: Time budget; a trial that has begun is finished.
    """

    def __init__(self, setup: TrainingSetup, tasks: Sequence[Task], seconds: float):
        self.setup = setup
        self.tasks = tasks
        self._ends = time.perf_counter() + seconds

    @property
    def seconds_left(self) -> float:
        """What is left of the budget."""
        return self._ends - time.perf_counter()

    def trained(self, model: Any) -> Trial:
        """What a trained model reaches, as if it were a copy without a change."""
        with undisturbed():
            return Trial(
                None,
                self._goodness(model, self.setup.validation),
                self._goodness(model, _some(self.setup.train)),
            )

    def run(self, change: Change | None = None, seed: int | None = None) -> Trial:
        """Train a copy with a change.

        Args:
            change: The change; None for the training as it was.
            seed: Of the order of samples and of new weights, if not that of the setup.

        Returns:
            What the copy reached. A loss that is not finite is a result, too.

        Raises:
            CannotCopyError: If no such copy can be made.
        """
        began = time.perf_counter()
        parts = () if change is None else change.parts
        with undisturbed():
            trial = self._train_copy(parts, self.setup.seed if seed is None else seed)
        trial = replace(trial, change=change, seconds=time.perf_counter() - began)
        return trial

    def _train_copy(self, parts: Sequence[Change], seed: int) -> Trial:
        setup = self.setup
        train, validation = changed_data(setup, parts)
        arguments = {part.name: part.value for part in parts if part.where == "fit"}
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
        return self._fitted(copy_of(setup, parts), train, validation, epochs, arguments)

    def fitted(self, copy: Any, train: Samples, validation: Samples) -> Trial:
        """Train a copy that was made by the caller, on samples of his choice.

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
        return self._fitted(copy, train, validation, setup.epochs, arguments)

    def _fitted(
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
            self._goodness(copy, validation),
            self._goodness(copy, _some(train)),
            tuple(map(float, losses)),
            model=copy,
        )

    def _goodness(self, model: Any, samples: Samples) -> np.ndarray:
        predictions = model.predict(samples.x, verbose=0)
        return score_of(self.tasks, predictions, samples.y)


def _some(samples: Samples) -> Samples:
    return samples.take(slice(None, None, -(-samples.size // _SCORED)))


def gain(trial: Trial, baseline: Trial) -> tuple[float, float]:
    """How much better a trial is than another in validation, and the standard error of that.

    Few samples are all there are, and have no error.
    """
    if len(trial.validation) != len(baseline.validation) or trial.failed or baseline.failed:
        return trial.score - baseline.score, 0.0
    difference = trial.validation - baseline.validation
    error = difference.std() / np.sqrt(len(difference)) if len(difference) >= WHOLE_WORLD else 0.0
    return float(difference.mean()), float(error)
