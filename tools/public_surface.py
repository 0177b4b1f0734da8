"""Lamina's public surface: its packages, what each lists, and the members of the classes.

A package is public if `lamina`, or a public package, lists it. A name that several packages list,
such as `Layer` of `lamina` and of `lamina.layers`, is described once, on the page of its home.
"""

import functools
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import lamina


@dataclass(frozen=True)
class Name:
    """One public name of a package."""

    package: str  # "lamina.layers"
    name: str  # "Dense"
    value: Any

    @property
    def path(self) -> str:
        return f"{self.package}.{self.name}"

    @property
    def unavailable(self) -> str | None:
        """What to do instead, if the name only says that it is not available yet."""
        value = vars(self.value) if hasattr(self.value, "__dict__") else {}
        return value.get("unavailable")

    @property
    def is_documented(self) -> bool:
        """Whether a docstring can be its own: a constant of the package has none."""
        return callable(self.value)


@dataclass(frozen=True)
class Member:
    """A public method or property of a class, and the class that defines it."""

    owner: type
    name: str
    value: Any

    @property
    def function(self) -> Any:
        if isinstance(self.value, property):
            return self.value.fget
        if isinstance(self.value, functools.cached_property):
            return self.value.func
        return getattr(self.value, "__func__", self.value)

    @property
    def takes_arguments(self) -> bool:
        return not isinstance(self.value, (property, functools.cached_property))

    def __str__(self) -> str:
        return f"{self.owner.__module__}.{self.owner.__qualname__}.{self.name}"


@functools.cache
def packages() -> dict[str, ModuleType]:
    """From the names of all public packages to the packages, in alphabetic order."""
    found = {"lamina": lamina}
    waiting: list[ModuleType] = [lamina]
    while waiting:
        package = waiting.pop()
        for name in listed(package):
            value = getattr(package, name)
            if inspect.ismodule(value) and value.__name__ not in found:
                found[value.__name__] = value
                waiting.append(value)
    return dict(sorted(found.items()))


def listed(package: ModuleType) -> list[str]:
    """The names that a package offers: `__all__`, or what is defined in it, if it has no list."""
    if hasattr(package, "__all__"):
        return [name for name in package.__all__ if not name.startswith("_")]
    return [
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == package.__name__
    ]


@functools.cache
def names() -> tuple[Name, ...]:
    """All public names that are not packages themselves, package by package."""
    return tuple(
        Name(package, name, value)
        for package, module in packages().items()
        for name in sorted(listed(module))
        if not inspect.ismodule(value := getattr(module, name))
    )


@functools.cache
def homes() -> dict[int, Name]:
    """From the identity of a public object to the name it is described under.

    That is the one in the deepest package; among equals, the one that is the object's own name.
    """
    found: dict[int, Name] = {}
    for name in names():
        other = found.get(id(name.value))
        if other is None or _closeness(name) > _closeness(other):
            found[id(name.value)] = name
    return found


def _closeness(name: Name) -> tuple[int, bool]:
    return name.package.count("."), name.name == getattr(name.value, "__name__", None)


def classes() -> Iterator[Name]:
    """All public classes of Lamina's own that are there already, each once."""
    for name in homes().values():
        if inspect.isclass(name.value) and not name.unavailable and _is_own(name.value):
            yield name


def functions() -> Iterator[Name]:
    """All public functions that are there already, each once."""
    for name in homes().values():
        if name.is_documented and not inspect.isclass(name.value) and not name.unavailable:
            yield name


@functools.cache
def members() -> tuple[Member, ...]:
    """Public methods and properties of all public classes, each once, where it is defined."""
    found = {
        (owner, name): Member(owner, name, value)
        for cls in classes()
        for owner in cls.value.__mro__
        if _is_own(owner)
        for name, value in vars(owner).items()
        if not name.startswith("_") and _is_member(value)
    }
    return tuple(found.values())


def _is_own(cls: type) -> bool:
    return cls.__module__.split(".")[0] == "lamina"


def _is_member(value: Any) -> bool:
    kinds = (property, functools.cached_property, classmethod, staticmethod)
    if not isinstance(value, kinds):
        return inspect.isfunction(value)
    function = getattr(value, "fget", getattr(value, "func", getattr(value, "__func__", value)))
    return str(function.__module__).startswith("lamina.")  # not one of JAX's kept in a class
