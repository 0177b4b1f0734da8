"""Which samples `fit` validates on, for its arguments `validation_split` and `split`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.core.messages.errors import did_you_mean
from lamina.core.types import PyTree
from lamina.core.user_data.classes import classes_of
from lamina.core.variable import seed as seeds
from lamina.training.feeds.epoch_order import permutation

SPLIT_METHODS = ("tail", "random", "stratified", "group")
# In place of the index of an epoch: larger than any, so that the split has its own order.
_EPOCH_OF_SPLIT = 2**40

Rows = Sequence[int] | np.ndarray


@dataclass(frozen=True)
class RowSplit:
    """How the samples of a run were divided.

    Args:
        how: `"tail"`, `"random"`, `"stratified"` or `"group"`.
        train: Indices of the samples to train on, in ascending order.
        validation: Indices of the samples to validate on.

    Example:
        >>> split = row_split(10, 0.2, None, None)
        >>> split.how, list(split.validation)
        ('tail', [8, 9])
    """

    how: str
    train: Rows
    validation: Rows

    @property
    def fraction(self) -> float:
        """The share of the samples to validate on."""
        return len(self.validation) / (len(self.validation) + len(self.train))

    def __str__(self) -> str:
        count = len(self.validation)
        ways = {
            "tail": "the last ones",
            "random": "drawn at random",
            "stratified": "drawn at random with the mix of classes of all",
            "group": "drawn at random, each group on one side",
        }
        return (
            f"Validation on {count:,} of {count + len(self.train):,} samples, {ways[self.how]} "
            f"(split={self.how!r})."
        )


def row_split(samples: int, fraction: float, split: Any, y: PyTree) -> RowSplit:
    """Divide samples. The same arguments and `set_random_seed` give the same rows in any process.

    Args:
        samples: How many there are.
        fraction: The fraction to validate on.
        split: The argument of `fit`: None, one of `HOW`, or `("group", groups)`.
        y: Targets as arrays, for `"stratified"`.

    Raises:
        ValueError: If that cannot be done.
    """
    how, groups = _parse_split(split)
    kept = int(samples * (1 - fraction))
    if kept == 0 or kept == samples:
        raise ValueError(
            f"validation_split={fraction} of {samples} samples leaves "
            f"{kept} to train on and {samples - kept} to validate on.\n"
            "  Fix: another fraction, or more data."
        )
    if how == "tail":
        return RowSplit(how, range(kept), range(kept, samples))
    if how == "group":
        chosen = _select_whole_groups(groups, samples, samples - kept)
    else:
        order = _shuffle(samples)
        chosen = np.zeros(samples, dtype=bool)
        if how == "stratified":
            order = _stratify(order, y, samples - kept)
        chosen[order[: samples - kept]] = True
    return RowSplit(how, np.flatnonzero(~chosen), np.flatnonzero(chosen))


def _parse_split(split: Any) -> tuple[str, Any]:
    """The name of a split and the groups."""
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
    # The seed is fixed: a second call of fit must not train on samples that the first validated on.
    return permutation(count, seeds.global_seed() or 0, _EPOCH_OF_SPLIT)


def _stratify(order: np.ndarray, y: PyTree, wanted: int) -> np.ndarray:
    """The order, with samples of every class among the first `wanted`."""
    labels = classes_of(y)
    if labels is None:
        raise ValueError(
            "split='stratified' keeps the mix of classes, and y is not one class for each sample."
            "\n  Fix: split='random'."
        )
    _, labels, counts = np.unique(labels, return_inverse=True, return_counts=True)
    exact = counts * (wanted / len(labels))
    taken = exact.astype(int)
    # What is left goes to the classes that miss most, but a class of one sample is trained on.
    missing = np.where(counts > 1, exact - taken, -1.0)
    taken[np.argsort(-missing, kind="stable")[: wanted - taken.sum()]] += 1
    by_class = order[np.argsort(labels[order], kind="stable")]
    starts = np.cumsum(counts) - counts
    place = np.arange(len(order)) - np.repeat(starts, counts)
    first = place < np.repeat(taken, counts)
    return np.concatenate([by_class[first], by_class[~first]])


def _select_whole_groups(groups: Any, samples: int, wanted: int) -> np.ndarray:
    """Which samples are for validation: whole groups, about as many samples as wanted."""
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
    reached = np.cumsum(sizes[order])
    count = int(np.abs(reached[:-1] - wanted).argmin()) + 1
    chosen: np.ndarray = np.isin(numbers, order[:count])
    return chosen
