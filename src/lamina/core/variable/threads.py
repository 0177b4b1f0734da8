"""Locks for threads that share a model, and a record of the threads that train it.

`value_lock` is held from the moment when the arrays of Variables are passed to a program, which may
overwrite them, until the new arrays are assigned. So another thread that reads a Variable gets
either the old or the new array. `build_lock` is held while layers create their weights and while
programs are looked up. Code that holds `value_lock` must not acquire `build_lock`.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

value_lock = threading.RLock()
build_lock = threading.RLock()

# Number of running calls of `fit`, by thread and model.
_training: dict[tuple[int, int], int] = {}


@contextlib.contextmanager
def mark_training(model: Any) -> Iterator[None]:
    """Context manager that records that this thread trains a model."""
    key = (threading.get_ident(), id(model))
    with build_lock:
        _training[key] = _training.get(key, 0) + 1
    try:
        yield
    finally:
        with build_lock:
            _training[key] -= 1
            if not _training[key]:
                del _training[key]


def is_training_in_other_thread(model: Any = None) -> bool:
    """Whether another thread trains the model, or any model if none is given.

    Example:
        >>> with mark_training("model"):
        ...     is_training_in_other_thread("model")
        False
    """
    if not _training:
        return False
    this_thread = threading.get_ident()
    with build_lock:
        return any(
            thread != this_thread and (model is None or model_id == id(model))
            for thread, model_id in _training
        )
