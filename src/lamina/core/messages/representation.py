"""Representations of objects in messages, tracebacks and debuggers."""

import functools
from collections.abc import Callable
from typing import Any


def safe_repr(representation: Callable[[Any], str]) -> Callable[[Any], str]:
    """Decorator of a `__repr__`, so that it does not fail for a partly initialized object.

    Tracebacks and debuggers show such an object if its `__init__` has raised.

    Example:
        >>> class Point:
        ...     @safe_repr
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
