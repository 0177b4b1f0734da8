"""Checks of arguments: whether their names are known, and whether they are numbers."""

import functools
import inspect
import numbers
from collections.abc import Callable
from typing import Any, TypeVar

from lamina.core.messages.errors import ArgumentError, unknown_argument

F = TypeVar("F", bound=Callable[..., Any])


def explain_arguments(method: F) -> F:
    """Decorator that makes the error for an unknown keyword argument suggest the nearest one.

    A method that takes `**kwargs` is not changed, since its base class checks them.

    Example:
        >>> class Scale:
        ...     @explain_arguments
        ...     def __init__(self, factor=1.0):
        ...         self.factor = factor
        >>> Scale(facto=2.0)
        Traceback (most recent call last):
        ...
        lamina.core.messages.errors.ArgumentError: Scale has no argument 'facto'. Did you mean ...
    """
    parameters = inspect.signature(method).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return method
    argument_names = [p.name for p in parameters][1:]

    @functools.wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        for name in kwargs:
            if name not in argument_names:
                is_init = method.__name__ == "__init__"
                owner = type(self).__name__ if is_init else f"{method.__name__}()"
                raise unknown_argument(owner, name, argument_names)
        return method(self, *args, **kwargs)

    return wrapper  # type: ignore[return-value]


def is_number(value: Any) -> bool:
    """Whether a value is a single number."""
    return isinstance(value, numbers.Real) or getattr(value, "shape", None) == ()


def check_integer(
    name: str, value: Any, minimum: int = 1, *, owner: str | None = None, also: str = ""
) -> int:
    """Check that an argument is an integer, and return it as a Python int.

    Args:
        name: Name of the argument, e.g. `"units"`.
        value: The value that the user passed.
        minimum: The smallest allowed value.
        owner: The class or function that has the argument; the message begins with it.
        also: Text for the message about other allowed values, e.g. `", or None"`.

    Returns:
        The value as an int.

    Raises:
        ArgumentError: If it is not an integer, or less than `minimum`. This is a TypeError and a
            ValueError.

    Example:
        >>> check_integer("units", 0, owner="Dense")
        Traceback (most recent call last):
        ...
        lamina.core.messages.errors.ArgumentError: Dense: units must be an integer ...
    """
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if is_whole and int(value) >= minimum:
        return int(value)
    prefix = f"{owner}: " if owner else ""
    raise ArgumentError(
        f"{prefix}{name} must be an integer of at least {minimum}{also}; received {value!r}."
    )
