"""Tells targets that are classes from those that are amounts."""

from typing import Any

import numpy as np

# So many different whole numbers may always be classes; years of age and prices are more.
_FEW = 20
# More are classes if each has so many samples on average; integers have two, and are a thousand.
_SAMPLES_OF_EACH, _SAMPLES_OF_INTEGERS, _MOST_INTEGERS = 20, 2, 1000
MOST_CLASSES = 10_000


def classes_of(y: Any) -> np.ndarray | None:
    """The class of each sample as a whole number; None if targets are amounts or several classes.

    Rows with a single 1 among zeros are classes. So are whole numbers of at most 20 different
    values; more, up to `MOST_CLASSES`, if there are 20 samples for each of them, or up to 1000 if
    they are integers with two samples for each.

    Args:
        y: An array `(samples,)`, `(samples, 1)` or `(samples, classes)`.

    Example:
        >>> classes_of(np.eye(3)[[2, 0]]).tolist(), classes_of(np.array([0.5, 1.0])) is None
        ([2, 0], True)
    """
    if not hasattr(y, "shape") or not hasattr(y, "dtype"):
        return None
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if not y.size or y.ndim > 2 or y.dtype.kind not in "biuf":
        return None
    if y.ndim == 2:
        one_hot = bool(((y == 0) | (y == 1)).all()) and bool((y.sum(axis=1) == 1).all())
        return y.argmax(axis=1) if one_hot else None
    is_float = y.dtype.kind == "f"
    if is_float and not bool(((y == np.floor(y)) & (np.abs(y) < 2**53)).all()):
        return None
    most = max(_FEW, min(len(y) // _SAMPLES_OF_EACH, MOST_CLASSES))
    if not is_float:
        most = max(most, min(len(y) // _SAMPLES_OF_INTEGERS, _MOST_INTEGERS))
    classes: np.ndarray = y.astype(np.int64)
    return classes if len(np.unique(classes)) <= most else None
