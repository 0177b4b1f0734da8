"""Tracking: assigning a Variable, a Layer or a container of them to an attribute is enough.

A class says under which list its objects are kept with `tracked_as`; containers are replaced by
copies that tell their owner what is put into them later (`self.blocks.append(Dense(8))`).
"""

from collections.abc import Callable, Iterable
from typing import Any

import jax

from lamina.core.seed import SeedGenerator
from lamina.core.variable import Variable

Register = Callable[[Any], None]


def kind_of(value: Any) -> str | None:
    """`"variables"`, `"seeds"`, `"layers"`, `"metrics"`, or None for what is not tracked."""
    if isinstance(value, Variable):
        return "variables"
    if isinstance(value, SeedGenerator):
        return "seeds"
    return getattr(type(value), "tracked_as", None)


def track(value: Any, register: Register) -> Any:
    """Register a value and everything in it; returns it, containers replaced by tracking ones."""
    if kind_of(value) is not None:
        register(value)
        return value
    if type(value) is list or isinstance(value, TrackedList):
        return TrackedList(value, register)
    if type(value) is dict or isinstance(value, TrackedDict):
        return TrackedDict(value, register)
    if type(value) is tuple:
        return tuple(track(item, register) for item in value)
    return value


class TrackedList(list):
    """A list whose owner knows every layer and variable in it."""

    def __init__(self, values: Iterable = (), register: Register = lambda value: None):
        self._register = register
        super().__init__(track(value, register) for value in values)

    def append(self, value: Any) -> None:
        super().append(track(value, self._register))

    def insert(self, index: Any, value: Any) -> None:
        super().insert(index, track(value, self._register))

    def extend(self, values: Iterable) -> None:
        for value in values:
            self.append(value)

    def __iadd__(self, values: Iterable) -> "TrackedList":  # type: ignore[misc]
        self.extend(values)
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, track(value, self._register))

    def __reduce__(self) -> tuple:
        return (list, (list(self),))


class TrackedDict(dict):
    """A dict whose owner knows every layer and variable in it."""

    def __init__(self, values: Any = (), register: Register = lambda value: None):
        self._register = register
        super().__init__()
        self.update(values)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, track(value, self._register))

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def __reduce__(self) -> tuple:
        return (dict, (dict(self),))


# JAX sees them as the list and dict that they are.
jax.tree_util.register_pytree_node(
    TrackedList, lambda x: (tuple(x), None), lambda _, children: TrackedList(children)
)
jax.tree_util.register_pytree_with_keys(
    TrackedDict,
    lambda d: ([(jax.tree_util.DictKey(k), d[k]) for k in sorted(d)], tuple(sorted(d))),
    lambda keys, children: TrackedDict(zip(keys, children, strict=True)),
)
