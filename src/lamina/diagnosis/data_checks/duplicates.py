"""Finds validation samples that are in the training data as well, exactly or nearly."""

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

# The fraction of validation samples with a copy must exceed the fraction that chance explains by
# this much, and by this many standard errors.
_MIN_EXCESS, _MIN_STANDARD_ERRORS = 0.01, 3.0
# If chance makes fewer rows equal than this, even two equal rows are a leak.
_MAX_EQUAL_BY_CHANCE = 1e-3
# Smaller sets are not checked: they may hold all possible samples, as for XOR.
_MIN_SAMPLES = 50
# Limits of the search among pictures: validation pictures, and pairs of pictures.
_MAX_SEARCHED = 1000
_MAX_PAIRS = 60_000_000
_MAX_LISTED = 8
# Columns whose values are counted.
_MAX_COLUMNS = 100


@filter_traceback
def find_duplicates(x: Any, x_val: Any) -> np.ndarray:
    """Find validation samples that are also in the training data.

    Rows of tables and texts are compared exactly. Pictures also count as copies if they differ by
    a little noise or are shifted by one pixel.

    Args:
        x: The training inputs: an array `(samples, …)`, a list of texts, or a dict, list or
            tuple of arrays.
        x_val: The validation inputs, of the same kind.

    Returns:
        Indices of the samples in `x_val`, in ascending order.

    Raises:
        ValueError: If the two are of different kinds or shapes.

    Example:
        >>> x = np.arange(8.0).reshape(4, 2)
        >>> x_val = np.array([[9.0, 9.0], [2.0, 3.0]])
        >>> duplicates = find_duplicates(x, x_val)
        >>> np.delete(x_val, duplicates, axis=0).tolist()
        [[9.0, 9.0]]
    """
    train_arrays, validation_arrays = _leaves(x), _leaves(x_val)
    if [leaf.shape[1:] for leaf in train_arrays] != [leaf.shape[1:] for leaf in validation_arrays]:
        raise ValueError(
            "find_duplicates compares inputs of equal shapes.\n"
            f"  Received: x with {_describe_shapes(train_arrays)} per sample, x_val with "
            f"{_describe_shapes(validation_arrays)}.\n"
            "  Fix: prepare x_val as x was prepared."
        )
    if not _are_numbers(train_arrays + validation_arrays):
        rows = [
            tuple(map(str, row))
            for arrays in (train_arrays, validation_arrays)
            for row in zip(*arrays, strict=True)
        ]
        train_size = len(train_arrays[0])
        pairs = copies_of_values(rows).between(*np.split(np.arange(len(rows)), [train_size]))
        return np.array(sorted(second - train_size for _, second in pairs), dtype=int)
    keys, validation_keys = _hashes_of_rows(train_arrays, validation_arrays)
    is_duplicate = np.isin(validation_keys, keys)
    pictures, train_pictures = _as_pictures(validation_arrays), _as_pictures(train_arrays)
    if pictures is not None and train_pictures is not None and len(train_pictures):
        unmatched = np.flatnonzero(~is_duplicate)
        is_duplicate[unmatched] = near_copies(pictures[unmatched], train_pictures) >= 0
    return np.flatnonzero(is_duplicate)


def check_duplicates(record: Record, train: Samples, validation: Samples) -> Iterator[Finding]:
    """Yield a finding if more validation samples have a copy in training than chance explains.

    Rows of a few small integers can be equal by chance. The fraction of training samples that have
    a copy among the other training samples tells how often. Samples that training has many times
    are copied by chance in any case. So copies of those that it has once are also counted alone,
    and compared with the fraction of training samples that have exactly one copy.

    Args:
        record: The record of the training.
        train: Its training samples.
        validation: The user's validation samples.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(200, 3))
        >>> findings = check_duplicates(Record("net"), Samples(x, None), Samples(x[:60], None))
        >>> next(findings).code
        'leak-between-sets'
    """
    if min(train.size, validation.size) < _MIN_SAMPLES:
        return
    train_arrays, validation_arrays = _leaves(train.x), _leaves(validation.x)
    if not _are_numbers(train_arrays + validation_arrays):
        return
    if [leaf.shape[1:] for leaf in train_arrays] != [leaf.shape[1:] for leaf in validation_arrays]:
        return
    keys, validation_keys = _hashes_of_rows(train_arrays, validation_arrays)
    distinct, group, counts = np.unique(keys, return_inverse=True, return_counts=True)
    is_duplicate = np.isin(validation_keys, keys)
    share = is_duplicate.mean()
    sizes = counts[group.reshape(-1)]
    by_chance = float((sizes > 1).mean())
    share_of_single = np.isin(validation_keys, distinct[counts == 1]).mean()
    only_in_validation = by_chance == 0 and is_duplicate.sum() > 1 and share > _MIN_EXCESS
    has_excess = _is_excess(share, len(is_duplicate), by_chance, len(keys)) or _is_excess(
        share_of_single, len(is_duplicate), float((sizes == 2).mean()), len(keys)
    )
    if has_excess or (
        only_in_validation
        and _equal_by_chance(train_arrays) * is_duplicate.size < _MAX_EQUAL_BY_CHANCE
    ):
        yield _finding(record, is_duplicate, share, by_chance, "equal")
        return
    yield from _check_pictures(record, train_arrays, validation_arrays, is_duplicate)


