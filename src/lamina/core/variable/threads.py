"""Several threads and one model: which of them train, and what only one may do at a time.

`exchange` is held for the moment in which the arrays inside Variables are handed to a program,
which may overwrite them, until the new ones are in their place: another thread that reads a
Variable gets one of both. `building` is held while layers make their weights and programs are
looked up. Whoever holds `exchange` must not ask for `building`.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

exchange = threading.RLock()
building = threading.RLock()

# Number of calls of `fit` that a thread is in → by thread and model.
_training: dict[tuple[int, int], int] = {}


@contextlib.contextmanager
def training(model: Any) -> Iterator[None]:
    """This thread trains a model inside."""
    key = (threading.get_ident(), id(model))
    with building:
        _training[key] = _training.get(key, 0) + 1
    try:
        yield
    finally:
        with building:
            _training[key] -= 1
            if not _training[key]:
                del _training[key]


def trained_by_another(model: Any = None) -> bool:
    """Whether another thread trains a model, or any if none is given.

    Example:
        >>> with training("model"):
        ...     trained_by_another("model")
        False
    """
    if not _training:
        return False
    here = threading.get_ident()
    with building:
        return any(
            thread != here and (model is None or number == id(model))
            for thread, number in _training
        )
