"""Finds a column of a table that alone predicts the target, while the other columns do not."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.diagnosis.experiments.baselines import best_baseline
from lamina.diagnosis.experiments.scores import Task, format_score, sample_scores
from lamina.diagnosis.experiments.setup import Samples
from lamina.findings import Finding

# Minimum validation score of a decision tree on one column for the column to reveal the target: for
# classes, and for numbers.
_MIN_SCORE, _MIN_SCORE_OF_NUMBERS = 0.98, 0.995
# What the tree lacks to a perfect score must be less than this fraction of what a model of all
# other columns lacks, and the difference must be this many standard errors.
_MAX_FRACTION, _MIN_STANDARD_ERRORS = 0.2, 2.5
# If the other columns reach this score, nothing is reported.
_MAX_SCORE_OF_OTHERS = 0.99
# If the other columns stay below this score, as is usual in toy data, the finding is a hint.
_USEFUL_SCORE = 0.1
_MIN_COLUMNS, _MAX_COLUMNS = 3, 2000
_MIN_SAMPLES, _MAX_SAMPLES = 50, 2000
_MAX_CLASSES = 50
# Columns that a tree is fitted to: those that are most related to the target.
_MAX_TREES = 50
_LEAVES = 64
# Rank correlation from which a column counts as a monotone function of the target.
_MONOTONE = 0.9999
# Targets with fewer distinct values are not compared by rank.
_MIN_DISTINCT_VALUES = 20


@dataclass(frozen=True)
class _Table:
    """Named columns, and one target for each row: a class index or a number."""

    names: list[str]
    train: np.ndarray
    validation: np.ndarray
    targets: np.ndarray
    validation_targets: np.ndarray


def check_target_leak(task: Task, train: Samples, validation: Samples) -> Iterator[Finding]:
    """Yield a finding if one column alone predicts the target.

    The score of a small decision tree on this column is compared with the score of simple models on
    all other columns. Tables of one or two columns are not checked. If the other columns are
    unrelated to the target, which is usual in toy data, the finding is a hint.

    Args:
        task: What is predicted: classes, or one number.
        train: Training samples.
        validation: Validation samples.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(400, 4))
        >>> y = (x[:, 0] + rng.normal(size=400) > 0).astype(int)
        >>> x[:, 3] = 7 - 2 * y
        >>> train, validation = Samples(x[:300], y[:300]), Samples(x[300:], y[300:])
        >>> next(check_target_leak(Task("classes", 2), train, validation)).where
        'column 3 of x'
    """
    table = _as_table(task, train, validation)
    if table is None:
        return
    column, column_scores = _best_column(task, table)
    score = float(column_scores.mean())
    if score < (_MIN_SCORE if task.kind == "classes" else _MIN_SCORE_OF_NUMBERS):
        return
    is_other = np.arange(len(table.names)) != column
    others = best_baseline(
        [task],
        Samples(table.train[:, is_other], table.targets),
        Samples(table.validation[:, is_other], table.validation_targets),
    )
    if others is None or others.score > _MAX_SCORE_OF_OTHERS:
        return
    is_copy = _is_copy(task, table.train[:, column], table.targets)
    gain = column_scores - others.validation_scores
    error = float(gain.std() / np.sqrt(len(gain)))
    is_significant = float(gain.mean()) > _MIN_STANDARD_ERRORS * error
    is_clear = is_significant and 1 - score < _MAX_FRACTION * (1 - others.score)
    if not is_clear and not is_copy:
        return
    score_of_others = max(others.score, 0.0)
    name = table.names[column]
    yield Finding(
        "target-leak",
        "warning" if score_of_others > _USEFUL_SCORE else "hint",
        title=f"{name} alone predicts the target: with it a small tree reaches a {task.measure} of "
        f"{format_score(score, task)}, and all other columns together reach "
        f"{format_score(score_of_others, task)}.",
        fix=f"Unless {name} is known before the target is, leave it out: "
        f"{_how_to_remove(train.x, column)}",
        evidence={"score of the column": score, "score of the other columns": score_of_others},
        where=name,
        confidence=0.9 if is_copy else 0.7,
    )


def _as_table(task: Task, train: Samples, validation: Samples) -> _Table | None:
    """The inputs as a table; None if they are not a table, or are not checked."""
    if task.kind == "several classes" or task.classes > _MAX_CLASSES:
        return None
    names, values = _named_columns(train.x)
    _, validation_values = _named_columns(validation.x)
    if not _MIN_COLUMNS <= len(names) <= _MAX_COLUMNS:
        return None
    if values.shape[1:] != validation_values.shape[1:]:
        return None
    targets, validation_targets = (
        _target_per_row(train.y, task),
        _target_per_row(validation.y, task),
    )
    if targets is None or validation_targets is None or len(targets) != len(values):
        return None
    if min(len(targets), len(validation_targets)) < _MIN_SAMPLES or len(np.unique(targets)) < 2:
        return None
    rows = slice(None, None, -(-len(targets) // _MAX_SAMPLES))
    validation_rows = slice(None, None, -(-len(validation_targets) // _MAX_SAMPLES))
    return _Table(
        names,
        values[rows],
        validation_values[validation_rows],
        targets[rows],
        validation_targets[validation_rows],
    )


def _named_columns(x: Any) -> tuple[list[str], np.ndarray]:
    """Names of the columns, and a table of numbers; both empty if the inputs are not a table."""
    no_table: tuple[list[str], np.ndarray] = ([], np.zeros((0, 0)))
    if isinstance(x, dict):
        columns = {name: np.asarray(column) for name, column in x.items()}
        if any(c.dtype.kind not in "biuf" or c.size != len(c) for c in columns.values()):
            return no_table
        table = np.stack([c.reshape(-1).astype(float) for c in columns.values()], axis=1)
        return [f"{name!r}" for name in columns], np.nan_to_num(table)
    if not hasattr(x, "shape"):
        return no_table
    table = np.asarray(x)
    if table.ndim != 2 or table.dtype.kind not in "biuf":
        return no_table
    names = [f"column {number} of x" for number in range(table.shape[1])]
    return names, np.nan_to_num(table.astype(float))


def _target_per_row(y: Any, task: Task) -> np.ndarray | None:
    if not hasattr(y, "shape"):
        return None
    y = np.asarray(y)
    if task.kind == "classes" and y.ndim == 2 and y.shape[1] == task.classes:
        return y.argmax(axis=1)
    return y.reshape(-1) if y.size == len(y) else None


def _best_column(task: Task, table: _Table) -> tuple[int, np.ndarray]:
    """The column that predicts the target best, and the validation scores of its tree."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if task.kind == "classes":
        tree: Any = DecisionTreeClassifier(
            max_leaf_nodes=_LEAVES, class_weight="balanced", random_state=0
        )
    else:
        tree = DecisionTreeRegressor(max_leaf_nodes=_LEAVES, random_state=0)
    best, best_scores = 0, np.full(len(table.validation_targets), -np.inf)
    for column in _most_related(task, table):
        tree.fit(table.train[:, [column]], table.targets)
        predictions = tree.predict(table.validation[:, [column]])
        if task.kind == "classes":
            predictions = np.eye(task.classes)[predictions.astype("int64")]
        scores = sample_scores(task, predictions, table.validation_targets)
        if scores.mean() > best_scores.mean():
            best, best_scores = int(column), scores
    return best, best_scores


