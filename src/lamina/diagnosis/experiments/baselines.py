"""Baselines: what scikit-learn's simple models reach on the same samples.

They say whether inputs and targets have anything to do with each other, and what a network should
reach at least.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from lamina.diagnosis.experiments.scores import Task, goodness
from lamina.diagnosis.experiments.setup import Samples

_MOST_SAMPLES = 2000
# Samples times columns.
_MOST_NUMBERS = 500_000
# Trees are slow with more columns.
_MOST_COLUMNS_OF_TREES = 64
_MOST_COLUMNS = 20_000
_MOST_CLASSES = 100
_MOST_TARGETS = 64


@dataclass(frozen=True)
class Baseline:
    """The best of the simple models.

    Args:
        name: What it is.
        validation: Goodness of each validation sample.
    """

    name: str
    validation: np.ndarray

    @property
    def score(self) -> float:
        """Its score: 0 is guessing, 1 is perfect."""
        return float(self.validation.mean())

    @property
    def error(self) -> float:
        """Standard error of the score."""
        return float(self.validation.std() / np.sqrt(len(self.validation)))


def best_baseline(
    tasks: Sequence[Task], train: Samples, validation: Samples, are_indices: bool = False
) -> Baseline | None:
    """The best simple model for data with one output.

    Args:
        tasks: What the outputs predict.
        train: Training samples; at most 2,000 of them are used.
        validation: Validation samples.
        are_indices: Whether inputs are indices of words, which are counted.

    Returns:
        The best, or None where there is none: several outputs, many targets, many columns.
    """
    if len(tasks) != 1:
        return None
    task = tasks[0]
    train, validation = _some(train), _some(validation)
    first = jax.tree.leaves(train.x)
    if first and not are_indices:
        columns = sum(int(np.prod(np.shape(leaf)[1:])) for leaf in first)
        train = _some(train, max(_MOST_NUMBERS // max(columns, 1), 300))
    x_train, x_test = _columns(train.x, validation.x, are_indices)
    if x_train is None or x_train.shape[1] > _MOST_COLUMNS or task.classes > _MOST_CLASSES:
        return None
    y_train, y_test = (np.asarray(jax.tree.leaves(part.y)[0]) for part in (train, validation))
    if task.kind == "several classes" or len(y_train) < 10 or len(y_train) != len(x_train):
        return None
    if task.kind == "classes":
        is_one_hot = y_train.shape[1:] == (task.classes,) and bool(np.isin(y_train, (0, 1)).all())
        labels = y_train.argmax(axis=-1) if is_one_hot and task.classes > 1 else y_train
        labels = labels.reshape(-1)
        # A label for each step of a sequence is more than one for a sample.
        if len(labels) != len(x_train) or len(np.unique(labels)) < 2:
            return None
        models = _classifiers(x_train.shape[1])
    else:
        labels = y_train.reshape(len(y_train), -1)
        if labels.shape[1] > _MOST_TARGETS:
            return None
        labels = labels.reshape(-1) if labels.shape[1] == 1 else labels
        models = _regressors(x_train.shape[1])
    results = []
    from threadpoolctl import threadpool_limits  # a dependency of scikit-learn

    # Threads cost more than they bring for so few numbers.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        for name, model in models:
            predictions = model.fit(x_train, labels).predict(x_test)
            if task.kind == "classes":
                predictions = np.eye(task.classes)[predictions.astype("int64")]
            results.append(Baseline(name, goodness(task, predictions, y_test)))
    return max(results, key=lambda result: result.score)


def _some(samples: Samples, most: int = _MOST_SAMPLES) -> Samples:
    return samples.take(slice(None, None, -(-samples.size // most)))


def _columns(train: Any, validation: Any, are_indices: bool) -> tuple[Any, Any]:
    """Inputs as tables of numbers; (None, None) if they are none."""
    parts = []
    for x in (train, validation):
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(x)]
        if not leaves or any(leaf.dtype.kind not in "biuf" for leaf in leaves):
            return None, None
        parts.append(np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1))
    if are_indices:
        size = int(max(part.max(initial=0) for part in parts)) + 1
        if size > _MOST_COLUMNS:
            return None, None
        parts = [_counts(part.astype("int64"), size) for part in parts]
    first, second = (np.nan_to_num(part.astype("float32")) for part in parts)
    return first, second


def _counts(indices: np.ndarray, size: int) -> np.ndarray:
    counts = np.zeros((len(indices), size), "float32")
    np.add.at(counts, (np.arange(len(indices))[:, None], indices), 1.0)
    return np.log1p(counts)


def _classifiers(columns: int) -> list[tuple[str, Any]]:
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    linear = make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=30, C=0.1, class_weight="balanced")
    )
    models: list[tuple[str, Any]] = [("logistic regression", linear)]
    if columns <= _MOST_COLUMNS_OF_TREES:
        trees = ExtraTreesClassifier(class_weight="balanced", random_state=0)
        models.append(("a forest of trees", trees))
    return models


def _regressors(columns: int) -> list[tuple[str, Any]]:
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    models: list[tuple[str, Any]] = [("ridge", make_pipeline(StandardScaler(), Ridge(alpha=1.0)))]
    if columns <= _MOST_COLUMNS_OF_TREES:
        models.append(("a forest of trees", ExtraTreesRegressor(random_state=0)))
    return models
