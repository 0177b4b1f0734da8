"""Out-of-sample probabilities: each sample is predicted by a copy that was trained without it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from lamina.callbacks import Callback
from lamina.core.variable.seed import set_random_seed
from lamina.diagnosis.experiments.copies import copy_of
from lamina.diagnosis.experiments.setup import Samples, TrainingSetup, undisturbed
from lamina.prediction.probabilities import as_probabilities

# Training ends after so many epochs without a better loss on samples that are held out.
_PATIENCE = 3
_SMALLEST = 1e-7


def out_of_sample(
    setup: TrainingSetup, labels: np.ndarray, folds: int, classes: int
) -> np.ndarray | None:
    """Probabilities of the training samples by copies that did not see them.

    Each copy is trained without one part of the samples. Networks learn the regular labels first
    and wrong ones by heart later, so the epoch with the smallest loss on that part counts.

    Args:
        setup: What the training began with.
        labels: Class indices of its training samples, `(samples,)`.
        folds: Number of parts.
        classes: Number of classes.

    Returns:
        Array `(samples, classes)`; None if the outputs are no probabilities of these classes.

    Raises:
        CannotCopyError: If no copy can be made.
    """
    parts = _parts(labels, folds, setup.seed)
    size = max(map(len, parts))
    probabilities = np.zeros((len(labels), classes))
    for number, part in enumerate(parts):
        rest = np.setdiff1d(np.arange(len(labels)), part)[: len(labels) - size]
        # All folds have one size, so that they share one compiled program.
        held = np.resize(part, size)
        with undisturbed():
            set_random_seed(setup.seed + number)
            best = _best_probabilities(setup, setup.train.take(rest), setup.train.take(held))(
                labels[held]
            )
        if best is None or best.shape != (size, classes):
            return None
        probabilities[part] = best[: len(part)]
    return probabilities


def _parts(labels: np.ndarray, folds: int, seed: int) -> list[np.ndarray]:
    """Parts of about one size, with the same mix of classes."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    return [np.sort(order[start::folds]) for start in range(folds)]


def _best_probabilities(
    setup: TrainingSetup, train: Samples, held: Samples
) -> Callable[[np.ndarray], np.ndarray | None]:
    def run(labels: np.ndarray) -> np.ndarray | None:
        watch = _Watch(held.x, labels)
        copy = copy_of(replace(setup, train=train, validation=held))
        copy.fit(
            train.x, train.y,
            sample_weight=train.sample_weight, epochs=setup.epochs, batch_size=setup.batch_size,
            shuffle=setup.shuffle, class_weight=setup.class_weight, verbose=0, callbacks=[watch],
        )  # fmt: skip
        return watch.best

    return run


class _Watch(Callback):
    """Keeps the probabilities of the epoch with the smallest loss on held-out samples."""

    def __init__(self, x: Any, labels: np.ndarray):
        super().__init__()
        self._x, self._labels = x, labels
        self._loss, self._worse = np.inf, 0
        self.best: np.ndarray | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        outputs = np.asarray(self.model.predict(self._x, verbose=0), float)
        if outputs.ndim != 2 or not np.isfinite(outputs).all():
            return
        probabilities = as_probabilities(outputs)
        own = probabilities[np.arange(len(self._labels)), self._labels]
        loss = float(-np.log(np.maximum(own, _SMALLEST)).mean())
        if loss < self._loss:
            self._loss, self._worse, self.best = loss, 0, probabilities
        else:
            self._worse += 1
            if self._worse >= _PATIENCE:
                self.model.stop_training = True
