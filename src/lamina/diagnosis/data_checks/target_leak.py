"""A column of a table that alone tells the target, where the others do not."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.diagnosis.experiments.baselines import best_baseline
from lamina.diagnosis.experiments.scores import Task, goodness, shown
from lamina.diagnosis.experiments.setup import Samples
from lamina.findings import Finding

# A column tells the target if a tree that sees nothing else reaches this score in validation:
# for classes, and for numbers.
_TELLS, _TELLS_NUMBER = 0.98, 0.995
# The column misses less than this share of what all others together miss, by so many standard
# errors.
_SHARE, _ERRORS = 0.2, 2.5
# Beside others that reach this it cannot be told.
_PERFECT = 0.99
# In toy data the other columns often say nothing, that is less than this.
_SOMETHING = 0.1
_FEWEST_COLUMNS, _MOST_COLUMNS = 3, 2000
_FEWEST_SAMPLES, _MOST_SAMPLES = 50, 2000
_MOST_CLASSES = 50
# Columns that get a tree: those that are related most to the target.
_MOST_TREES = 50
_LEAVES = 64
# A rank correlation of a column that rises or falls with the target everywhere.
_MONOTONE = 0.9999
_DIFFERENT_VALUES = 20


@dataclass(frozen=True)
class _Table:
    """Columns with their names, and one target a row: a class index or a number."""

    names: list[str]
    train: np.ndarray
    validation: np.ndarray
    targets: np.ndarray
    validation_targets: np.ndarray


def check_target_leak(task: Task, train: Samples, validation: Samples) -> Iterator[Finding]:
    """A finding if one column alone tells the target.

    The score of a small decision tree that sees only the column is compared with what simple models
    reach with all other columns. Tables of one or two columns are not checked. If the others have
    nothing to do with the target, which is usual in toy data, the finding is a hint.

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
    table = _table_of(task, train, validation)
    if table is None:
        return
    column, alone = _best_column(task, table)
    single = float(alone.mean())
    if single < (_TELLS if task.kind == "classes" else _TELLS_NUMBER):
        return
    left = np.arange(len(table.names)) != column
    rest = best_baseline(
        [task],
        Samples(table.train[:, left], table.targets),
        Samples(table.validation[:, left], table.validation_targets),
    )
    if rest is None or rest.score > _PERFECT:
        return
    is_copy = _is_copy(task, table.train[:, column], table.targets)
    gain = alone - rest.validation
    error = float(gain.std() / np.sqrt(len(gain)))
    clear = 1 - single < _SHARE * (1 - rest.score) and float(gain.mean()) > _ERRORS * error
    if not clear and not is_copy:
        return
    others = max(rest.score, 0.0)
    name = table.names[column]
    yield Finding(
        "target-leak",
        "warning" if others > _SOMETHING else "hint",
        title=f"{name} alone tells the target: with it a small tree reaches a {task.measure} of "
        f"{shown(single, task)}, and all other columns together reach {shown(others, task)}.",
        fix=f"Unless {name} is known before the target is, leave it out: "
        f"{_without(train.x, column)}",
        evidence={"score of the column": single, "score of the other columns": others},
        where=name,
        confidence=0.9 if is_copy else 0.7,
    )


def _table_of(task: Task, train: Samples, validation: Samples) -> _Table | None:
    """The inputs as a table; None if they are none, or there is nothing to check."""
    if task.kind == "several classes" or task.classes > _MOST_CLASSES:
        return None
    names, columns = _columns(train.x)
    _, others = _columns(validation.x)
    if not _FEWEST_COLUMNS <= len(names) <= _MOST_COLUMNS or columns.shape[1:] != others.shape[1:]:
        return None
    targets, seen = (_one_a_row(part.y, task) for part in (train, validation))
    if targets is None or seen is None or len(targets) != len(columns):
        return None
    if min(len(targets), len(seen)) < _FEWEST_SAMPLES or len(np.unique(targets)) < 2:
        return None
    some, few = (slice(None, None, -(-len(part) // _MOST_SAMPLES)) for part in (targets, seen))
    return _Table(names, columns[some], others[few], targets[some], seen[few])


def _columns(x: Any) -> tuple[list[str], np.ndarray]:
    """Names of the columns, and a table of numbers; no names if the inputs are none."""
    nothing: tuple[list[str], np.ndarray] = ([], np.zeros((0, 0)))
    if isinstance(x, dict):
        parts = {name: np.asarray(part) for name, part in x.items()}
        if any(part.dtype.kind not in "biuf" or part.size != len(part) for part in parts.values()):
            return nothing
        table = np.stack([part.reshape(-1).astype(float) for part in parts.values()], axis=1)
        return [f"{name!r}" for name in parts], np.nan_to_num(table)
    if not hasattr(x, "shape"):
        return nothing
    table = np.asarray(x)
    if table.ndim != 2 or table.dtype.kind not in "biuf":
        return nothing
    names = [f"column {number} of x" for number in range(table.shape[1])]
    return names, np.nan_to_num(table.astype(float))


def _one_a_row(y: Any, task: Task) -> np.ndarray | None:
    if not hasattr(y, "shape"):
        return None
    y = np.asarray(y)
    if task.kind == "classes" and y.ndim == 2 and y.shape[1] == task.classes:
        return y.argmax(axis=1)
    return y.reshape(-1) if y.size == len(y) else None


def _best_column(task: Task, table: _Table) -> tuple[int, np.ndarray]:
    """The column that tells most, and the goodness of each validation sample with it alone."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if task.kind == "classes":
        tree: Any = DecisionTreeClassifier(
            max_leaf_nodes=_LEAVES, class_weight="balanced", random_state=0
        )
    else:
        tree = DecisionTreeRegressor(max_leaf_nodes=_LEAVES, random_state=0)
    best, alone = 0, np.full(len(table.validation_targets), -np.inf)
    for number in _most_related(task, table):
        tree.fit(table.train[:, [number]], table.targets)
        answers = tree.predict(table.validation[:, [number]])
        if task.kind == "classes":
            answers = np.eye(task.classes)[answers.astype("int64")]
        reached = goodness(task, answers, table.validation_targets)
        if reached.mean() > alone.mean():
            best, alone = int(number), reached
    return best, alone


def _most_related(task: Task, table: _Table) -> np.ndarray:
    count = len(table.names)
    if count <= _MOST_TREES:
        return np.arange(count)
    if task.kind == "classes":
        from sklearn.feature_selection import f_classif

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # columns of a single value
            relation, _ = f_classif(table.train, table.targets)
    else:
        ranks = _ranks(table.targets)
        relation = np.array([abs(_correlation(_ranks(part), ranks)) for part in table.train.T])
    return np.argsort(-np.nan_to_num(relation, nan=0.0, posinf=np.inf))[:_MOST_TREES]


def _is_copy(task: Task, column: np.ndarray, targets: np.ndarray) -> bool:
    """Whether a column is the target under other names, or on another scale."""
    if task.kind == "classes":
        pairs = len(np.unique(np.stack([column, targets], axis=1), axis=0))
        return pairs == len(np.unique(column)) == len(np.unique(targets))
    several = len(np.unique(targets)) > _DIFFERENT_VALUES
    return several and abs(_correlation(_ranks(column), _ranks(targets))) > _MONOTONE


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


def _without(x: Any, column: int) -> str:
    if isinstance(x, dict):
        return f"x.pop({list(x)[column]!r}), and the input of the model with it."
    return (
        f"x, x_val = (numpy.delete(part, {column}, axis=1) for part in (x, x_val)), and one input "
        "less in the model."
    )
