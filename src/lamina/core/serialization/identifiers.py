"""Resolves identifiers (a name, config or class for a loss, initializer …) to objects."""

import functools
import inspect
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any

from lamina.core.messages.errors import ArgumentError, unknown_name
from lamina.core.serialization import registry
from lamina.core.serialization.naming import to_snake_case
from lamina.core.types import Config


class Identifiers:
    """Resolves the identifiers of one kind of object, such as losses.

    Known names are the registered public names of a package, its class names in snake case, and
    aliases. So a new class only has to be listed in its package.

    Args:
        kind: The kind of object, for messages: `"initializer"`.
        namespace: The namespace in which the package registers its names: `"keras.initializers"`.
        bases: Public names of base classes. They are allowed in a config, but not as a name, and
            no message suggests them.
        aliases: Other names, each with the public name that it stands for.
        prefer_classes: Whether a class's name in snake case stands for the class, if there is also
            a function of that name.
    """

    def __init__(
        self,
        kind: str,
        namespace: str,
        *,
        bases: Collection[str] = (),
        aliases: Mapping[str, str] | None = None,
        prefer_classes: bool = False,
    ):
        self.kind = kind
        self.namespace = namespace
        self._bases = bases
        self._aliases = aliases or {}
        self._prefer_classes = prefer_classes

    @cached_property
    def table(self) -> dict[str, Any]:
        """Every accepted name, with its class or function."""
        # Made at the first lookup, when the package is completely imported.
        public = registry.public_names(self.namespace)
        by_public_name = {
            name: symbol for name, symbol in public.items() if name not in self._bases
        }
        snake_case = {
            to_snake_case(name): symbol
            for name, symbol in by_public_name.items()
            if isinstance(symbol, type) and symbol.__name__ == name
        }
        table = (
            {**by_public_name, **snake_case}
            if self._prefer_classes
            else {**snake_case, **by_public_name}
        )
        return {**table, **{alias: public[name] for alias, name in self._aliases.items()}}

    def resolve(self, identifier: Any) -> Any:
        """The object for an identifier.

        Args:
            identifier: A name, a saved config, a class, or a callable, which is returned unchanged.

        Returns:
            The object; None for None.
        """
        if identifier is None:
            return None
        if isinstance(identifier, dict):
            identifier = self.from_config(identifier)
        elif isinstance(identifier, str):
            identifier = self.by_name(identifier)
        if isinstance(identifier, type):
            check_needs_no_arguments(self.kind, identifier, self._module_of(identifier))
            identifier = identifier()
        if not callable(identifier):
            raise ArgumentError(
                f"The {self.kind} must be a name, a function, an object or None; "
                f"received {identifier!r}.\n  Known names: {', '.join(sorted(self.table))}."
            )
        return identifier

    def by_name(self, name: str) -> Any:
        """The class or function of a name: one that the user registered, else one of Lamina."""
        custom = registry.get_registered_object(name)
        if custom is not None:
            return custom
        if name not in self.table:
            raise unknown_name(self.kind, name, self.table)
        return self.table[name]

    def from_config(self, config: Config) -> Any:
        """The object of a saved config; in files of Keras 2 the config has no module."""
        if "class_name" not in config:
            raise ValueError(
                f"The config of a {self.kind} needs the keys 'class_name' and 'config'; "
                f"received {sorted(config)}."
            )
        config = {"module": self.namespace, "config": {}, **config}
        # The config of a function has its name in another place; the registry handles it.
        if config["module"] in (None, self.namespace) and config["class_name"] != "function":
            name = config.get("registered_name") or config["class_name"]
            if name not in self._bases:
                name = self.by_name(name).__name__
            config = {**config, "module": self.namespace, "class_name": name}
        return registry.deserialize(config)

    def _module_of(self, cls: type) -> str:
        public = self.table.get(cls.__name__) is cls
        return f"{self.namespace.replace('keras', 'lamina', 1)}." if public else ""


def check_needs_no_arguments(kind: str, cls: type, module: str = "") -> None:
    """Refuse a class that cannot be instantiated without arguments.

    Args:
        kind: The kind of object, for the message: `"initializer"`.
        cls: The class.
        module: The prefix of the class's name in a user's code: `"lamina.initializers."`.

    Raises:
        ArgumentError: If an argument has no default.
    """
    required = _required_arguments(cls)
    if required:
        raise ArgumentError(
            f"The {kind} {cls.__name__!r} needs arguments, so it cannot be made from a name or a "
            f"class: {', '.join(required)}.\n"
            f"  Fix: {module}{cls.__name__}({', '.join(f'{name}=…' for name in required)})."
        )


@functools.lru_cache(maxsize=1024)
def _required_arguments(cls: type) -> list[str]:
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return []  # a class that is not written in Python has no signature
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in optional]
