"""Tracking of Variables, layers and metrics that are assigned to attributes.

The class attribute `tracked_as` names the list in which objects of a class are tracked. Lists and
dicts are replaced by copies that report later additions and removals to their owner
(`self.blocks.append(Dense(8))`).
"""

import copy
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Protocol

import jax

from lamina.core.variable.seed import SeedGenerator
from lamina.core.variable.variable import Variable


class Owner(Protocol):
    """An object that containers report their items to."""

    def _register(self, value: Any) -> None: ...

    def _untrack(self, value: Any) -> None: ...


def kind_of(value: Any) -> str | None:
    """`"variables"`, `"seeds"`, `"layers"`, `"metrics"`, or None for other values."""
    if isinstance(value, Variable):
        return "variables"
    if isinstance(value, SeedGenerator):
        return "seeds"
    return getattr(type(value), "tracked_as", None)


_NEVER_TRACKED = (type(None), bool, int, float, str)


def track(value: Any, owner: Owner | None) -> Any:
    """Track a value and its items; returns the value, with containers replaced by tracked ones."""
    if owner is None or isinstance(value, _NEVER_TRACKED):
        return value
    if kind_of(value) is not None:
        owner._register(value)
    elif type(value) is list or isinstance(value, TrackedList):
        return TrackedList(value, owner)
    elif type(value) in (dict, OrderedDict) or isinstance(value, TrackedDict):
        return TrackedDict(value, owner)
    elif type(value) is tuple:
        return tuple(track(item, owner) for item in value)
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(track(item, owner) for item in value))
    elif isinstance(value, (set, frozenset)) and any(kind_of(item) for item in value):
        raise TypeError(
            "Layers and Variables in a set cannot be tracked: a set has no order, and weights "
            "are saved in order.\n  Fix: keep them in a list, a tuple or a dict."
        )
    else:
        for item in find_tracked(value):  # e.g. the current items of a defaultdict
            owner._register(item)
    return value


def find_tracked(value: Any) -> Iterator[Any]:
    """Every tracked object in a value: itself, or the items of lists, tuples and dicts."""
    if kind_of(value) is not None:
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from find_tracked(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from find_tracked(item)


def find_unreferenced(owner: Any, removed: Any, tracking_attributes: Collection[str]) -> set[int]:
    """The ids of tracked objects in `removed` to which no attribute of the owner refers any more.

    Args:
        owner: The object whose attributes are searched.
        removed: The value that was removed from one of them.
        tracking_attributes: Names of attributes that are not searched.
    """
    ids = {id(item) for item in find_tracked(removed)}
    if ids:
        for name, attribute in vars(owner).items():
            if name not in tracking_attributes:
                ids -= {id(item) for item in find_tracked(attribute)}
    return ids


class TrackedList(list[Any]):
    """A list that reports the layers and variables in it to its owner."""

    def __init__(self, values: Iterable[Any] = (), owner: Owner | None = None):
        self._owner = owner
        super().__init__(track(value, owner) for value in values)

    def append(self, value: Any) -> None:
        super().append(track(value, self._owner))

    def insert(self, index: Any, value: Any) -> None:
        super().insert(index, track(value, self._owner))

    def extend(self, values: Iterable[Any]) -> None:
        for value in values:
            self.append(value)

    def __iadd__(self, values: Iterable[Any]) -> "TrackedList":  # type: ignore[misc]
        self.extend(values)
        return self

    def __imul__(self, count: Any) -> "TrackedList":  # type: ignore[misc]
        self[:] = list(self) * count
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        old = self[index]
        if isinstance(index, slice):
            value = [track(item, self._owner) for item in value]
        else:
            value = track(value, self._owner)
        super().__setitem__(index, value)
        self._untrack(old)

    def __delitem__(self, index: Any) -> None:
        old = self[index]
        super().__delitem__(index)
        self._untrack(old)

    def pop(self, index: Any = -1) -> Any:
        value = super().pop(index)
        self._untrack(value)
        return value

    def remove(self, value: Any) -> None:
        # By identity first: `==` of Variables compares numbers.
        position = next((i for i, item in enumerate(self) if item is value), None)
        del self[self.index(value) if position is None else position]

    def clear(self) -> None:
        del self[:]

    def _untrack(self, value: Any) -> None:
        if self._owner is not None:
            self._owner._untrack(value)

    def __deepcopy__(self, memo: dict[int, Any]) -> "TrackedList":
        copied = memo[id(self)] = TrackedList()
        list.extend(copied, (copy.deepcopy(item, memo) for item in self))
        copied._owner = copy.deepcopy(self._owner, memo)
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return (list, (list(self),))


class TrackedDict(dict[Any, Any]):
    """A dict that reports the layers and variables in it to its owner."""

    def __init__(self, values: Any = (), owner: Owner | None = None):
        self._owner = owner
        super().__init__()
        self.update(values)

    def __setitem__(self, key: Any, value: Any) -> None:
        old = self.get(key)
        super().__setitem__(key, track(value, self._owner))
        self._untrack(old)

    def __delitem__(self, key: Any) -> None:
        old = self[key]
        super().__delitem__(key)
        self._untrack(old)

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, values: Any) -> "TrackedDict":  # type: ignore[misc]
        self.update(values)
        return self

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: Any, *default: Any) -> Any:
        value = super().pop(key, *default)
        self._untrack(value)
        return value

    def popitem(self) -> tuple[Any, Any]:
        key, value = super().popitem()
        self._untrack(value)
        return key, value

    def clear(self) -> None:
        old_values = list(self.values())
        super().clear()
        self._untrack(old_values)

    def _untrack(self, value: Any) -> None:
        if self._owner is not None:
            self._owner._untrack(value)

    def __deepcopy__(self, memo: dict[int, Any]) -> "TrackedDict":
        copied = memo[id(self)] = TrackedDict()
        dict.update(copied, ((key, copy.deepcopy(item, memo)) for key, item in self.items()))
        copied._owner = copy.deepcopy(self._owner, memo)
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return (dict, (dict(self),))


# Pytrees for JAX, like the built-in list and dict.
jax.tree_util.register_pytree_node(
    TrackedList, lambda x: (tuple(x), None), lambda _, children: TrackedList(children)
)
jax.tree_util.register_pytree_with_keys(
    TrackedDict,
    lambda d: ([(jax.tree_util.DictKey(k), d[k]) for k in sorted(d)], tuple(sorted(d))),
    lambda keys, children: TrackedDict(zip(keys, children, strict=True)),
)
