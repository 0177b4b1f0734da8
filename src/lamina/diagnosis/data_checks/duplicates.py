"""Samples of the validation that are in the training data as well, exactly or nearly."""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.data.loading.duplicates import copies_of_values
from lamina.diagnosis.data_checks.near_copies import near_copies
from lamina.diagnosis.experiments.setup import Samples
from lamina.diagnosis.samples import as_images
from lamina.findings import Finding, Record

# Validation samples with a copy, beyond those that chance explains, are a leak from this share.
_EXCESS = 0.01
# The excess is this many standard errors above nothing.
_ERRORS = 3.0
# Fewer expected equal rows than this: even two are no chance.
_NEVER = 1e-3
# Fewer may be all samples there are.
_FEWEST = 50
# At most so many pictures are looked for, in so many pairs with others.
_MOST_SOUGHT = 1000
_MOST_PAIRS = 60_000_000
_NAMED = 8
# Columns that are examined for equal values.
_COLUMNS = 100


@filter_traceback
def find_duplicates(x: Any, x_val: Any) -> np.ndarray:
    """Find samples of the validation that are in the training data, too.

    Rows of tables and texts are compared exactly. Pictures are copies as well if they differ by
    a little noise, or by one pixel of position.

    Args:
        x: The inputs of training: an array `(samples, …)`, a list of texts, or a dict, list or
            tuple of arrays.
        x_val: The inputs of validation, of the same kind.

    Returns:
        Indices of samples in `x_val`, ascending.

    Raises:
        ValueError: If the two are of different kinds or shapes.

    Example:
        >>> x = np.arange(8.0).reshape(4, 2)
        >>> x_val = np.array([[9.0, 9.0], [2.0, 3.0]])
        >>> twins = find_duplicates(x, x_val)
        >>> np.delete(x_val, twins, axis=0).tolist()
        [[9.0, 9.0]]
    """
    train_arrays, validation_arrays = _leaves(x), _leaves(x_val)
    if [leaf.shape[1:] for leaf in train_arrays] != [leaf.shape[1:] for leaf in validation_arrays]:
        raise ValueError(
            "find_duplicates compares inputs of one shape.\n"
            f"  Received: x with {_shapes(train_arrays)} per sample, x_val with "
            f"{_shapes(validation_arrays)}.\n"
            "  Fix: prepare x_val as x was prepared."
        )
    if not _are_numbers(train_arrays + validation_arrays):
        rows = [
            tuple(map(str, row))
            for part in (train_arrays, validation_arrays)
            for row in zip(*part, strict=True)
        ]
        numbers = np.arange(len(rows))
        pairs = copies_of_values(rows).between(*np.split(numbers, [len(train_arrays[0])]))
        return np.array(sorted(second - len(train_arrays[0]) for _, second in pairs), dtype=int)
    keys, others = _keys(train_arrays, validation_arrays)
    found = np.isin(others, keys)
    pictures = _as_pictures(train_arrays), _as_pictures(validation_arrays)
    if pictures[0] is not None and pictures[1] is not None and len(pictures[0]):
        rest = np.flatnonzero(~found)
        found[rest] = near_copies(pictures[1][rest], pictures[0]) >= 0
    return np.flatnonzero(found)


def check_duplicates(record: Record, train: Samples, validation: Samples) -> Iterator[Finding]:
    """A finding if more validation samples have a copy in training than chance explains.

    Rows of a few small numbers repeat by chance. The share of training samples that have a copy
    in the rest of the training says how many do.

    Args:
        record: What is known of the training.
        train: Its training samples.
        validation: Samples that the user set aside for validation.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(200, 3))
        >>> found = check_duplicates(Record("net"), Samples(x, None), Samples(x[:60], None))
        >>> next(found).code
        'leak-between-sets'
    """
    if min(train.size, validation.size) < _FEWEST:
        return
    train_arrays, validation_arrays = _leaves(train.x), _leaves(validation.x)
    if not _are_numbers(train_arrays + validation_arrays):
        return
    if [leaf.shape[1:] for leaf in train_arrays] != [leaf.shape[1:] for leaf in validation_arrays]:
        return
    keys, others = _keys(train_arrays, validation_arrays)
    _, group, counts = np.unique(keys, return_inverse=True, return_counts=True)
    twins = np.isin(others, keys)
    by_chance = float((counts[group.reshape(-1)] > 1).mean())
    never = by_chance == 0 and twins.sum() > 1 and twins.mean() > _EXCESS
    if _is_excess(twins.mean(), len(twins), by_chance, len(keys)) or (
        never and _equal_by_chance(train_arrays) * twins.size < _NEVER
    ):
        yield _finding(record, twins, twins.mean(), by_chance, "equal")
        return
    yield from _check_pictures(record, train_arrays, validation_arrays, twins)


