"""Warns if the targets of the last samples, which `validation_split` selects, differ from others.

A difference counts if it is statistically significant and large enough to matter.
"""

from typing import Any

import jax
import numpy as np

from lamina.core.types import PyTree
from lamina.core.user_data.classes import class_indices_of

# If there are more values, this many are drawn at random.
_MAX_VALUES = 2**17
# Thresholds of significance, in standard errors.
_CLASS_SIGNIFICANCE, _MEAN_SIGNIFICANCE = 3.5, 4.5
# Minimum effects: total variation distance of the class proportions; shift of the mean in standard
# deviations.
_MIN_CLASS_DISTANCE, _MIN_MEAN_SHIFT = 0.1, 0.25
# A class counts as absent from a part if at least this many of its samples are expected there.
_MIN_EXPECTED_IF_ABSENT = 20.0
# Cells of the chi-squared test with a smaller expected count are combined.
_MIN_EXPECTED_COUNT = 3.0
_MIN_SAMPLES = 20


def unrepresentative_tail_warning(y: PyTree, train_count: int, fraction: float) -> str | None:
    """A warning, with a fix, if the targets of the last samples differ from the others.

    Args:
        y: Targets as arrays.
        train_count: Number of samples before the last ones.
        fraction: The argument `validation_split`, for the message.

    Example:
        >>> unrepresentative_tail_warning(np.repeat([0, 1], 500), 800, 0.2) is None
        False
        >>> unrepresentative_tail_warning(np.tile([0, 1], 500), 800, 0.2) is None
        True
    """
    leaves = jax.tree.leaves(y)
    for leaf in leaves:
        if not isinstance(leaf, (np.ndarray, jax.Array)) or not 0 < train_count < len(leaf):
            continue
        train, tail = _subsample(leaf[:train_count], 1), _subsample(leaf[train_count:], 2)
        difference = _class_difference(train, tail) or _mean_difference(train, tail)
        if difference is None:
            continue
        description, is_about_classes = difference
        split = "stratified" if is_about_classes and len(leaves) == 1 else "random"
        return (
            f"validation_split={fraction:g} uses the last {len(leaf) - train_count:,} of "
            f"{len(leaf):,} samples, and they differ from those before: {description}.\n"
            "  Likely cause: sorted data. If they are in order of time, split='tail' confirms the "
            "split.\n"
            f"  Fix: model.fit(x, y, validation_split={fraction:g}, split={split!r})."
        )
    return None


def _subsample(array: Any, seed: int) -> np.ndarray:
    """Random rows, or all if there are few; every n-th row could be of one class."""
    rows = np.asarray(array)
    if rows.ndim == 2 and rows.shape[1] == 1:
        rows = rows[:, 0]
    max_rows = _MAX_VALUES // max(1, int(np.prod(rows.shape[1:])))
    if len(rows) <= max_rows:
        return rows
    return rows[np.random.Generator(np.random.Philox(seed)).integers(0, len(rows), max_rows)]


def _class_difference(train: np.ndarray, tail: np.ndarray) -> tuple[str, bool] | None:
    """A description of a difference in class proportions, if there is one, and True."""
    counts = _class_counts(train, tail)
    if counts is None:
        return None
    train_counts, tail_counts, classes = counts
    train_size, tail_size = train_counts.sum(), tail_counts.sum()
    train_shares, tail_shares = train_counts / train_size, tail_counts / tail_size
    shares = (train_counts + tail_counts) / (train_size + tail_size)
    is_absent = ((tail_counts == 0) & (train_shares * tail_size >= _MIN_EXPECTED_IF_ABSENT)) | (
        (train_counts == 0)
        & (tail_shares * train_size >= _MIN_EXPECTED_IF_ABSENT)
        & (tail_counts >= _MIN_EXPECTED_IF_ABSENT)
    )
    distance = np.abs(tail_shares - train_shares).sum() / 2
    if not is_absent.any() and (
        distance < _MIN_CLASS_DISTANCE
        or _chi_squared_z(tail_counts, shares * tail_size, tail_size / train_size)
        < _CLASS_SIGNIFICANCE
    ):
        return None
    changes = np.where(is_absent, 1, 0) + np.abs(tail_shares - train_shares)
    i = int(changes.argmax())
    return (
        f"class {classes[i]} is {tail_shares[i]:.0%} of them and {train_shares[i]:.0%} of the "
        "others",
        True,
    )


def _class_counts(
    train: np.ndarray, tail: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Counts of each class in both parts, and the classes; None if targets are not classes."""
    targets = class_indices_of(np.concatenate([train, tail]))
    if targets is None:
        return None
    classes, indices = np.unique(targets, return_inverse=True)
    parts = indices[: len(train)], indices[len(train) :]
    train_counts, tail_counts = (
        np.bincount(part, minlength=len(classes)).astype(float) for part in parts
    )
    return train_counts, tail_counts, classes


def _chi_squared_z(observed: np.ndarray, expected: np.ndarray, ratio: float) -> float:
    """Pearson's chi-squared statistic for two samples, as an approximately standard normal value.

    Source: Wilson and Hilferty, 1931, "The Distribution of Chi-Square", PNAS 17(12).
    """
    small = expected < _MIN_EXPECTED_COUNT
    cells = [*zip(observed[~small], expected[~small], strict=True)]
    if expected[small].sum() >= _MIN_EXPECTED_COUNT:
        cells.append((observed[small].sum(), expected[small].sum()))
    degrees_of_freedom = len(cells) - 1
    if degrees_of_freedom < 1:
        return 0.0
    # The other sample deviates by the same counts from expected counts that are 1 / ratio times
    # larger.
    chi_squared = sum((o - e) ** 2 / e * (1 + ratio) for o, e in cells)
    spread = 2 / (9 * degrees_of_freedom)
    return float(((chi_squared / degrees_of_freedom) ** (1 / 3) - (1 - spread)) / np.sqrt(spread))


def _mean_difference(train: np.ndarray, tail: np.ndarray) -> tuple[str, bool] | None:
    """A description of a difference in means, if Welch's test finds one, and False."""
    if train.ndim != 1 or train.dtype.kind not in "iuf" or len(tail) < _MIN_SAMPLES:
        return None
    if len(train) < _MIN_SAMPLES or _class_counts(train, tail) is not None:
        return None
    with np.errstate(all="ignore"):
        train_mean, tail_mean = train.mean(dtype=float), tail.mean(dtype=float)
        train_var, tail_var = train.var(dtype=float), tail.var(dtype=float)
        standard_error = np.sqrt(train_var / len(train) + tail_var / len(tail))
        difference = abs(tail_mean - train_mean)
        is_large = difference > _MIN_MEAN_SHIFT * np.sqrt(train_var)
        if not (
            np.isfinite(standard_error)
            and is_large
            and difference > _MEAN_SIGNIFICANCE * standard_error
        ):
            return None
    return (
        f"the mean of y is {tail_mean:.4g} among them and {train_mean:.4g} among the others",
        False,
    )