def _check_pictures(
    record: Record,
    train_arrays: list[np.ndarray],
    validation_arrays: list[np.ndarray],
    exact_duplicates: np.ndarray,
) -> Iterator[Finding]:
    pictures, train_pictures = _as_pictures(validation_arrays), _as_pictures(train_arrays)
    if train_pictures is None or pictures is None:
        return
    rng = np.random.default_rng(0)
    limit = min(_MAX_SEARCHED, _MAX_PAIRS // len(train_pictures))
    if limit < _MIN_SAMPLES:
        return
    searched = np.sort(rng.permutation(len(pictures))[:limit])
    has_copy = near_copies(pictures[searched], train_pictures) >= 0
    share = has_copy.mean()
    if not _is_excess(share, len(has_copy), 0.0, len(train_pictures)):
        return
    sample = np.sort(rng.permutation(len(train_pictures))[:limit])
    copies_in_training = near_copies(train_pictures[sample], train_pictures, skip=sample)
    by_chance = float((copies_in_training >= 0).mean())
    if _is_excess(share, len(has_copy), by_chance, len(sample)):
        is_duplicate = exact_duplicates.copy()
        is_duplicate[searched[has_copy]] = True
        yield _finding(record, is_duplicate, share, by_chance, "nearly equal")


def _is_excess(share: float, count: int, by_chance: float, train_count: int) -> bool:
    """Whether a fraction is significantly larger than the fraction by chance (a z-test)."""
    pooled = (share * count + by_chance * train_count) / (count + train_count)
    error = np.sqrt(pooled * (1 - pooled) * (1 / count + 1 / train_count))
    return bool(share - by_chance > max(_MIN_EXCESS, _MIN_STANDARD_ERRORS * error))


def _equal_by_chance(leaves: list[np.ndarray]) -> float:
    """Expected number of training rows equal to a new row, if columns were independent."""
    logs = np.log(len(leaves[0]))
    for leaf in leaves:
        for column in leaf.reshape(len(leaf), -1).T[:_MAX_COLUMNS]:
            counts = np.unique(column, return_counts=True)[1]
            logs += np.log(((counts / len(column)) ** 2).sum())
    return float(np.exp(logs))


def _finding(
    record: Record, is_duplicate: np.ndarray, share: float, by_chance: float, relation: str
) -> Finding:
    rows = np.flatnonzero(is_duplicate)
    listed = ", ".join(map(str, rows[:_MAX_LISTED])) + (" …" if len(rows) > _MAX_LISTED else "")
    drop = "x_val, y_val = (numpy.delete(part, duplicates, axis=0) for part in (x_val, y_val))."
    fix = f"duplicates = lamina.diagnosis.find_duplicates(x, x_val); {drop}"
    if record.validation_split:
        fix = (
            f"n = int(len(x) * (1 - {record.validation_split:g})); "
            "duplicates = n + lamina.diagnosis.find_duplicates(x[:n], x[n:]); "
            "x, y = (numpy.delete(part, duplicates, axis=0) for part in (x, y))."
        )
    comparison = ""
    if by_chance:
        comparison = f"; among the training samples, {by_chance:.1%} have such a copy"
    return Finding(
        "leak-between-sets",
        "problem",
        title=f"{share:.1%} of the validation samples are {relation} to a training sample"
        f"{comparison}. The validation score is too good: the model has seen these samples.",
        fix=fix,
        evidence={
            "validation samples with a copy": share,
            "training samples with a copy": by_chance,
            "copies found": len(rows),
        },
        where=f"validation samples {listed}",
        confidence=0.95,
    )


def _leaves(x: Any) -> list[np.ndarray]:
    if isinstance(x, list | tuple) and x and not hasattr(x[0], "shape"):
        x = np.asarray(x)  # a list of texts or of rows, where a list of arrays is several inputs
    return [np.asarray(leaf) for leaf in jax.tree.leaves(x)]


def _are_numbers(leaves: Sequence[np.ndarray]) -> bool:
    return all(leaf.dtype.kind in "biuf" for leaf in leaves)


def _describe_shapes(leaves: Sequence[np.ndarray]) -> str:
    return " and ".join(str(leaf.shape[1:]) for leaf in leaves)


def _hashes_of_rows(
    train_arrays: list[np.ndarray], validation_arrays: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """A hash of the bytes of each row, in both sets."""
    converted: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for pair in zip(train_arrays, validation_arrays, strict=True):
        dtype = np.result_type(*pair)
        for arrays, leaf in zip(converted, pair, strict=True):
            values = leaf.reshape(len(leaf), -1)
            # Adding 0 turns -0.0 into 0.0, so that both have the same bytes.
            is_float = dtype.kind == "f"
            arrays.append(values.astype("float32") + 0 if is_float else values.astype(dtype))
    return _hash_rows(converted[0]), _hash_rows(converted[1])


def _hash_rows(arrays: list[np.ndarray]) -> np.ndarray:
    samples = zip(*arrays, strict=True)
    return np.array([hash(b"".join(row.tobytes() for row in sample)) for sample in samples])


def _as_pictures(leaves: list[np.ndarray]) -> np.ndarray | None:
    """Inputs as pictures `(samples, height, width, channels)`; None if they are not pictures."""
    pictures = as_images(leaves[0]) if len(leaves) == 1 else None
    if pictures is None or pictures.dtype.kind == "b":
        return None
    return pictures[..., None] if pictures.ndim == 3 else pictures
