"""Configs in the layout of Keras 2, which have the name of a class without its module."""

from collections.abc import Mapping
from typing import Any

from lamina.core.messages.errors import unknown_name
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization import registry
from lamina.core.types import Config

__all__ = ["deserialize_keras_object", "serialize_keras_object"]


@filter_traceback
def serialize_keras_object(instance: Any) -> Config | str | None:
    """An object as `{"class_name": …, "config": …}`, a function as its name.

    Args:
        instance: An object with a `get_config`, a function or class, or None.

    Returns:
        A dict, or a name.

    Raises:
        ValueError: If it is none of these.

    Example:
        >>> from lamina.regularizers import L2
        >>> serialize_keras_object(L2(0.5))
        {'class_name': 'L2', 'config': {'l2': 0.5}}
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        name = registry.get_registered_name(type(instance))
        return {"class_name": name, "config": registry.serialize(instance.get_config())}
    if hasattr(instance, "__name__"):
        return registry.get_registered_name(instance)
    raise ValueError(f"{instance!r} cannot be written as a config: it has no get_config().")


@filter_traceback
def deserialize_keras_object(
    identifier: Any,
    module_objects: Mapping[str, Any] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """The inverse of `serialize_keras_object`.

    Args:
        identifier: A config, a name, or None; a function or class is returned unchanged.
        module_objects: Classes and functions by name, where names are looked up.
        custom_objects: More of them, which take precedence.
        printable_module_name: Word for the object in messages.

    Returns:
        The object.

    Raises:
        ValueError: If the name is unknown.

    Example:
        >>> from lamina.regularizers import L2
        >>> config = {"class_name": "L2", "config": {"l2": 0.5}}
        >>> deserialize_keras_object(config, {"L2": L2}).l2
        0.5
    """
    if identifier is None or callable(identifier):
        return identifier
    is_config = isinstance(identifier, Mapping)
    name = identifier.get("class_name") if is_config else identifier
    if not isinstance(name, str) or (is_config and "config" not in identifier):
        raise ValueError(
            f"A saved {printable_module_name} is a name or a dict with 'class_name' and "
            f"'config'; received {identifier!r}."
        )
    symbol = registry.get_registered_object(name, custom_objects) or (module_objects or {}).get(
        name
    )
    if symbol is None:
        raise unknown_name(
            printable_module_name, name, [*(custom_objects or {}), *(module_objects or {})]
        )
    if not is_config:
        return symbol() if isinstance(symbol, type) else symbol
    with registry.custom_object_scope(custom_objects or {}):
        if hasattr(symbol, "from_config"):
            return symbol.from_config(identifier["config"])
        return symbol(**identifier["config"])
