"""Representations of objects in messages, tracebacks and debuggers."""

import functools
from collections.abc import Callable
from typing import Any


def shown_before_init(representation: Callable[[Any], str]) -> Callable[[Any], str]:
    """Decorator of `__repr__`, so that it works for an object whose `__init__` has not finished.

    Tracebacks and debuggers show such an object after `__init__` has raised, and must not fail
    themselves.

    Example:
        >>> class Point:
        ...     @shown_before_init
        ...     def __repr__(self):
        ...         return f"<Point x={self.x}>"
        >>> Point()
        <Point, not initialized>
    """

    @functools.wraps(representation)
    def wrapped(self: Any) -> str:
        try:
            return representation(self)
        except (AttributeError, RecursionError):
            return f"<{type(self).__name__}, not initialized>"

    return wrapped