def _most_related(task: Task, table: _Table) -> np.ndarray:
    count = len(table.names)
    if count <= _MAX_TREES:
        return np.arange(count)
    if task.kind == "classes":
        from sklearn.feature_selection import f_classif

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # columns of a single value
            relation, _ = f_classif(table.train, table.targets)
    else:
        ranks = _ranks(table.targets)
        relation = np.array([abs(_correlation(_ranks(column), ranks)) for column in table.train.T])
    return np.argsort(-np.nan_to_num(relation, nan=0.0, posinf=np.inf))[:_MAX_TREES]


def _is_copy(task: Task, column: np.ndarray, targets: np.ndarray) -> bool:
    """Whether a column is a renaming of the classes, or a monotone function of the target."""
    if task.kind == "classes":
        pairs = len(np.unique(np.stack([column, targets], axis=1), axis=0))
        return pairs == len(np.unique(column)) == len(np.unique(targets))
    is_continuous = len(np.unique(targets)) > _MIN_DISTINCT_VALUES
    return is_continuous and abs(_correlation(_ranks(column), _ranks(targets))) > _MONOTONE


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks, with the mean rank for equal values."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: np.ndarray = (ends - (counts - 1) / 2)[inverse.reshape(-1)]
    return ranks


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first - first.mean(), second - second.mean()
    lengths = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum() / lengths) if lengths else 0.0


def _how_to_remove(x: Any, column: int) -> str:
    if isinstance(x, dict):
        return f"x.pop({list(x)[column]!r}), and remove this input from the model."
    return (
        f"x, x_val = (numpy.delete(part, {column}, axis=1) for part in (x, x_val)), and a model "
        "with one input column less."
    )
