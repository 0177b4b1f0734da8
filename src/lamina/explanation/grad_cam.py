"""Grad-CAM: where in a picture a convolutional network found what speaks for a class."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.messages.errors import did_you_mean
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Data
from lamina.explanation.forward import Call, Forward
from lamina.explanation.gradients import Opened, opened_for
from lamina.models import Model


@filter_traceback
def grad_cam(
    model: Model,
    x: Data,
    target: int | str | None = None,
    layer: str | None = None,
    output: int | str | None = None,
) -> np.ndarray:
    """A coarse map of where a convolutional network found what speaks for a class.

    The channels of a convolution are added up, each weighted by the mean over all positions of the
    gradient of the class's score. Sums below 0 become 0. The map has the size of the convolution's
    output; `Explanation.plot` lays it over the picture.

    Args:
        model: A built model with a convolution.
        x: One sample, `(…)` or `(1, …)`.
        target: Number or name of the class; the likeliest if None.
        layer: Name of a layer whose outputs have spatial axes; the last convolution if None.
        output: Name or number of the output, if the model has several.

    Returns:
        Array `(rows, columns)` of the layer's positions, 0 or more; `(steps,)` for Conv1D.

    Raises:
        ValueError: If the model has no convolution, or no layer of that name.

    Source: Selvaraju et al., 2017, "Grad-CAM: Visual Explanations from Deep Networks via
    Gradient-based Localization", arXiv:1610.02391.

    Example:
        >>> import lamina
        >>> from lamina.explanation import grad_cam
        >>> model = lamina.Sequential([
        ...     lamina.Input((6, 6, 1)), lamina.layers.Conv2D(4, 3), lamina.layers.Flatten(),
        ...     lamina.layers.Dense(2, activation="softmax")])
        >>> grad_cam(model, np.ones((6, 6, 1))).shape
        (4, 4)
    """
    opened = opened_for(model, x, output)
    target_index = opened.meaning.find_target(target, opened.values)
    return class_map(opened, target_index, spatial_call(opened.forward, layer)).values


class ClassMap(NamedTuple):
    """A Grad-CAM map.

    Args:
        values: 0 or more, `(rows, columns)` or fewer or more axes.
        layer: Name of the layer.
    """

    values: np.ndarray
    layer: str


def class_map(opened: Opened, target_index: int, call: Call) -> ClassMap:
    """The map for a class at the output of a layer."""
    assert call.output is not None
    shape = call.output.shape

    def program(run: Any, inputs: Any) -> Any:
        def score(change: Any) -> Any:
            result = run(inputs, added={call.key: change}, kept=[call.key], scores=True)
            return opened.meaning.score(result.outputs, target_index), result.kept[call.key]

        return jax.grad(score, has_aux=True)(jnp.zeros(shape, "float32"))

    gradient, activations = opened.forward.compiled(program)()
    last = getattr(call.layer, "data_format", "channels_last") == "channels_last"
    channels_last = [np.moveaxis(np.asarray(a, dtype="float32")[0], -1 if last else 0, -1)
                     for a in (gradient, activations)]  # fmt: skip
    weights = channels_last[0].reshape(-1, channels_last[0].shape[-1]).mean(axis=0)
    return ClassMap(np.maximum(channels_last[1] @ weights, 0), call.layer.name)


def spatial_call(forward: Forward, name: str | None = None) -> Call:
    """The call of the layer to make a map of.

    Raises:
        ValueError: If there is none.
    """
    calls = [call for call in forward.calls if _has_positions(call)]
    if name is None:
        convolutions = [call for call in calls if is_convolution(call.layer)]
        if not convolutions:
            raise ValueError(
                f"Model {forward.model.name!r} has no convolution, whose positions Grad-CAM makes "
                "a map of.\n"
                "  Fix: lamina.explanation.integrated_gradients(model, x), which needs none."
            )
        return convolutions[-1]
    return call_of(forward, name, calls, "with positions")


def call_of(forward: Forward, name: str, calls: list[Call], which: str) -> Call:
    """The last of these calls of a layer with a name.

    Args:
        forward: The model.
        name: Name of the layer.
        calls: The calls that can be meant.
        which: What they have in common, for the message.
    """
    found = [call for call in calls if call.layer.name == name]
    if found:
        return found[-1]
    names = list(dict.fromkeys(call.layer.name for call in calls))
    others = f"  Its layers {which}: {', '.join(names) or 'none'}."
    raise ValueError(
        f"Model {forward.model.name!r} has no layer {name!r} {which}."
        f"{did_you_mean(str(name), names)}\n{others}"
    )


def is_convolution(layer: Any) -> bool:
    """Whether a layer is a convolution of any kind."""
    return hasattr(layer, "kernel_size") and hasattr(layer, "strides")


def _has_positions(call: Call) -> bool:
    return not call.is_inside_layer and call.output is not None and len(call.output.shape) >= 3
