"""What layers share besides their base: arguments checked, settings as config, dtypes handed on."""

from typing import Any

import numpy as np

from lamina import activations
from lamina.core import dtypes
from lamina.core.keras_tensor import KerasTensor
from lamina.core.layer import Layer
from lamina.core.variable import Shape


def settings_of(layer: Layer, *names: str) -> dict:
    """The named attributes of a layer as its config wants them: objects as plain data."""
    values = {name: getattr(layer, name) for name in names}
    return {k: activations.serialize(v) if callable(v) else v for k, v in values.items()}


def whole_number(layer: str, name: str, value: Any) -> int:
    """A count of 1 or more: units, filters, rows of a table."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{layer}: {name} must be a whole number; received {value!r}.")
    if value < 1:
        raise ValueError(f"{layer}: {name} must be 1 or more; received {value}.")
    return int(value)


def refuse_adapters(layer: str, **arguments: Any) -> None:
    """Keras keeps quantisation and low-rank adapters inside layers; here they are not."""
    for name, value in arguments.items():
        if value is not None:
            raise ValueError(
                f"{layer} has no {name}; received {value!r}.\n"
                "  Fix: leave it out; the layer trains and stores its whole weights."
            )


def same_dtype(layer: Layer, x: KerasTensor, shape: Shape) -> KerasTensor:
    """The symbolic output of a layer that hands numbers on as they are, whole ones included."""
    cast = layer.autocast and dtypes.is_float(x.dtype)
    return KerasTensor(shape, layer.compute_dtype if cast else x.dtype)
