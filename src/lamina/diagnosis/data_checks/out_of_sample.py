"""Out-of-sample probabilities: each sample is predicted by a copy that was trained without it."""

from dataclasses import replace
from typing import Any

import numpy as np

from lamina.callbacks import Callback
from lamina.core.variable.seed import set_random_seed
from lamina.diagnosis.experiments.copies import make_copy
from lamina.diagnosis.experiments.setup import Samples, TrainingSetup, without_side_effects
from lamina.prediction.probabilities import as_probabilities

# Training ends after this many epochs without a better loss on held-out samples.
_PATIENCE = 3
_MIN_PROBABILITY = 1e-7
# Each fold has a seed of its own.
_SEEDS_OF_A_DIVISION = 100


def out_of_sample(
    setup: TrainingSetup, labels: np.ndarray, folds: int, classes: int, repeats: int = 1
) -> np.ndarray | None:
    """Probabilities of the training samples, predicted by copies that were not trained on them.

    Each copy is trained without one fold of the samples, as in cross-validation. Networks learn the
    regular labels first and memorize wrong labels later, so the predictions are those of the epoch
    with the smallest loss on the fold.

    Args:
        setup: The model, data and settings of the training.
        labels: Class indices of its training samples, `(samples,)`.
        folds: Number of folds.
        classes: Number of classes.
        repeats: How many times the samples are divided into folds. The mean of several is a better
            judge, since copies do not make the same mistakes.

    Returns:
        Array `(samples, classes)`; None if the outputs are not probabilities of these classes.

    Raises:
        CannotCopyError: If no copy can be made.
    """
    divisions = []
    for repeat in range(repeats):
        of_division = replace(setup, seed=setup.seed + _SEEDS_OF_A_DIVISION * repeat)
        probabilities = _of_one_division(of_division, labels, folds, classes)
        if probabilities is None:
            return None
        divisions.append(probabilities)
    mean: np.ndarray = np.mean(divisions, axis=0)
    return mean


def _of_one_division(
    setup: TrainingSetup, labels: np.ndarray, folds: int, classes: int
) -> np.ndarray | None:
    fold_indices = _stratified_folds(labels, folds, setup.seed)
    size = max(map(len, fold_indices))
    probabilities = np.zeros((len(labels), classes))
    for number, fold in enumerate(fold_indices):
        rest = np.setdiff1d(np.arange(len(labels)), fold)[: len(labels) - size]
        # All folds get the same size, so that all copies share one compiled program.
        held_out = np.resize(fold, size)
        with without_side_effects():
            set_random_seed(setup.seed + number)
            best = _best_probabilities(
                setup, setup.train.take(rest), setup.train.take(held_out), labels[held_out]
            )
        if best is None or best.shape != (size, classes):
            return None
        probabilities[fold] = best[: len(fold)]
    return probabilities


def _stratified_folds(labels: np.ndarray, folds: int, seed: int) -> list[np.ndarray]:
    """Indices of the samples of each fold; folds have nearly equal sizes and class frequencies."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    return [np.sort(order[start::folds]) for start in range(folds)]


def _best_probabilities(
    setup: TrainingSetup, train: Samples, held_out: Samples, labels: np.ndarray
) -> np.ndarray | None:
    """Train a copy, and predict the held-out samples at its best epoch."""
    recorder = _BestEpoch(held_out.x, labels)
    copy = make_copy(replace(setup, train=train, validation=held_out))
    copy.fit(
        train.x, train.y,
        sample_weight=train.sample_weight, epochs=setup.epochs, batch_size=setup.batch_size,
        shuffle=setup.shuffle, class_weight=setup.class_weight, verbose=0, callbacks=[recorder],
    )  # fmt: skip
    return recorder.probabilities


class _BestEpoch(Callback):
    """Records the probabilities of the epoch with the smallest loss on held-out samples."""

    def __init__(self, x: Any, labels: np.ndarray):
        super().__init__()
        self._x, self._labels = x, labels
        self._loss, self._epochs_without_improvement = np.inf, 0
        self.probabilities: np.ndarray | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        outputs = np.asarray(self.model.predict(self._x, verbose=0), float)
        if outputs.ndim != 2 or not np.isfinite(outputs).all():
            return
        probabilities = as_probabilities(outputs)
        of_label = probabilities[np.arange(len(self._labels)), self._labels]
        loss = float(-np.log(np.maximum(of_label, _MIN_PROBABILITY)).mean())
        if loss < self._loss:
            self._loss, self.probabilities = loss, probabilities
            self._epochs_without_improvement = 0
        else:
            self._epochs_without_improvement += 1
            if self._epochs_without_improvement >= _PATIENCE:
                self.model.stop_training = True
