"""Optimizers by name, config or optax transformation, and their serialization."""

import functools
from collections.abc import Mapping
from typing import Any

import optax

from lamina.core.messages.errors import ArgumentError, unknown_name
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization import registry
from lamina.core.serialization.identifiers import check_needs_no_arguments
from lamina.optimizers.optax_optimizer import OptaxOptimizer
from lamina.optimizers.optimizer import Optimizer


@filter_traceback
def get(identifier: Any) -> Optimizer | None:
    """The optimizer for an identifier.

    Args:
        identifier: A name in any case (`"adam"`), an optimizer, a saved config, any optax
            transformation, or None.

    Returns:
        The optimizer.

    Raises:
        ValueError: If the name is unknown; the message names the nearest one.
        TypeError: If it is something else.

    Example:
        >>> get("rmsprop").name
        'rm_sprop'
    """
    if identifier is None or isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str):
        known_class = _classes_by_lower_case_name().get(identifier.lower())
        if known_class is not None and registry.get_registered_object(identifier) is None:
            check_needs_no_arguments("optimizer", known_class, module="lamina.optimizers.")
        return deserialize({"class_name": identifier, "config": {}})
    if isinstance(identifier, Mapping):
        return deserialize(identifier)
    if isinstance(identifier, optax.GradientTransformation):
        return OptaxOptimizer(identifier)
    if callable(identifier):
        name = getattr(identifier, "__name__", "it")
        raise ArgumentError(
            f"optimizer received {name!r} itself, not what it returns.\n  Fix: {name}(…)."
        )
    raise ArgumentError(
        "optimizer must be a name such as 'adam', an object such as lamina.optimizers.Adam(1e-3), "
        f"or an optax transformation; received {identifier!r}."
    )


@filter_traceback
def serialize(optimizer: Optimizer) -> dict:
    """Serialize an optimizer's settings, without its state.

    Args:
        optimizer: An optimizer.

    Returns:
        A dict of class and config.
    """
    return registry.serialize(optimizer)


@filter_traceback
def deserialize(config: Mapping, custom_objects: Mapping | None = None) -> Optimizer:
    """The inverse of `serialize`.

    Args:
        config: Result of `serialize`.
        custom_objects: Classes and functions by name that are not in Lamina.

    Returns:
        The optimizer.

    Raises:
        ValueError: If the name is unknown.

    Example:
        >>> deserialize({"class_name": "SGD", "config": {"learning_rate": 0.5}}).get_config()[
        ...     "learning_rate"]
        0.5
    """
    classes = _classes_by_lower_case_name()
    name = config["class_name"]
    custom_class = registry.get_registered_object(
        config.get("registered_name") or name, custom_objects
    )
    if custom_class is None and name.lower() in classes:
        config = {
            **config,
            "class_name": classes[name.lower()].__name__,
            "module": "keras.optimizers",
        }
    elif custom_class is None and config.get("module", "keras").split(".")[0] == "keras":
        raise unknown_name("optimizer", name, [cls.__name__ for cls in classes.values()])
    return registry.deserialize(config, custom_objects)


@functools.cache
def _classes_by_lower_case_name() -> dict[str, type[Optimizer]]:
    return {
        name.lower(): cls
        for name, cls in registry.public_names("keras.optimizers").items()
        if issubclass(cls, Optimizer) and cls is not Optimizer
    }
