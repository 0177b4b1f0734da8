"""Baselines: the scores of simple models of scikit-learn on the same samples.

They tell whether targets depend on inputs at all, and which score a network should reach.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from lamina.diagnosis.experiments.scores import Task, sample_scores
from lamina.diagnosis.experiments.setup import Samples

_MAX_SAMPLES = 2000
# Samples times columns.
_MAX_NUMBERS = 500_000
# Trees are slow with more columns.
_MAX_COLUMNS_OF_TREES = 64
_MAX_COLUMNS = 20_000
_MAX_CLASSES = 100
_MAX_TARGETS = 64


@dataclass(frozen=True)
class Baseline:
    """The best of the simple models.

    Args:
        name: Kind of the model, in words.
        validation_scores: Score of each validation sample.
    """

    name: str
    validation_scores: np.ndarray

    @property
    def score(self) -> float:
        """The mean score: 0 is guessing, 1 is perfect."""
        return float(self.validation_scores.mean())

    @property
    def error(self) -> float:
        """Standard error of the score."""
        return float(self.validation_scores.std() / np.sqrt(len(self.validation_scores)))


def best_baseline(
    tasks: Sequence[Task], train: Samples, validation: Samples, are_indices: bool = False
) -> Baseline | None:
    """The best simple model for data with one output.

    Args:
        tasks: What the outputs predict.
        train: Training samples; at most 2,000 of them are used.
        validation: Validation samples.
        are_indices: Whether inputs are word indices, which are counted.

    Returns:
        The best simple model; None if there are several outputs, or too many targets or columns.
    """
    if len(tasks) != 1:
        return None
    task = tasks[0]
    train, validation = _subsample(train), _subsample(validation)
    leaves = jax.tree.leaves(train.x)
    if leaves and not are_indices:
        columns = sum(int(np.prod(np.shape(leaf)[1:])) for leaf in leaves)
        train = _subsample(train, max(_MAX_NUMBERS // max(columns, 1), 300))
    x_train, x_test = _as_tables(train.x, validation.x, are_indices)
    if x_train is None or x_train.shape[1] > _MAX_COLUMNS or task.classes > _MAX_CLASSES:
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
        if labels.shape[1] > _MAX_TARGETS:
            return None
        labels = labels.reshape(-1) if labels.shape[1] == 1 else labels
        models = _regressors(x_train.shape[1])
    results = []
    from threadpoolctl import threadpool_limits  # a dependency of scikit-learn

    # With so few numbers, threads cost more time than they save.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        for name, model in models:
            predictions = model.fit(x_train, labels).predict(x_test)
            if task.kind == "classes":
                predictions = np.eye(task.classes)[predictions.astype("int64")]
            results.append(Baseline(name, sample_scores(task, predictions, y_test)))
    return max(results, key=lambda result: result.score)


def _subsample(samples: Samples, limit: int = _MAX_SAMPLES) -> Samples:
    return samples.take(slice(None, None, -(-samples.size // limit)))


def _as_tables(train: Any, validation: Any, are_indices: bool) -> tuple[Any, Any]:
    """Inputs as tables of numbers; (None, None) if they are not numbers."""
    tables = []
    for x in (train, validation):
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(x)]
        if not leaves or any(leaf.dtype.kind not in "biuf" for leaf in leaves):
            return None, None
        tables.append(np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1))
    if are_indices:
        vocabulary_size = int(max(table.max(initial=0) for table in tables)) + 1
        if vocabulary_size > _MAX_COLUMNS:
            return None, None
        tables = [_log_counts(table.astype("int64"), vocabulary_size) for table in tables]
    train_table, validation_table = (np.nan_to_num(table.astype("float32")) for table in tables)
    return train_table, validation_table


def _log_counts(indices: np.ndarray, vocabulary_size: int) -> np.ndarray:
    """`log(1 + count)` of every word in each sample, `(samples, words)`."""
    counts = np.zeros((len(indices), vocabulary_size), "float32")
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
    if columns <= _MAX_COLUMNS_OF_TREES:
        trees = ExtraTreesClassifier(class_weight="balanced", random_state=0)
        models.append(("a forest of trees", trees))
    return models


def _regressors(columns: int) -> list[tuple[str, Any]]:
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    models: list[tuple[str, Any]] = [("ridge", make_pipeline(StandardScaler(), Ridge(alpha=1.0)))]
    if columns <= _MAX_COLUMNS_OF_TREES:
        models.append(("a forest of trees", ExtraTreesRegressor(random_state=0)))
    return models
