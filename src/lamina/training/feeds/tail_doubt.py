"""Whether the last samples, which `validation_split` takes, have another mix than those before.

Only a difference that chance does not make counts, and only one that matters.
"""

from typing import Any

import jax
import numpy as np

from lamina.core.types import PyTree
from lamina.core.user_data.classes import classes_of

# Of more samples so many are looked at, drawn at random.
_MOST = 2**17
# In standard deviations of chance.
_BEYOND_CHANCE_OF_CLASSES, _BEYOND_CHANCE_OF_NUMBERS = 3.5, 4.5
# Share of the samples that would need another class; shift of the mean in standard deviations.
_MATTERS_OF_CLASSES, _MATTERS_OF_NUMBERS = 0.1, 0.25
# A class of which so many are expected and none is there.
_SURELY_THERE = 20.0
# Cells of the test with less expected than this are put together.
_LEAST_EXPECTED = 3.0
_FEWEST_NUMBERS = 20


def explain_unlike_tail(y: PyTree, kept: int, fraction: float) -> str | None:
    """A warning if the last samples differ in their targets, with the line that fixes it.

    Args:
        y: Targets as arrays.
        kept: How many samples are before the last ones.
        fraction: The argument `validation_split`, for the message.

    Example:
        >>> explain_unlike_tail(np.repeat([0, 1], 500), 800, 0.2) is None
        False
        >>> explain_unlike_tail(np.tile([0, 1], 500), 800, 0.2) is None
        True
    """
    leaves = jax.tree.leaves(y)
    for leaf in leaves:
        if not isinstance(leaf, (np.ndarray, jax.Array)) or not 0 < kept < len(leaf):
            continue
        before, last = _some(leaf[:kept], 1), _some(leaf[kept:], 2)
        found = _of_classes(before, last) or _of_numbers(before, last)
        if found is None:
            continue
        what, of_classes = found
        split = "stratified" if of_classes and len(leaves) == 1 else "random"
        return (
            f"validation_split={fraction:g} takes the last {len(leaf) - kept:,} of {len(leaf):,} "
            f"samples, and they are unlike those before: {what}.\n"
            "  Likely cause: sorted data. If it is the order of time, split='tail' says that this "
            "is meant.\n"
            f"  Fix: model.fit(x, y, validation_split={fraction:g}, split={split!r})."
        )
    return None


def _some(array: Any, stream: int) -> np.ndarray:
    """At most so many rows. Every n-th would mislead if the classes come in turns."""
    rows = np.asarray(array)
    if rows.ndim == 2 and rows.shape[1] == 1:
        rows = rows[:, 0]
    most = _MOST // max(1, int(np.prod(rows.shape[1:])))
    if len(rows) <= most:
        return rows
    return rows[np.random.Generator(np.random.Philox(stream)).integers(0, len(rows), most)]


def _of_classes(before: np.ndarray, last: np.ndarray) -> tuple[str, bool] | None:
    counted = _counts(before, last)
    if counted is None:
        return None
    old, new, names = counted
    n_old, n_new = old.sum(), new.sum()
    share_old, share_new = old / n_old, new / n_new
    share = (old + new) / (n_old + n_new)
    absent = ((new == 0) & (share_old * n_new >= _SURELY_THERE)) | (
        (old == 0) & (share_new * n_old >= _SURELY_THERE) & (new >= _SURELY_THERE)
    )
    moved = np.abs(share_new - share_old).sum() / 2
    if not absent.any() and (
        moved < _MATTERS_OF_CLASSES
        or _surprise(new, share * n_new, n_new / n_old) < _BEYOND_CHANCE_OF_CLASSES
    ):
        return None
    shift = np.where(absent, 1, 0) + np.abs(share_new - share_old)
    worst = int(shift.argmax())
    return (
        f"class {names[worst]} is {share_new[worst]:.0%} of them and {share_old[worst]:.0%} of the "
        "others",
        True,
    )


def _counts(
    before: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """How often each class is in both parts, and the classes; None if targets are no classes."""
    classes = classes_of(np.concatenate([before, last]))
    if classes is None:
        return None
    names, places = np.unique(classes, return_inverse=True)
    parts = places[: len(before)], places[len(before) :]
    old, new = (np.bincount(part, minlength=len(names)).astype(float) for part in parts)
    return old, new, names


def _surprise(observed: np.ndarray, expected: np.ndarray, ratio: float) -> float:
    """Pearson's chi-squared for two samples, in standard deviations of chance.

    Source: Wilson and Hilferty, 1931, "The Distribution of Chi-Square", PNAS 17(12).
    """
    small = expected < _LEAST_EXPECTED
    cells = [*zip(observed[~small], expected[~small], strict=True)]
    if expected[small].sum() >= _LEAST_EXPECTED:
        cells.append((observed[small].sum(), expected[small].sum()))
    freedom = len(cells) - 1
    if freedom < 1:
        return 0.0
    # The other sample deviates by the same counts, from expectations larger by 1 / ratio.
    chi_squared = sum((o - e) ** 2 / e * (1 + ratio) for o, e in cells)
    spread = 2 / (9 * freedom)
    return float(((chi_squared / freedom) ** (1 / 3) - (1 - spread)) / np.sqrt(spread))


def _of_numbers(before: np.ndarray, last: np.ndarray) -> tuple[str, bool] | None:
    """Another mean, by Welch's test."""
    if before.ndim != 1 or before.dtype.kind not in "iuf" or len(last) < _FEWEST_NUMBERS:
        return None
    if len(before) < _FEWEST_NUMBERS or _counts(before, last) is not None:
        return None
    with np.errstate(all="ignore"):
        mean_old, mean_new = before.mean(dtype=float), last.mean(dtype=float)
        var_old, var_new = before.var(dtype=float), last.var(dtype=float)
        error = np.sqrt(var_old / len(before) + var_new / len(last))
        difference = abs(mean_new - mean_old)
        matters = difference > _MATTERS_OF_NUMBERS * np.sqrt(var_old)
        if not (np.isfinite(error) and matters and difference > _BEYOND_CHANCE_OF_NUMBERS * error):
            return None
    return f"the mean of y is {mean_new:.4g} among them and {mean_old:.4g} among the others", False
