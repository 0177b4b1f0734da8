"""Everything that is to be said about a trained classifier, measured once.

The command line makes an `Outcome` after training and hands it to `pictures` and `report`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lamina.datasets import Dataset
from lamina.diagnosis import measures
from lamina.diagnosis.measures import ClassMeasures
from lamina.diagnosis.verdict import Verdict, judge


@dataclass(frozen=True)
class Outcome:
    """A trained classifier's measures on its training and test samples.

    Args:
        dataset: What it was trained and tested on.
        history: From measure to one value per epoch, as `History.history`.
        train: Measures on the training samples, taken after training.
        test: Measures on the test samples.
        probabilities: On the test samples, `(samples, classes)`.
        seconds: How long `fit` took.
    """

    dataset: Dataset
    history: dict[str, list[float]]
    train: dict[str, float]
    test: dict[str, float]
    probabilities: np.ndarray
    seconds: float

    @property
    def y_true(self) -> np.ndarray:
        return self.dataset.test[1]

    @cached_property
    def confusion(self) -> np.ndarray:
        """Counts, `(true class, predicted class)`."""
        y_pred = self.probabilities.argmax(axis=1)
        return measures.confusion_matrix(self.y_true, y_pred, len(self.dataset.class_names))

    @cached_property
    def per_class(self) -> list[ClassMeasures]:
        return measures.per_class(self.confusion, self.dataset.class_names)

    @cached_property
    def verdict(self) -> Verdict:
        counts = np.bincount(self.y_true)
        return judge(
            self.train["accuracy"],
            self.test["accuracy"],
            len(self.dataset.train[1]),
            len(self.y_true),
            chance=float(counts.max() / counts.sum()),
            loss=self.train["loss"] + self.test["loss"],
        )

    @property
    def samples_per_second(self) -> float:
        epochs = len(next(iter(self.history.values()), []))
        return epochs * len(self.dataset.train[1]) / max(self.seconds, 1e-9)


def measure(model: Any, dataset: Dataset, history: Any, seconds: float) -> Outcome:
    """Measure a model that was just trained.

    Args:
        model: A compiled classifier whose last layer gives probabilities.
        dataset: What it was trained on, and the samples to test it with.
        history: What `fit` returned.
        seconds: How long `fit` took.
    """
    options = {"batch_size": 256, "verbose": 0}
    return Outcome(
        dataset,
        {name: [float(v) for v in values] for name, values in history.history.items()},
        train=_plain(model.evaluate(*dataset.train, return_dict=True, **options)),
        test=_plain(model.evaluate(*dataset.test, return_dict=True, **options)),
        probabilities=np.asarray(model.predict(dataset.test[0], **options)),
        seconds=seconds,
    )


def _plain(logs: dict[str, Any]) -> dict[str, float]:
    """Python numbers, and the accuracy under its plain name whichever kind it was."""
    plain = {name: float(value) for name, value in logs.items()}
    accuracies = [name for name in plain if name.endswith("accuracy")]
    if "accuracy" not in plain and accuracies:
        plain["accuracy"] = plain[accuracies[0]]
    return plain
