"""Layers as plain data, and back."""

from collections.abc import Mapping
from typing import Any

from lamina.core.layer.layer import Layer
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization import registry


@filter_traceback
def serialize(layer: Layer) -> dict:
    """A layer as plain data: its class and config.

    Args:
        layer: A layer.

    Returns:
        A dict of class and config; weights are not in it.

    Example:
        >>> from lamina.layers import ReLU
        >>> serialize(ReLU(max_value=6.0))["config"]["max_value"]
        6.0
    """
    return registry.serialize(layer)


@filter_traceback
def deserialize(config: Any, custom_objects: Mapping | None = None) -> Layer:
    """A new layer, with new weights, from the result of `serialize`.

    Args:
        config: Class and config of a layer.
        custom_objects: Classes by name that are not registered.

    Returns:
        The layer.

    Raises:
        ValueError: If it does not describe a layer.

    Example:
        >>> from lamina.layers import ReLU
        >>> deserialize(serialize(ReLU(name="six"))).name
        'six'
    """
    layer = registry.deserialize(config, custom_objects)
    if not isinstance(layer, Layer):
        raise ValueError(
            f"layers.deserialize() needs the class and config of a layer; received {config!r}."
        )
    return layer
