"""Verifies a data set by the shapes, dtypes and digests of its arrays.

The file format (npz, idx, gzip level) makes no difference.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

ARRAY_NAMES = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True)
class Expected:
    """The expected shape, digest and dtype of an array."""

    shape: tuple[int, ...]
    digest: str
    dtype: str = "uint8"


def digest(array: np.ndarray) -> str:
    """SHA-256 of an array's bytes in C order, as hexadecimal digits.

    Example:
        >>> digest(np.zeros((2, 2), dtype="uint8"))[:16]
        'df3f619804a92fdb'
    """
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def difference(arrays: Mapping[str, np.ndarray], expected: Mapping[str, Expected]) -> str | None:
    """The first difference between arrays and their expected values, in words; None if equal."""
    for name, expected_value in expected.items():
        if name not in arrays:
            return f"{name} is missing; found {', '.join(arrays) or 'nothing'}"
        array = arrays[name]
        if array.shape != expected_value.shape or array.dtype != expected_value.dtype:
            return (
                f"{name} is {array.dtype} of shape {array.shape}, "
                f"expected {expected_value.dtype} of shape {expected_value.shape}"
            )
    # Digests come last, since they take a pass over all bytes.
    for name, expected_value in expected.items():
        actual = digest(arrays[name])
        if actual != expected_value.digest:
            return (
                f"{name} has other values (SHA-256 {actual[:12]}…, expected "
                f"{expected_value.digest[:12]}…)"
            )
    return None
