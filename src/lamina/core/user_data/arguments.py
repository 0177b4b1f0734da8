"""Arguments: misspelt ones are answered with the nearest right one, and which are numbers."""

import functools
import inspect
import numbers
from collections.abc import Callable
from typing import Any, TypeVar

from lamina.core.messages.errors import unknown_argument

F = TypeVar("F", bound=Callable[..., Any])


def explain_arguments(method: F) -> F:
    """Decorator: the error for an unknown keyword argument names the one that was meant.

    An `__init__` that takes `**kwargs` hands them on to its parent, which answers for it.

    Example:
        >>> class Scale:
        ...     @explain_arguments
        ...     def __init__(self, factor=1.0):
        ...         self.factor = factor
        >>> Scale(facto=2.0)
        Traceback (most recent call last):
        ...
        ...ArgumentError: Scale has no argument 'facto'. Did you mean 'factor'?
          Its arguments: factor.
    """
    parameters = inspect.signature(method).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return method
    known = [p.name for p in parameters][1:]

    @functools.wraps(method)
    def explaining(self: Any, *args: Any, **kwargs: Any) -> Any:
        for name in kwargs:
            if name not in known:
                is_init = method.__name__ == "__init__"
                owner = type(self).__name__ if is_init else f"{method.__name__}()"
                raise unknown_argument(owner, name, known)
        return method(self, *args, **kwargs)

    return explaining  # type: ignore[return-value]


def is_number(value: Any) -> bool:
    """Whether something is one number, and can be compared with one."""
    return isinstance(value, numbers.Real) or getattr(value, "shape", None) == ()
