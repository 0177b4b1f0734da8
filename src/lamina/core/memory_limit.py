"""Limits on memory, since a small model file or a line of a script can request any amount."""

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lamina.core.configuration.context import context

# For smaller Variables the memory of the machine is not checked.
_MIN_CHECKED_SIZE = 2**30


class OverBudgetError(ValueError):
    """A Variable or table needs more memory than the enclosing `memory_limit` allows."""


@contextlib.contextmanager
def memory_limit(size: float) -> Iterator[None]:
    """Context manager in which new Variables and tables may take `size` bytes in total.

    Example:
        >>> with memory_limit(100):
        ...     reserve_memory_for("dense/kernel", (10, 10), "float32")
        Traceback (most recent call last):
        ...
        lamina.core.memory_limit.OverBudgetError: Variable 'dense/kernel' of shape (10, 10) needs more memory than is allowed: 400 bytes, and 100 are left.
    """  # noqa: E501 - the message is one line
    outer, context.memory_left = context.memory_left, size
    try:
        yield
    finally:
        context.memory_left = outer


def reserve_memory_for(path: str, shape: Sequence[int], dtype: Any) -> None:
    """Subtract the memory of a new Variable from the limit.

    Raises:
        OverBudgetError: If it exceeds the remainder of the enclosing `memory_limit`.
        MemoryError: If the Variable needs more memory than the machine has.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < _MIN_CHECKED_SIZE and context.memory_left == math.inf:
        return
    label = f"Variable {path!r} of shape {tuple(shape)}"
    reserve_bytes(size, label)
    if size >= _MIN_CHECKED_SIZE and size > memory_of_machine():
        raise MemoryError(
            f"{label} takes {size / 2**30:,.0f} GiB, and this machine has "
            f"{memory_of_machine() / 2**30:,.0f} GiB of memory.\n"
            "  Likely cause: a layer with far too many units, or one after a Flatten of a large "
            "input.\n  Fix: fewer units, or pooling before the Flatten."
        )


def reserve_bytes(size: float, what: str) -> None:
    """Subtract the memory of anything else that a config requests from the limit.

    Args:
        size: Bytes of the object, or of one row of its output.
        what: Description for the message, e.g. `"StringLookup with num_oov_indices=5"`.

    Raises:
        OverBudgetError: If it exceeds the remainder of the enclosing `memory_limit`.
    """
    if context.memory_left == math.inf:
        return
    if size > context.memory_left:
        raise OverBudgetError(
            f"{what} needs more memory than is allowed: {size:,.0f} bytes, and "
            f"{context.memory_left:,.0f} are left."
        )
    context.memory_left -= size


def memory_of_machine() -> float:
    """The memory of the machine in bytes; infinite if it cannot be determined."""
    try:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not on Windows
        return math.inf
    return size if size > 0 else math.inf
