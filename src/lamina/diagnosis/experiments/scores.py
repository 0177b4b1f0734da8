"""Scores of predictions, comparable between models with different losses.

0 is guessing and 1 is perfect. For classes the score is the balanced accuracy, scaled so that
always predicting one class scores 0. For numbers it is R², the fraction of explained variance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from lamina.findings.properties import PROBABILITY_LOSSES

# The squared error of a sample is limited to this multiple of the variance.
_MAX_ERROR = 4.0
# Integers with at most this many distinct values count as classes if the loss does not say.
_MAX_CLASSES = 20


@dataclass(frozen=True)
class Task:
    """What an output predicts.

    Args:
        kind: `"classes"`, `"several classes"` (each present or not) or `"numbers"`.
        classes: Number of classes.
    """

    kind: str
    classes: int = 0

    @property
    def measure(self) -> str:
        """The name of the score, for messages."""
        return "R²" if self.kind == "numbers" else "balanced accuracy"


def task_of(y: Any, loss: str | None, activation: str | None = None) -> Task:
    """Infer the task from targets `(samples, …)`, and names of the loss and last activation."""
    y = np.asarray(y)
    flat = y.reshape(len(y), -1)
    zeros_and_ones = bool(np.isin(flat[:2000], (0, 1)).all())
    probabilities = loss in PROBABILITY_LOSSES or activation in ("softmax", "sigmoid")
    if y.ndim >= 2 and y.shape[-1] > 1 and zeros_and_ones and y.ndim == 2:
        if bool((flat[:2000].sum(axis=1) == 1).all()):
            return Task("classes", y.shape[-1])
        if probabilities:
            return Task("several classes", y.shape[-1])
        return Task("numbers")
    if y.ndim > 2 and loss != "sparse_categorical_crossentropy":
        return Task("numbers")
    are_integers = y.dtype.kind in "biu" or bool((flat == np.round(flat)).all())
    if not are_integers or flat.min() < 0:
        return Task("numbers")
    distinct = np.unique(flat)
    is_dense = len(distinct) >= 2 and distinct[0] == 0 and distinct[-1] == len(distinct) - 1
    if loss in ("sparse_categorical_crossentropy", "binary_crossentropy") or (
        is_dense and len(distinct) <= _MAX_CLASSES
    ):
        return Task("classes", int(distinct[-1]) + 1)
    return Task("numbers")


def sample_scores(task: Task, predictions: Any, y: Any) -> np.ndarray:
    """The score of each sample; their mean is the score of the predictions.

    Args:
        task: The task.
        predictions: Outputs of a model, `(samples, …)`.
        y: Targets, `(samples, …)`.

    Returns:
        Array of floats, `(samples,)`; predictions that are not finite count as wrong.
    """
    predictions, y = np.asarray(predictions, float), np.asarray(y)
    if task.kind == "numbers":
        return _explained_variance(predictions, y)
    if task.kind == "several classes":
        labels = y.reshape(len(y), -1) > 0.5
        predicted = predictions.reshape(labels.shape) > _threshold(predictions)
        columns = [
            _balanced_accuracy(predicted[:, i], labels[:, i], 2) for i in range(labels.shape[1])
        ]
        return np.mean(columns, axis=0)
    classes, labels = _classes(predictions, y, task.classes)
    return _balanced_accuracy(classes, labels, task.classes)


def _threshold(predictions: np.ndarray) -> float:
    """The threshold of the positive class; logits are recognized by negative values."""
    return 0.0 if np.nanmin(predictions) < 0 else 0.5


def _classes(predictions: np.ndarray, y: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    if y.ndim == 2 and y.shape[-1] == count and count > 1:
        y = y.argmax(axis=-1)
    labels = y.reshape(-1).astype("int64")
    finite = np.isfinite(predictions)
    if predictions.shape[-1] > 1 and predictions.size > labels.size:
        predicted = np.where(finite, predictions, -np.inf).reshape(len(labels), -1).argmax(axis=-1)
        predicted = np.where(finite.reshape(len(labels), -1).all(axis=-1), predicted, -1)
    elif count == 2:
        flat = predictions.reshape(-1)
        predicted = np.where(np.isfinite(flat), flat > _threshold(predictions), -1)
    else:
        predicted = np.round(np.where(finite, predictions, -1)).reshape(-1)
    return predicted.astype("int64"), labels


def _balanced_accuracy(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Correct predictions, weighted so that a constant prediction has the mean 0."""
    counts = np.bincount(labels.astype("int64"))
    present = int((counts > 0).sum())
    weights = len(labels) / (present * counts[labels.astype("int64")])
    correct = (predicted == labels) * weights
    chance = 1 / max(present, 2)
    return (correct - chance) / (1 - chance)


def _explained_variance(predictions: np.ndarray, y: np.ndarray) -> np.ndarray:
    y = np.asarray(y, float).reshape(len(y), -1)
    predictions = predictions.reshape(len(predictions), -1)
    if predictions.shape[1] != y.shape[1]:
        predictions = np.broadcast_to(predictions.mean(axis=1, keepdims=True), y.shape)
    variance = max(float(((y - y.mean(axis=0)) ** 2).mean()), 1e-12)
    errors = ((predictions - y) ** 2).mean(axis=1) / variance
    return 1 - np.where(np.isfinite(errors), np.minimum(errors, _MAX_ERROR), _MAX_ERROR)


def score_of(tasks: Sequence[Task], predictions: Any, y: Any) -> np.ndarray:
    """The score of each sample, averaged over the outputs, `(samples,)`."""
    outputs, targets = jax.tree.leaves(predictions), jax.tree.leaves(y)
    values = []
    for task, output, target in zip(tasks, outputs, targets, strict=True):
        values.append(sample_scores(task, output, target).reshape(len(target), -1).mean(axis=1))
    return np.mean(values, axis=0)


def format_score(score: float, task: Task) -> str:
    """A score as text, in the measure of the task."""
    if task.kind == "numbers":
        return f"{score:.2f}"
    classes = 2 if task.kind == "several classes" else max(task.classes, 2)
    return f"{score * (1 - 1 / classes) + 1 / classes:.1%}"
