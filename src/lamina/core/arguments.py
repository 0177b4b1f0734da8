"""Misspelt keyword arguments of losses and metrics are answered with the nearest right one."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from lamina.core.errors import unknown_argument


def explain_arguments(init: Callable[..., None]) -> Callable[..., None]:
    """An `__init__` whose error for an unknown keyword argument names the one that was meant.

    An `__init__` that takes `**kwargs` hands them on to its parent, which answers for it.

    Example:
        >>> class Scale:
        ...     @explain_arguments
        ...     def __init__(self, factor=1.0):
        ...         self.factor = factor
        >>> Scale(facto=2.0)
        Traceback (most recent call last):
        ...
        TypeError: Scale has no argument 'facto'. Did you mean 'factor'?
          Its arguments: factor.
    """
    parameters = inspect.signature(init).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return init
    known = [p.name for p in parameters][1:]

    @functools.wraps(init)
    def explaining(self: Any, *args: Any, **kwargs: Any) -> None:
        for name in kwargs:
            if name not in known:
                raise unknown_argument(type(self).__name__, name, known)
        init(self, *args, **kwargs)

    return explaining
