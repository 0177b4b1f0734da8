"""`split_dataset`: divides a data set into two."""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Data
from lamina.core.user_data.data_kinds import rows_at


@filter_traceback
def split_dataset(
    dataset: Data,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """Splits samples into a left and a right part, such as for training and testing.

    Keras returns `tf.data` data sets. Lamina returns two objects of the type of `dataset`: two
    arrays; two tuples, lists or dictionaries of arrays; or two `lamina.data.Dataset`s, divided
    between elements, which are samples, or batches if it is batched.

    Args:
        dataset: An array, a tuple, list or dictionary of arrays of one length, or a `Dataset`
            whose length is known.
        left_size: Samples (an int) or fraction of the samples (a float between 0 and 1) in the
            left part; None means all samples that are not in the right part.
        right_size: Size of the right part, in the same units; these samples are taken from the end.
        shuffle: Whether to shuffle the samples first, which is needed for sorted labels.
        seed: Seed of the shuffling; the order is that of Keras for the same seed.
        preferred_backend: Accepted for compatibility with Keras, without effect.

    Returns:
        `(left, right)`.

    Raises:
        ValueError: If the sizes are missing, leave a part empty or exceed the samples.

    Example:
        >>> left, right = split_dataset(np.arange(10), left_size=0.8)
        >>> left.tolist(), right.tolist()
        ([0, 1, 2, 3, 4, 5, 6, 7], [8, 9])
    """
    is_dataset = hasattr(dataset, "take") and hasattr(dataset, "skip")  # a Dataset
    total = len(dataset) if is_dataset else _number_of_samples(dataset)
    left, right = _resolve_sizes(left_size, right_size, total)
    if is_dataset:
        if shuffle:
            dataset = dataset.shuffle(total, seed=seed, reshuffle_each_iteration=False)
        return dataset.take(left), dataset.skip(total - right)
    if not shuffle:
        return _select_rows(dataset, slice(0, left)), _select_rows(
            dataset, slice(total - right, total)
        )
    order = list(range(total))
    random.Random(random.randint(0, int(1e6)) if seed is None else seed).shuffle(order)
    return _select_rows(dataset, np.array(order[:left])), _select_rows(
        dataset, np.array(order[total - right :])
    )


def _arrays(dataset: Any) -> list[Any]:
    if isinstance(dataset, Mapping):
        return list(dataset.values())
    return list(dataset) if isinstance(dataset, (tuple, list)) else [dataset]


def _number_of_samples(dataset: Any) -> int:
    arrays = _arrays(dataset)
    if not arrays or not all(getattr(array, "ndim", 0) for array in arrays):
        kinds = ", ".join(type(array).__name__ for array in arrays) or "nothing"
        raise TypeError(
            "split_dataset needs an array, or a tuple, list or dictionary of arrays; "
            f"received {type(dataset).__name__} of {kinds}.\n"
            "  Fix: turn lists into arrays with numpy.array(…); split a generator or loader where "
            "it is made."
        )
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise ValueError(
            f"split_dataset needs arrays of one length; received lengths {lengths}.\n"
            "  Likely cause: images and labels of different sets."
        )
    return lengths[0]


def _resolve_sizes(
    left_size: float | None, right_size: float | None, total: int
) -> tuple[int, int]:
    if left_size is None and right_size is None:
        raise ValueError("split_dataset needs left_size or right_size, e.g. left_size=0.8.")
    left = _side_size("left_size", left_size, total)
    right = _side_size("right_size", right_size, total)
    if left is None:
        left = total - (right or 0)
    if right is None:
        right = total - left
    if left + right > total:
        raise ValueError(
            f"split_dataset: left_size={left_size} and right_size={right_size} together take "
            f"{left + right} samples, and there are {total}."
        )
    if left < 1 or right < 1:
        raise ValueError(
            f"split_dataset: of {total} samples, left_size={left_size} and "
            f"right_size={right_size} would leave {left} on the left and {right} on the right."
        )
    return left, right


def _side_size(name: str, size: float | None, total: int) -> int | None:
    if size is None:
        return None
    if isinstance(size, (int, np.integer)) and not isinstance(size, bool):
        if 0 < size < total:
            return int(size)
    elif isinstance(size, (float, np.floating)):
        if 0 < size < 1:
            return round(float(size) * total)
    else:
        raise TypeError(f"split_dataset: {name} must be an int or a float; received {size!r}.")
    raise ValueError(
        f"split_dataset: {name} must be a number of samples from 1 to {total - 1}, or a fraction "
        f"between 0 and 1; received {size!r}."
    )


def _select_rows(dataset: Any, index: Any) -> Any:
    if isinstance(dataset, Mapping):
        return {key: rows_at(part, index) for key, part in dataset.items()}
    if isinstance(dataset, (tuple, list)):
        return type(dataset)(rows_at(part, index) for part in dataset)
    return rows_at(dataset, index)
