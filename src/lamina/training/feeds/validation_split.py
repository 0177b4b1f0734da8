"""Selects the samples for validation, for the arguments `validation_split` and `split` of `fit`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.core.messages.errors import did_you_mean
from lamina.core.types import PyTree
from lamina.core.user_data.classes import class_indices_of
from lamina.core.variable import seed as seeds
from lamina.training.feeds.epoch_order import permutation

SPLIT_METHODS = ("tail", "random", "stratified", "group")
# Used as the epoch number for the split, larger than any real one, to get a separate permutation.
_EPOCH_OF_SPLIT = 2**40

Rows = Sequence[int] | np.ndarray


@dataclass(frozen=True)
class RowSplit:
    """How the samples of a run were divided.

    Args:
        method: The method: `"tail"`, `"random"`, `"stratified"` or `"group"`.
        train: Indices of the samples to train on, in ascending order.
        validation: Indices of the samples to validate on.

    Example:
        >>> split = row_split(10, 0.2, None, None)
        >>> split.method, list(split.validation)
        ('tail', [8, 9])
    """

    method: str
    train: Rows
    validation: Rows

    @property
    def fraction(self) -> float:
        """The share of the samples to validate on."""
        return len(self.validation) / (len(self.validation) + len(self.train))

    def __str__(self) -> str:
        count = len(self.validation)
        descriptions = {
            "tail": "the last ones",
            "random": "drawn at random",
            "stratified": "drawn at random with the class proportions of all samples",
            "group": "drawn at random, with each group in one part",
        }
        return (
            f"Validation on {count:,} of {count + len(self.train):,} samples, "
            f"{descriptions[self.method]} (split={self.method!r})."
        )


def row_split(samples: int, fraction: float, split: Any, y: PyTree) -> RowSplit:
    """Split samples. The result depends only on the arguments and `set_random_seed`.

    Args:
        samples: Number of samples.
        fraction: The fraction of samples for validation.
        split: The argument of `fit`: None, one of `SPLIT_METHODS`, or `("group", groups)`.
        y: Targets as arrays, for `"stratified"`.

    Raises:
        ValueError: If the samples cannot be split like that.
    """
    method, groups = _parse_split(split)
    train_count = int(samples * (1 - fraction))
    if train_count == 0 or train_count == samples:
        raise ValueError(
            f"validation_split={fraction} of {samples} samples leaves "
            f"{train_count} to train on and {samples - train_count} to validate on.\n"
            "  Fix: another fraction, or more data."
        )
    if method == "tail":
        return RowSplit(method, range(train_count), range(train_count, samples))
    if method == "group":
        is_validation = _select_whole_groups(groups, samples, samples - train_count)
    else:
        order = _shuffle(samples)
        is_validation = np.zeros(samples, dtype=bool)
        if method == "stratified":
            order = _stratify(order, y, samples - train_count)
        is_validation[order[: samples - train_count]] = True
    return RowSplit(method, np.flatnonzero(~is_validation), np.flatnonzero(is_validation))


def _parse_split(split: Any) -> tuple[str, Any]:
    """The method of a split, and the groups or None."""
    if isinstance(split, (tuple, list)) and len(split) == 2 and split[0] == "group":
        return "group", split[1]
    if isinstance(split, str) and split == "group":
        raise ValueError(
            "split='group' keeps samples of one group together, and needs the group of every "
            "sample.\n  Fix: split=('group', groups), with one name or number per sample."
        )
    if split is None or (isinstance(split, str) and split in SPLIT_METHODS):
        return split or "tail", None
    hint = did_you_mean(split, SPLIT_METHODS) if isinstance(split, str) else ""
    raise ValueError(
        "split must be 'tail', 'random', 'stratified' or ('group', groups); received "
        f"{split if isinstance(split, str) else type(split).__name__!r}.{hint}"
    )


def _shuffle(count: int) -> np.ndarray:
    # The same for every call: a second `fit` must not train on validation samples of the first one.
    return permutation(count, seeds.global_seed() or 0, _EPOCH_OF_SPLIT)


def _stratify(order: np.ndarray, y: PyTree, validation_count: int) -> np.ndarray:
    """The order, so that its first `validation_count` samples have the class proportions of y."""
    labels = class_indices_of(y)
    if labels is None:
        raise ValueError(
            "split='stratified' keeps the class proportions, and y is not one class per sample.\n"
            "  Fix: split='random'."
        )
    _, labels, counts = np.unique(labels, return_inverse=True, return_counts=True)
    exact = counts * (validation_count / len(labels))
    class_counts = exact.astype(int)
    # The rest comes from the classes furthest below their exact count, except classes of one
    # sample.
    shortfall = np.where(counts > 1, exact - class_counts, -1.0)
    class_counts[
        np.argsort(-shortfall, kind="stable")[: validation_count - class_counts.sum()]
    ] += 1
    by_class = order[np.argsort(labels[order], kind="stable")]
    starts = np.cumsum(counts) - counts
    rank_in_class = np.arange(len(order)) - np.repeat(starts, counts)
    first = rank_in_class < np.repeat(class_counts, counts)
    return np.concatenate([by_class[first], by_class[~first]])


def _select_whole_groups(groups: Any, samples: int, validation_count: int) -> np.ndarray:
    """A mask of the samples for validation: whole groups, about `validation_count` samples."""
    values = np.asarray(groups.to_numpy() if hasattr(groups, "to_numpy") else groups)
    if values.ndim != 1 or len(values) != samples:
        raise ValueError(
            f"split=('group', groups) needs one group for each of {samples:,} samples; received "
            f"groups of shape {values.shape}.\n"
            "  Fix: a list or column with a name or number for each row of x."
        )
    names, numbers, sizes = np.unique(
        values.astype(str) if values.dtype.kind == "O" else values,
        return_inverse=True,
        return_counts=True,
    )
    if len(names) < 2:
        raise ValueError(
            "split=('group', groups) needs at least two groups, one to train on and one to "
            f"validate on; all samples are of group {names[0]!r}.\n  Fix: split='random'."
        )
    order = _shuffle(len(names))
    cumulative_sizes = np.cumsum(sizes[order])
    count = int(np.abs(cumulative_sizes[:-1] - validation_count).argmin()) + 1
    is_validation: np.ndarray = np.isin(numbers, order[:count])
    return is_validation
