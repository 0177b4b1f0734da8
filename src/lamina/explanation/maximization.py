"""Activation maximization: the input for which a unit of a network is most active."""

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lamina.core.messages.errors import did_you_mean
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.user_data.arguments import check_integer, is_number
from lamina.explanation.forward import Forward
from lamina.explanation.grad_cam import call_of
from lamina.explanation.output_interpretation import interpret_output
from lamina.models import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@filter_tracebacks_of_methods
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class MaximizingInput:
    """The input, among those of one length, for which a unit is most active.

    `activation_maximization` returns it.

    Args:
        input: The input, without a batch axis.
        activations: The unit's activation before and after every step, `(steps + 1,)`.
        unit: What was maximized, in words.
    """

    input: np.ndarray
    activations: np.ndarray
    unit: str

    def __repr__(self) -> str:
        first, last = self.activations[0], self.activations[-1]
        return (
            f"The input of shape {self.input.shape} to which {self.unit} responds most: activation "
            f"{last:.4g}, from {first:.4g} for noise, in {len(self.activations) - 1} steps"
        )

    def plot(self) -> "Figure":
        """The input, and the activation over the steps.

        Returns:
            A matplotlib figure.
        """
        from lamina.explanation.plots import plot_maximizing  # needs matplotlib

        return plot_maximizing(self)


@filter_traceback
def activation_maximization(
    model: Model,
    unit: int | str = 0,
    layer: str | None = None,
    steps: int = 128,
    rate: float = 0.1,
    norm: float | None = None,
    seed: int = 0,
) -> MaximizingInput:
    """Find the input for which a unit of a network is most active, by gradient ascent.

    The ascent begins with noise and keeps the norm of the input fixed, since a larger norm could
    raise the activation without limit. All steps are one compiled program.

    Args:
        model: A built model with one input of floats and known shape.
        unit: Index of the unit or channel; for the model's output also the name of a class.
        layer: Name of the layer; None for the logits of the output, before softmax or sigmoid.
        steps: Number of steps.
        rate: Length of a step, as a fraction of the norm of the input.
        norm: Euclidean norm of the input; None for the norm of an input of ones.
        seed: Seed of the noise.

    Returns:
        A `MaximizingInput`. For a layer with spatial axes, such as a convolution, the mean of the
        channel's activations is maximized.

    Raises:
        ValueError: If the shape of the input is not known, or there is no such layer or unit.

    Source: Erhan, Bengio, Courville and Vincent, 2009, "Visualizing Higher-Layer Features of a Deep
    Network", Université de Montréal, technical report 1341.

    Example:
        >>> import lamina
        >>> from lamina.explanation import activation_maximization
        >>> dense = lamina.layers.Dense(1, kernel_initializer=lambda *_, **k: np.array([[3], [-4]]))
        >>> model = lamina.Sequential([lamina.Input((2,)), dense])
        >>> activation_maximization(model, norm=1.0).input.round(2)
        array([ 0.6, -0.8], dtype=float32)
    """
    check_integer("steps", steps, owner="activation_maximization")
    shape = _input_shape(model)
    input_norm = float(np.sqrt(np.prod(shape))) if norm is None else norm
    if not is_number(input_norm) or not input_norm > 0:
        raise ValueError(f"activation_maximization: norm must be above 0; received {norm!r}.")
    noise = np.random.default_rng(seed).normal(size=(1, *shape)).astype("float32")
    start = noise / np.linalg.norm(noise) * input_norm
    forward = Forward(model, jnp.asarray(start))
    activation_of, name = _activation_of(forward, unit, layer)

    def program(run: Any, start: Any) -> Any:  # the inputs are the noise
        def ascend(x: Any, _: Any) -> tuple[Any, Any]:
            activation, gradient = jax.value_and_grad(lambda x: activation_of(run, x))(x)
            length = jnp.linalg.norm(gradient)
            direction = gradient / jnp.where(length > 0, length, 1)
            x = x + rate * input_norm * direction
            return x / jnp.linalg.norm(x) * input_norm, activation

        x, activations = lax.scan(ascend, start, None, length=steps)
        return x, jnp.append(activations, activation_of(run, x))

    x, activations = forward.compiled(program)()
    return MaximizingInput(np.asarray(x)[0], np.asarray(activations), name)


def _activation_of(forward: Forward, unit: Any, layer: str | None) -> tuple[Any, str]:
    """A function `(run, x)` that returns the activation, and the unit in words."""
    if layer is None:
        interpretation = interpret_output(forward)
        target_index = interpretation.find_target(unit, np.zeros(len(interpretation.names)))

        def score(run: Any, x: Any) -> Any:
            return interpretation.score(run(x, return_logits=True).outputs, target_index)

        noun = "class" if interpretation.is_class else "output"
        return score, f"the {noun} {interpretation.names[target_index]!r}"
    calls = [call for call in forward.calls if call.output is not None and not call.is_inside_layer]
    call = call_of(forward, layer, calls, "that returns one array")
    assert call.output is not None
    first = getattr(call.layer, "data_format", "") == "channels_first"
    axis = 1 if first else len(call.output.shape) - 1
    units = call.output.shape[axis]
    if not isinstance(unit, (int, np.integer)) or not 0 <= unit < units:
        hint = did_you_mean(unit, []) if isinstance(unit, str) else ""
        raise ValueError(
            f"Layer {layer!r} has the units 0 to {units - 1}; received unit={unit!r}.{hint}"
        )

    def activation(run: Any, x: Any) -> Any:
        outputs = run(x, capture=[call.key]).captured[call.key]
        return jnp.take(outputs, int(unit), axis=axis).astype("float32").mean()

    return activation, f"unit {unit} of {layer!r}"


def _input_shape(model: Any) -> tuple[int, ...]:
    if not isinstance(model, Model):
        raise TypeError(f"Only a model can be explained; received {type(model).__name__}.")
    inputs = model._learner.signature.inputs
    has_known_shape = len(inputs) == 1 and None not in inputs[0].shape[1:]
    if not has_known_shape or not str(inputs[0].dtype).startswith(("float", "bfloat")):
        raise ValueError(
            f"activation_maximization needs a model with one input of floats of known shape. Model "
            f"{model.name!r} is a subclass without Input, or takes several inputs, text or "
            "integers."
        )
    return tuple(size for size in inputs[0].shape[1:] if size is not None)
