"""Initializers by name, config or array."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization import registry
from lamina.core.serialization.identifiers import Identifiers
from lamina.core.variable.variable import Variable
from lamina.initializers import constant_initializers

# Other names that Keras accepts.
_ALIASES = {"normal": "RandomNormal", "one": "Ones", "uniform": "RandomUniform", "zero": "Zeros"}
_NAMES = Identifiers("initializer", "keras.initializers", bases=("Initializer",), aliases=_ALIASES)


@filter_traceback
def serialize(initializer: Any) -> Any:
    """An initializer as plain data.

    Args:
        initializer: An initializer.

    Returns:
        A dict of class and config.
    """
    return registry.serialize(initializer)


@filter_traceback
def deserialize(config: str | Mapping[str, Any], custom_objects: Mapping | None = None) -> Any:
    """The inverse of `serialize`.

    Args:
        config: Name, config, class or function.
        custom_objects: From names to classes and functions that are not Lamina's own.

    Returns:
        The initializer; None for None.
    """
    with registry.custom_object_scope(custom_objects or {}):
        return get(config)


@filter_traceback
def get(identifier: Any) -> Any:
    """The initializer that a name, config, class, function or array stands for; None for None.

    Args:
        identifier: Name such as `"he_normal"`, config, class, function, initializer, array or None.

    Returns:
        The initializer.

    Raises:
        ValueError: If the name is unknown.

    Example:
        >>> type(get("he_normal")).__name__
        'HeNormal'
    """
    if isinstance(identifier, (np.ndarray, np.generic, jax.Array, Variable)):
        return constant_initializers.array_initializer(identifier)
    return _NAMES.resolve(identifier)


registry.register_getter("initializer", get)
