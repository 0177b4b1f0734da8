"""How objects are printed in messages, tracebacks and debuggers."""

import functools
from collections.abc import Callable
from typing import Any


def shown_if_unfinished(representation: Callable[[Any], str]) -> Callable[[Any], str]:
    """Decorator of `__repr__` for objects whose `__init__` may have failed.

    Tracebacks and debuggers show such an object, and must not fail themselves.

    Example:
        >>> class Point:
        ...     @shown_if_unfinished
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
