"""A limit to the memory of new Variables: a few bytes of a model file can ask for any amount."""

import contextlib
import math
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


class _Room(threading.local):
    def __init__(self) -> None:
        self.left: float = math.inf


_room = _Room()


@contextlib.contextmanager
def memory_limit(size: int) -> Iterator[None]:
    """Variables made inside may take `size` bytes together.

    Example:
        >>> with memory_limit(100):
        ...     take_room("dense/kernel", (1000, 1000), "float32")
        Traceback (most recent call last):
        ...
        ValueError: Variable 'dense/kernel' of shape (1000, 1000) needs more memory than is allowed.
    """
    outer, _room.left = _room.left, size
    try:
        yield
    finally:
        _room.left = outer


def take_room(path: str, shape: Sequence[int], dtype: Any) -> None:
    """Count a Variable that is about to be made.

    Raises:
        ValueError: If it does not fit into what is left of the `memory_limit` around it.
    """
    if _room.left == math.inf:
        return
    _room.left -= math.prod(shape) * np.dtype(dtype).itemsize
    if _room.left < 0:
        raise ValueError(
            f"Variable {path!r} of shape {tuple(shape)} needs more memory than is allowed."
        )
