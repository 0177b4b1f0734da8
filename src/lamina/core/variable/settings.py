"""Settings: attributes named like an argument of the constructor, as `Dropout.rate`.

A program is compiled with the settings that layers and optimizers have at that time. So they are
remembered, and a program is compiled anew after one was assigned.
"""

import inspect
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from lamina.core.configuration.context import context
from lamina.core.variable.changes import record_change

_names: WeakKeyDictionary[type, frozenset[str]] = WeakKeyDictionary()


class _Same:
    """An object that is equal only to itself, whatever its own `__eq__` and `__hash__` do."""

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def settings_key(owner: Any) -> tuple[tuple[str, Any], ...]:
    """The settings of a layer or optimizer, as pairs that can be compared with earlier ones.

    Example:
        >>> from lamina.layers import Dropout
        >>> dropout = Dropout(0.5)
        >>> before = settings_key(dropout)
        >>> dropout.rate = 0.2
        >>> settings_key(dropout) == before, dict(settings_key(dropout))["rate"]
        (False, 0.2)
    """
    return tuple(vars(owner).get("_settings", {}).items())


def remember_setting(owner: Any, name: str, value: Any) -> None:
    """Remember the value of an attribute, if it is a setting.

    What a layer assigns in its own call, or an optimizer in a step, does not count: otherwise
    compiling a program would make it out of date.

    Args:
        owner: The layer or optimizer.
        name: Name of the attribute that was assigned.
        value: Its value.
    """
    if name[0] == "_" or name not in _names_of(type(owner)):
        return
    if context.bindings is not None or context.layers_in_call:
        return
    settings = owner.__dict__.setdefault("_settings", {})
    value = _comparable(value)
    if name not in settings or settings[name] != value:
        settings[name] = value
        record_change()


def _names_of(kind: type) -> frozenset[str]:
    """Names of the arguments of the constructors of a class and its bases."""
    if kind not in _names:
        found: set[str] = set()
        for base in kind.__mro__:
            if "__init__" in vars(base) and base is not object:
                found |= set(inspect.signature(vars(base)["__init__"]).parameters)
        _names[kind] = frozenset(found - {"self", "args", "kwargs", "name"})
    return _names[kind]


def _comparable(value: Any) -> Any:
    if isinstance(value, np.generic) or (hasattr(value, "item") and np.shape(value) == ()):
        value = value.item()
    if isinstance(value, (tuple, list)):
        return tuple(map(_comparable, value))
    return value if isinstance(value, (type(None), bool, int, float, str)) else _Same(value)
