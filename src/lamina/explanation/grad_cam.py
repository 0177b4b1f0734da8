"""Grad-CAM: which regions of a picture a convolutional network predicts a class from."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.messages.errors import did_you_mean
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import Data
from lamina.explanation.forward import Call, Forward
from lamina.explanation.gradients import Evaluation, evaluate_sample
from lamina.models import Model


@filter_traceback
def grad_cam(
    model: Model,
    x: Data,
    target: int | str | None = None,
    layer: str | None = None,
    output: int | str | None = None,
) -> np.ndarray:
    """A coarse map of the regions that support a class in a convolutional network.

    The map is the sum of the channels of a convolution, each weighted by the gradient of the
    class's score, averaged over all positions. Negative sums become 0. The map has the size of the
    convolution's output; `Explanation.plot` lays it over the picture.

    Args:
        model: A built model with a convolution.
        x: One sample, `(…)` or `(1, …)`.
        target: Index or name of the class; the likeliest if None.
        layer: Name of a layer whose outputs have spatial axes; the last convolution if None.
        output: Name or index of the output, if the model has several.

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
    evaluation = evaluate_sample(model, x, output)
    target_index = evaluation.interpretation.find_target(target, evaluation.values)
    return compute_class_map(
        evaluation, target_index, spatial_call(evaluation.forward, layer)
    ).values


class ClassMap(NamedTuple):
    """A Grad-CAM map.

    Args:
        values: Nonnegative, with the spatial axes of the layer: `(rows, columns)` for Conv2D.
        layer: Name of the layer.
    """

    values: np.ndarray
    layer: str


def compute_class_map(evaluation: Evaluation, target_index: int, call: Call) -> ClassMap:
    """Compute the map of a class from the output of a layer."""
    assert call.output is not None
    shape = call.output.shape

    def program(run: Any, inputs: Any) -> Any:
        def score(perturbation: Any) -> Any:
            result = run(
                inputs,
                perturbations={call.key: perturbation},
                capture=[call.key],
                return_logits=True,
            )
            return evaluation.interpretation.score(result.outputs, target_index), result.captured[
                call.key
            ]

        return jax.grad(score, has_aux=True)(jnp.zeros(shape, "float32"))

    gradient, activations = evaluation.forward.compiled(program)()
    data_format = getattr(call.layer, "data_format", "channels_last")
    channel_axis = -1 if data_format == "channels_last" else 0
    gradient, activations = (
        np.moveaxis(np.asarray(a, dtype="float32")[0], channel_axis, -1)
        for a in (gradient, activations)
    )
    weights = gradient.reshape(-1, gradient.shape[-1]).mean(axis=0)
    return ClassMap(np.maximum(activations @ weights, 0), call.layer.name)


def spatial_call(forward: Forward, name: str | None = None) -> Call:
    """The call of the layer that the map is computed from.

    Raises:
        ValueError: If the model has no such layer.
    """
    calls = [call for call in forward.calls if _has_spatial_axes(call)]
    if name is None:
        convolutions = [call for call in calls if is_convolution(call.layer)]
        if not convolutions:
            raise ValueError(
                f"Model {forward.model.name!r} has no convolution, whose output Grad-CAM needs.\n"
                "  Fix: lamina.explanation.integrated_gradients(model, x), which works for any "
                "model."
            )
        return convolutions[-1]
    return call_of(forward, name, calls, "with spatial axes")


def call_of(forward: Forward, name: str, calls: list[Call], description: str) -> Call:
    """The last call of the layer with this name.

    Args:
        forward: The model's computation.
        name: Name of the layer.
        calls: The calls to choose from.
        description: What these calls have in common, for the message.
    """
    matches = [call for call in calls if call.layer.name == name]
    if matches:
        return matches[-1]
    names = list(dict.fromkeys(call.layer.name for call in calls))
    others = f"  Its layers {description}: {', '.join(names) or 'none'}."
    raise ValueError(
        f"Model {forward.model.name!r} has no layer {name!r} {description}."
        f"{did_you_mean(str(name), names)}\n{others}"
    )


def is_convolution(layer: Any) -> bool:
    """Whether a layer is a convolution of any kind."""
    return hasattr(layer, "kernel_size") and hasattr(layer, "strides")


def _has_spatial_axes(call: Call) -> bool:
    return not call.is_inside_layer and call.output is not None and len(call.output.shape) >= 3
