"""What a user types for an initializer, regularizer …: a name, config or class, made an object."""

from collections.abc import Mapping
from typing import Any

from lamina.core.messages.errors import ArgumentError, unknown_name
from lamina.core.serialization import registry
from lamina.core.serialization.naming import to_snake_case


def table_of(*classes: type, **aliases: Any) -> dict[str, Any]:
    """Every class under its own name and its snake-case name, and the aliases.

    Example:
        >>> class UnitNorm: ...
        >>> sorted(table_of(UnitNorm, unit=UnitNorm))
        ['UnitNorm', 'unit', 'unit_norm']
    """
    names = {cls.__name__: cls for cls in classes}
    return {**names, **{to_snake_case(name): cls for name, cls in names.items()}, **aliases}


def resolve(identifier: Any, *, kind: str, namespace: str, table: Mapping[str, Any]) -> Any:
    """The object that an identifier means.

    Args:
        identifier: A name, a saved config, a class, or a callable, which is returned as it is.
        kind: What is looked for, for messages: `"initializer"`.
        namespace: Where configs without a module are looked up: `"keras.initializers"`.
        table: The names that are known, besides those that users registered.

    Returns:
        The object; None for None.
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        identifier = from_config(identifier, kind=kind, namespace=namespace, table=table)
    elif isinstance(identifier, str):
        identifier = by_name(identifier, kind=kind, table=table)
    if isinstance(identifier, type):
        identifier = identifier()
    if not callable(identifier):
        raise ArgumentError(
            f"The {kind} must be a name, a function, an object or None; received {identifier!r}.\n"
            f"  Known names: {', '.join(sorted(table))}."
        )
    return identifier


def by_name(name: str, *, kind: str, table: Mapping[str, Any]) -> Any:
    """What is registered or known under a name, as it is: a class is not called."""
    custom = registry.get_registered_object(name)
    if custom is not None:
        return custom
    if name not in table:
        raise unknown_name(kind, name, table)
    return table[name]


def from_config(
    config: dict,
    *,
    kind: str,
    namespace: str,
    table: Mapping[str, Any],
    custom_objects: Mapping | None = None,
) -> Any:
    """The object of a saved config, which may lack the module, as files of Keras 2 do."""
    if "class_name" not in config:
        raise ValueError(
            f"The config of a {kind} needs the keys 'class_name' and 'config'; "
            f"received {sorted(config)}."
        )
    config = {"module": namespace, "config": {}, **config}
    with registry.custom_object_scope(custom_objects or {}):
        # A function's name stands elsewhere in its config, and the registry knows where.
        if config["module"] in (None, namespace) and config["class_name"] != "function":
            name = config.get("registered_name") or config["class_name"]
            cls = by_name(name, kind=kind, table=table)
            config = {**config, "module": namespace, "class_name": cls.__name__}
        return registry.deserialize(config)
