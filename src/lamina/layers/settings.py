"""Functions that layers share: checks of arguments, settings in configs, weights, dtypes."""

from typing import Any, cast

import numpy as np

from lamina import activations, constraints, initializers, regularizers
from lamina.core.configuration import dtypes
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer.layer import Layer
from lamina.core.messages.errors import ArgumentError
from lamina.core.types import Shape
from lamina.core.unavailable import unavailable_function
from lamina.core.variable.seed import SeedGenerator
from lamina.core.variable.variable import Variable

_LAYOUTS = {
    1: "(batch, steps, channels)",
    2: "(batch, height, width, channels)",
    3: "(batch, depth, height, width, channels)",
}


def settings_of(layer: Layer, *names: str) -> dict:
    """The named attributes of a layer, serialized for its config."""
    values = {name: getattr(layer, name) for name in names}
    return {k: activations.serialize(v) if callable(v) else v for k, v in values.items()}


def store_weight_settings(
    layer: Layer, weight: str, initializer: Any, regularizer: Any = None, constraint: Any = None
) -> None:
    """Store the settings of a weight as `layer.kernel_initializer` and so on."""
    setattr(layer, f"{weight}_initializer", initializers.get(initializer))
    setattr(layer, f"{weight}_regularizer", regularizers.get(regularizer))
    setattr(layer, f"{weight}_constraint", constraints.get(constraint))


def weight_settings_of(layer: Layer, *weights: str) -> dict:
    """The settings stored by `store_weight_settings`, serialized for a config."""
    parts = ("initializer", "regularizer", "constraint")
    return settings_of(layer, *(f"{weight}_{part}" for weight in weights for part in parts))


def make_weight(layer: Layer, weight: str, shape: Shape, **changes: Any) -> Variable:
    """Make a weight with the stored settings; `changes` are arguments of `add_weight`."""
    settings = {
        "initializer": getattr(layer, f"{weight}_initializer"),
        "regularizer": getattr(layer, f"{weight}_regularizer"),
        "constraint": getattr(layer, f"{weight}_constraint"),
    }
    return layer.add_weight(shape=shape, **{"name": weight} | settings | changes)


def random_generator_of(layer: Layer) -> SeedGenerator:
    """The generator of a layer that draws random numbers.

    Raises:
        ValueError: If it has none, since it was made with a rate of 0, as in Keras.
    """
    generator = getattr(layer, "seed_generator", None)
    if generator is None:
        kind = type(layer).__name__
        raise ValueError(
            f"{kind} {layer.name!r} was made with 0 and has no random generator, so it cannot draw "
            f"now.\n  Fix: make it with the value from the beginning, e.g. {kind}(0.2)."
        )
    return cast(SeedGenerator, generator)


def check_fraction(layer: str, name: str, value: Any) -> Any:
    """Check that an argument is a number from 0 to 1, e.g. a dropout rate."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        raise ArgumentError(f"{layer}: {name} must be a number; received {value!r}.")
    if not 0 <= value <= 1:
        percent = f"\n  Fix: {name}={value / 100}" if 1 < value <= 100 else ""
        raise ValueError(f"{layer}: {name} must be between 0 and 1; received {value}.{percent}")
    return value


def refuse_adapters(layer: str, **arguments: Any) -> None:
    """Refuse Keras's arguments for quantisation and low-rank adapters."""
    for name, value in arguments.items():
        if value is not None:
            raise ValueError(
                f"{layer} has no {name}; received {value!r}.\n"
                "  Fix: leave it out; the layer trains and stores all of its weights."
            )


# A method of the layers that have it in Keras, which raises an error.
enable_lora = unavailable_function(
    "enable_lora",
    "lamina.layers",
    "Train some layers and freeze the others with layer.trainable = False.",
)


def same_dtype(layer: Layer, x: KerasTensor, shape: Shape) -> KerasTensor:
    """The symbolic output of a layer that keeps the dtype of its input, including integers."""
    cast = layer.autocast and dtypes.is_float(x.dtype)
    return KerasTensor(shape, layer.compute_dtype if cast else x.dtype)


def known_sizes(shape: Shape) -> tuple[int, ...] | None:
    """The sizes of a shape, if all of them are known."""
    sizes = tuple(size for size in shape if size is not None)
    return sizes if len(sizes) == len(shape) else None


def check_rank(layer: Any, rank: int, shape: Shape) -> None:
    """Refuse inputs that do not have `rank` spatial axes."""
    if len(shape) != rank + 2:
        layout = _LAYOUTS[rank]
        if layer.data_format == "channels_first":
            layout = layout.replace(", channels", "").replace("batch, ", "batch, channels, ")
        fix = ""
        if len(shape) == rank + 1:
            with_axis = "x[:, None]" if layer.data_format == "channels_first" else "x[..., None]"
            fix = f"\n  Fix: {with_axis} adds a channel axis."
        raise ValueError(
            f"{layer._label} needs inputs {layout} and received shape {tuple(shape)}.{fix}"
        )
