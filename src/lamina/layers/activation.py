"""Activation functions as layers."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina import activations, constraints, initializers, regularizers
from lamina.core.layer.input_spec import InputSpec
from lamina.core.layer.layer import Layer
from lamina.core.types import (
    ActivationLike,
    Array,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Shape,
)
from lamina.core.user_data.arguments import is_number
from lamina.layers.settings import settings_of


class Activation(Layer):
    """Applies an activation function to every value.

    Args:
        activation: Name or function.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Example:
        >>> Activation("relu")(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    def __init__(self, activation: ActivationLike, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        """Apply the function to every value.

        Args:
            inputs: Array of any shape.

        Returns:
            Array of the same shape.
        """
        return activations.get(self.activation)(inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "activation")}


class ReLU(Layer):
    """`max(x, 0)`, or a variation of it; see `lamina.activations.relu`.

    Args:
        max_value: Upper limit of the output, or None.
        negative_slope: Slope below the threshold, 0 or more.
        threshold: Values below it become 0, or are scaled by `negative_slope`; 0 or more.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Example:
        >>> ReLU(max_value=6)(jnp.array([-1.0, 2.0, 9.0])).tolist()
        [0.0, 2.0, 6.0]
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.max_value = (
            max_value if max_value is None else _check_not_negative("max_value", max_value)
        )
        self.negative_slope = _check_not_negative("negative_slope", negative_slope)
        self.threshold = _check_not_negative("threshold", threshold)
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        """Apply the activation to every value.

        Args:
            inputs: Array of any shape.

        Returns:
            Array of the same shape.
        """
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict:
        settings = settings_of(self, "max_value", "negative_slope", "threshold")
        return {**super().get_config(), **settings}


class LeakyReLU(Layer):
    """`x` where it is positive, `negative_slope * x` elsewhere; its gradient is never 0.

    Args:
        negative_slope: Slope of the negative side, 0 or more. Keras 2 calls it `alpha`.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Source: Maas et al., 2013, "Rectifier Nonlinearities Improve Neural Network Acoustic Models".

    Example:
        >>> LeakyReLU(0.5)(jnp.array([-1.0, 2.0])).tolist()
        [-0.5, 2.0]
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any):
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        self.negative_slope = _check_not_negative("negative_slope", negative_slope)
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        """Apply the activation to every value.

        Args:
            inputs: Array of any shape.

        Returns:
            Array of the same shape.
        """
        return activations.leaky_relu(inputs, self.negative_slope)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "negative_slope")}


class PReLU(Layer):
    """`x` where it is positive, `alpha * x` elsewhere, with a learned `alpha` for every position.

    Args:
        alpha_initializer: Initializer of the slopes.
        alpha_regularizer: Penalty on the slopes, added to the loss.
        alpha_constraint: Constraint of the slopes, applied after every update.
        shared_axes: Axes along which all positions share one slope; `(1, 2)` after a Conv2D
            gives one slope per channel.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Input shape: `(batch, ...)`.
    Output shape: Same as the input.

    Source: He et al., 2015, "Delving Deep into Rectifiers", arXiv:1502.01852.

    Example:
        >>> PReLU(alpha_initializer="ones")(jnp.array([[-1.0, 2.0]])).tolist()
        [[-1.0, 2.0]]
    """

    def __init__(
        self,
        alpha_initializer: InitializerLike = "Zeros",
        alpha_regularizer: RegularizerLike = None,
        alpha_constraint: ConstraintLike = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        if isinstance(shared_axes, int):
            shared_axes = [shared_axes]
        self.shared_axes = None if shared_axes is None else list(shared_axes)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        shared = self.shared_axes or []
        sizes = {
            axis: 1 if axis in shared else input_shape[axis] for axis in range(1, len(input_shape))
        }
        unknown = [axis for axis, size in sizes.items() if size is None]
        if unknown:
            raise ValueError(
                f"{self._label} has a slope for every position and received shape "
                f"{tuple(input_shape)}.\n  Fix: give axis {unknown[0]} a size, or share its "
                f"slopes: PReLU(shared_axes={unknown})."
            )
        self.alpha = self.add_weight(
            name="alpha",
            shape=tuple(sizes.values()),
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        fixed_sizes = {axis: size for axis, size in sizes.items() if axis not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=fixed_sizes)

    def call(self, inputs: Array) -> Array:
        """Apply the activation to every value.

        Args:
            inputs: Array of any shape.

        Returns:
            Array of the same shape.
        """
        return jax.nn.relu(inputs) - self.alpha.value * jax.nn.relu(-inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            **settings_of(self, "alpha_initializer", "alpha_regularizer"),
            **settings_of(self, "alpha_constraint", "shared_axes"),
        }


class ELU(Layer):
    """`x` where it is positive, `alpha * (exp(x) - 1)` elsewhere.

    Args:
        alpha: The limit for large negative values is `-alpha`.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Source: Clevert et al., 2015, "Fast and Accurate Deep Network Learning by Exponential Linear
    Units", arXiv:1511.07289.

    Example:
        >>> ELU()(jnp.array([0.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.alpha = alpha
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        """Apply the activation to every value.

        Args:
            inputs: Array of any shape.

        Returns:
            Array of the same shape.
        """
        return activations.elu(inputs, self.alpha)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "alpha")}


class Softmax(Layer):
    """Softmax: turns numbers along an axis into probabilities.

    Args:
        axis: One axis or several.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any. The probability is 0 where a mask, of a shape that broadcasts to the input, is
    False.
    Output shape: Same as the input.

    Example:
        >>> Softmax()(jnp.array([0.0, 0.0]), mask=jnp.array([True, False])).tolist()
        [1.0, 0.0]
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True

    def call(self, inputs: Array, mask: Any = None) -> Array:
        """Apply the softmax along the axis.

        Args:
            inputs: Array of any shape.
            mask: True (or above 0.5) for the values to include, of a shape that broadcasts to the
                inputs; None for all.

        Returns:
            Array of the same shape.

        Raises:
            ValueError: If the mask does not fit.
        """
        axis = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        if mask is None:
            return activations.softmax(inputs, axis)
        mask = jnp.asarray(mask)
        if mask.dtype != bool:
            mask = mask > 0.5
        try:
            mask = jnp.broadcast_to(mask, inputs.shape)
        except ValueError:
            raise ValueError(
                f"{self._label}: a mask of shape {mask.shape} does not fit inputs of shape "
                f"{inputs.shape}.\n  Fix: give the mask the shape of the inputs, or size 1 on "
                "the axes along which it is constant."
            ) from None
        # Not minus infinity, because the softmax would be NaN where all values are masked.
        minimum = -3e4 if inputs.dtype == "float16" else -1e9
        probabilities = activations.softmax(jnp.where(mask, inputs, minimum), axis)
        return jnp.where(mask, probabilities, 0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "axis")}


def _check_not_negative(name: str, value: Any) -> float:
    if not is_number(value) or value < 0:
        raise ValueError(f"{name} must be a number of 0 or more; received {value!r}.")
    return value