def _check_pictures(
    record: Record,
    train_arrays: list[np.ndarray],
    validation_arrays: list[np.ndarray],
    exact: np.ndarray,
) -> Iterator[Finding]:
    pictures, others = _as_pictures(train_arrays), _as_pictures(validation_arrays)
    if pictures is None or others is None:
        return
    rng = np.random.default_rng(0)
    most = min(_MOST_SOUGHT, _MOST_PAIRS // len(pictures))
    if most < _FEWEST:
        return
    sought = np.sort(rng.permutation(len(others))[:most])
    found = near_copies(others[sought], pictures) >= 0
    if not _is_excess(found.mean(), len(found), 0.0, len(pictures)):
        return
    sample = np.sort(rng.permutation(len(pictures))[:most])
    by_chance = float((near_copies(pictures[sample], pictures, skip=sample) >= 0).mean())
    if _is_excess(found.mean(), len(found), by_chance, len(sample)):
        twins = exact.copy()
        twins[sought[found]] = True
        yield _finding(record, twins, found.mean(), by_chance, "nearly equal")


def _is_excess(share: float, count: int, by_chance: float, others: int) -> bool:
    """Whether a share is above that by chance, by enough and for certain."""
    pooled = (share * count + by_chance * others) / (count + others)
    error = np.sqrt(pooled * (1 - pooled) * (1 / count + 1 / others))
    return bool(share - by_chance > max(_EXCESS, _ERRORS * error))


def _equal_by_chance(leaves: list[np.ndarray]) -> float:
    """How many training rows equal a new one, expected from the values of each column alone."""
    logs = np.log(len(leaves[0]))
    for leaf in leaves:
        for column in leaf.reshape(len(leaf), -1).T[:_COLUMNS]:
            counts = np.unique(column, return_counts=True)[1]
            logs += np.log(((counts / len(column)) ** 2).sum())
    return float(np.exp(logs))


def _finding(
    record: Record, twins: np.ndarray, share: float, by_chance: float, how: str
) -> Finding:
    rows = np.flatnonzero(twins)
    named = ", ".join(map(str, rows[:_NAMED])) + (" …" if len(rows) > _NAMED else "")
    drop = "x_val, y_val = (numpy.delete(part, twins, axis=0) for part in (x_val, y_val))."
    fix = f"twins = lamina.diagnosis.find_duplicates(x, x_val); {drop}"
    if record.validation_split:
        fix = (
            f"n = int(len(x) * (1 - {record.validation_split:g})); "
            "twins = n + lamina.diagnosis.find_duplicates(x[:n], x[n:]); "
            "x, y = (numpy.delete(part, twins, axis=0) for part in (x, y))."
        )
    besides = ""
    if by_chance:
        besides = f"; among the training samples, {by_chance:.1%} have such a copy"
    return Finding(
        "leak-between-sets",
        "problem",
        title=f"{share:.1%} of the validation samples are {how} to a training sample{besides}. "
        "The validation is too good by what was learned by heart.",
        fix=fix,
        evidence={
            "validation samples with a copy": share,
            "training samples with a copy": by_chance,
            "copies found": len(rows),
        },
        where=f"validation samples {named}",
        confidence=0.95,
    )


def _leaves(x: Any) -> list[np.ndarray]:
    if isinstance(x, list | tuple) and x and not hasattr(x[0], "shape"):
        x = np.asarray(x)  # a list of texts or of rows, where a list of arrays is several inputs
    return [np.asarray(leaf) for leaf in jax.tree.leaves(x)]


def _are_numbers(leaves: Sequence[np.ndarray]) -> bool:
    return all(leaf.dtype.kind in "biuf" for leaf in leaves)


def _shapes(leaves: Sequence[np.ndarray]) -> str:
    return " and ".join(str(leaf.shape[1:]) for leaf in leaves)


def _keys(
    train_arrays: list[np.ndarray], validation_arrays: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """A hash of the bytes of each row, in both sets."""
    parts: list[list[np.ndarray]] = [[], []]
    for pair in zip(train_arrays, validation_arrays, strict=True):
        dtype = np.result_type(*pair)
        for part, leaf in zip(parts, pair, strict=True):
            values = leaf.reshape(len(leaf), -1)
            # Adding 0 gives zeros one sign, and so the same bytes.
            part.append(values.astype("float32") + 0 if dtype.kind == "f" else values.astype(dtype))
    return _hashes(parts[0]), _hashes(parts[1])


def _hashes(parts: list[np.ndarray]) -> np.ndarray:
    rows = zip(*parts, strict=True)
    return np.array([hash(b"".join(row.tobytes() for row in pieces)) for pieces in rows])


def _as_pictures(leaves: list[np.ndarray]) -> np.ndarray | None:
    """Inputs as pictures `(samples, height, width, channels)`; None if they are none."""
    pictures = as_images(leaves[0]) if len(leaves) == 1 else None
    if pictures is None or pictures.dtype.kind == "b":
        return None
    return pictures[..., None] if pictures.ndim == 3 else pictures
