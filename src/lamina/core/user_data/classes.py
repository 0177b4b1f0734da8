"""Decides whether targets are classes (classification) or quantities (regression)."""

from typing import Any

import numpy as np

# Up to 20 different whole numbers are always taken for classes; ages and prices have more values.
_FEW_CLASSES = 20
# More values are classes if there are enough samples per value: 20 if the dtype is a float, 2 for
# at most 1000 values if it is an integer.
_SAMPLES_PER_CLASS = 20
_SAMPLES_PER_INTEGER_CLASS, _MAX_INTEGER_CLASSES = 2, 1000
MAX_CLASSES = 10_000


def class_indices_of(y: Any) -> np.ndarray | None:
    """The class index of each sample; None for quantities and for several classes per sample.

    One-hot rows are classes. So are whole numbers with at most 20 different values. More values, up
    to `MAX_CLASSES`, are classes if there are at least 20 samples per value; for an integer dtype,
    two samples per value are enough for up to 1000 values.

    Args:
        y: An array `(samples,)`, `(samples, 1)` or `(samples, classes)`.

    Example:
        >>> class_indices_of(np.eye(3)[[2, 0]]).tolist()
        [2, 0]
        >>> class_indices_of(np.array([0.5, 1.0])) is None
        True
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
    max_classes = max(_FEW_CLASSES, min(len(y) // _SAMPLES_PER_CLASS, MAX_CLASSES))
    if not is_float:
        max_classes = max(
            max_classes, min(len(y) // _SAMPLES_PER_INTEGER_CLASS, _MAX_INTEGER_CLASSES)
        )
    classes: np.ndarray = y.astype(np.int64)
    return classes if len(np.unique(classes)) <= max_classes else None
