"""RMSNormalization and UnitNormalization: vectors of root mean square 1, or of norm 1."""

from collections.abc import Sequence
from typing import Any

from lamina.core.layer.layer import Layer
from lamina.core.types import Array, Shape
from lamina.layers.normalization import check_axes, check_single_axis, sort_axes
from lamina.layers.settings import settings_of
from lamina.ops import nn


class RMSNormalization(Layer):
    """Divides every vector by its root mean square, then multiplies by a learned scale.

    Layer normalisation without subtracting the mean, as used in most language models.

    Args:
        axis: The axis of the vectors, or several.
        epsilon: Added to the mean square, so that the division stays finite.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input.

    Source: Zhang and Sennrich, 2019, "Root Mean Square Layer Normalization", arXiv:1910.07467.

    Example:
        >>> import jax.numpy as jnp
        >>> RMSNormalization()(jnp.array([[1.0, -1.0], [30.0, 30.0]])).round(3).tolist()
        [[1.0, -1.0], [1.0, 1.0]]
    """

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = _check_axis(axis)
        self.epsilon = epsilon

    def build(self, input_shape: Shape) -> None:
        # The axes are a list, as in a built layer of Keras and in its files.
        self._check(input_shape)
        self.axis = sort_axes(_as_list(self.axis), input_shape)
        shape = tuple(input_shape[axis] for axis in self.axis)
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones")

    def call(self, inputs: Array) -> Array:
        """Divide by the root of the mean square along the axis, then scale.

        Args:
            inputs: Array `(batch, ..., features)`.

        Returns:
            Array of the same shape.
        """
        self._check(inputs.shape)
        axes = _as_list(self.axis)
        return nn.rms_normalization(inputs, self.scale.value, axes, self.epsilon)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check(input_shape)
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "axis", "epsilon")}

    def _check(self, shape: Shape) -> None:
        axes = _as_list(self.axis)
        check_axes(self, axes, shape)
        sizes = tuple(shape[axis] for axis in axes)
        if self.built and None not in sizes and sizes != self.scale.shape:
            raise ValueError(
                f"{self._label} was built for size {self.scale.shape} on axis {axes} and received "
                f"an input of shape {tuple(shape)}."
            )


class UnitNormalization(Layer):
    """Divides every vector by its Euclidean norm, which keeps only its direction.

    Args:
        axis: The axis of the vectors, or several.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any. A vector of zeros is not changed.
    Output shape: Same as the input.

    Example:
        >>> import jax.numpy as jnp
        >>> UnitNormalization()(jnp.array([[0.0, 5.0], [-2.0, 0.0]])).tolist()
        [[0.0, 1.0], [-1.0, 0.0]]
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = _check_axis(axis)
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        """Divide by the length of the vectors along the axis.

        Args:
            inputs: Array `(batch, ..., features)`.

        Returns:
            Array of the same shape.
        """
        check_axes(self, _as_list(self.axis), inputs.shape)
        return nn.normalize(inputs, _as_list(self.axis), order=2, epsilon=1e-12)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_axes(self, _as_list(self.axis), input_shape)
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "axis")}


def _check_axis(axis: Any) -> int | list[int]:
    return (
        [check_single_axis(a) for a in axis]
        if isinstance(axis, (list, tuple))
        else check_single_axis(axis)
    )


def _as_list(axis: int | list[int]) -> list[int]:
    return [axis] if isinstance(axis, int) else list(axis)
