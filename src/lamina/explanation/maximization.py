"""Activation maximization: the input that a unit of a network answers to most."""

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lamina.core.messages.errors import did_you_mean
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.user_data.arguments import check_integer, is_number
from lamina.explanation.answers import meaning_of
from lamina.explanation.forward import Forward
from lamina.explanation.grad_cam import call_of
from lamina.models import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@filter_tracebacks_of_methods
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class MaximizingInput:
    """The input that a unit answers to most, among those of one length.

    Made by `activation_maximization`.

    Args:
        input: The input, without a batch axis.
        activations: The unit's activation at every step, `(steps + 1,)`.
        unit: What was maximized, in words.
    """

    input: np.ndarray
    activations: np.ndarray
    unit: str

    def __repr__(self) -> str:
        first, last = self.activations[0], self.activations[-1]
        return (
            f"The input of shape {self.input.shape} that {self.unit} answers to most: activation "
            f"{last:.4g}, from {first:.4g} for noise, in {len(self.activations) - 1} steps"
        )

    def plot(self) -> "Figure":
        """The input, and the activation over the steps.

        Returns:
            A matplotlib figure.
        """
        from lamina.explanation.plots import plot_maximizing  # matplotlib, where it is wanted

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
    """The input that a unit of a network answers to most, found by gradient ascent.

    It begins with noise and keeps the length of the input fixed, since a longer one would raise the
    activation without end. All steps are one compiled program.

    Args:
        model: A built model with one input of known shape, of floats.
        unit: Number of the unit or channel; of the model's output also the name of a class.
        layer: Name of the layer; None for the scores of the output, before softmax or sigmoid.
        steps: Number of steps.
        rate: Length of a step, as a fraction of the length of the input.
        norm: Length of the input, the root of the sum of its squares; None for a length with which
            its numbers are about 1.
        seed: Seed of the noise.

    Returns:
        A `MaximizingInput`. Of a layer with positions, such as a convolution, the mean of the
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
    size = float(np.sqrt(np.prod(shape))) if norm is None else norm
    if not is_number(size) or not size > 0:
        raise ValueError(f"activation_maximization: norm must be above 0; received {norm!r}.")
    noise = np.random.default_rng(seed).normal(size=(1, *shape)).astype("float32")
    start = noise / np.linalg.norm(noise) * size
    forward = Forward(model, jnp.asarray(start))
    activation_of, name = _activation_of(forward, unit, layer)

    def program(run: Any, start: Any) -> Any:  # the inputs are the noise
        def ascend(x: Any, _: Any) -> tuple[Any, Any]:
            activation, gradient = jax.value_and_grad(lambda x: activation_of(run, x))(x)
            length = jnp.linalg.norm(gradient)
            direction = gradient / jnp.where(length > 0, length, 1)
            moved = x + rate * size * direction
            return moved / jnp.linalg.norm(moved) * size, activation

        x, activations = lax.scan(ascend, start, None, length=steps)
        return x, jnp.append(activations, activation_of(run, x))

    x, activations = forward.compiled(program)()
    return MaximizingInput(np.asarray(x)[0], np.asarray(activations), name)


def _activation_of(forward: Forward, unit: Any, layer: str | None) -> tuple[Any, str]:
    """`(run, x) → activation`, and the unit in words."""
    if layer is None:
        meaning = meaning_of(forward)
        target_index = meaning.find_target(unit, np.zeros(len(meaning.names)))

        def score(run: Any, x: Any) -> Any:
            return meaning.score(run(x, scores=True).outputs, target_index)

        what = "class" if meaning.is_class else "output"
        return score, f"the {what} {meaning.names[target_index]!r}"
    calls = [call for call in forward.calls if call.output is not None and not call.is_inside_layer]
    call = call_of(forward, layer, calls, "that gives one array")
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
        outputs = run(x, kept=[call.key]).kept[call.key]
        return jnp.take(outputs, int(unit), axis=axis).astype("float32").mean()

    return activation, f"unit {unit} of {layer!r}"


def _input_shape(model: Any) -> tuple[int, ...]:
    if not isinstance(model, Model):
        raise TypeError(f"An explanation is of a model; received {type(model).__name__}.")
    inputs = model._learner.signature.inputs
    known = len(inputs) == 1 and None not in inputs[0].shape[1:]
    if not known or not str(inputs[0].dtype).startswith(("float", "bfloat")):
        raise ValueError(
            f"activation_maximization changes one input of floats whose shape is known, and model "
            f"{model.name!r} has none: it is a subclass without Input, or takes several inputs, "
            "text or integers."
        )
    return tuple(size for size in inputs[0].shape[1:] if size is not None)
