"""Masking: marks the padding of sequences."""

from typing import Any

import jax.numpy as jnp

from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer import masking
from lamina.core.layer.layer import Layer
from lamina.core.serialization import registry
from lamina.core.types import Array, Shape
from lamina.layers.settings import same_dtype
from lamina.ops import numpy as ops


class Masking(Layer):
    """Masks time steps in which every feature equals `mask_value`; later layers skip them.

    Args:
        mask_value: The value of padding; or an array with a value for each feature.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: `(batch, time, ..., features)`.
    Output shape: Same as the input; padding becomes zeros.

    Raises:
        ValueError: If the input has no axis of features.

    Example:
        >>> from lamina.layers import GlobalAveragePooling1D
        >>> x = jnp.array([[[1.0], [3.0], [-1.0]]])
        >>> GlobalAveragePooling1D()(Masking(mask_value=-1.0)(x)).tolist()
        [[2.0]]
    """

    def __init__(self, mask_value: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.mask_value = registry.deserialize(mask_value)
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        """Set steps whose features all equal the mask value to 0, and mask them for later layers.

        Args:
            inputs: Array `(batch, steps, ..., features)`.

        Returns:
            Array of the same shape.
        """
        self._check(inputs.shape)
        steps = self._unmasked_steps(inputs)
        outputs = jnp.where(steps[..., None], inputs, jnp.zeros((), inputs.dtype))
        masking.set_mask(outputs, steps)
        return outputs

    def compute_mask(self, inputs: Array, previous_mask: Any = None) -> Any:
        if isinstance(inputs, KerasTensor):
            # Computed symbolically, so that a model may return the mask.
            return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)
        return self._unmasked_steps(inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check(input_shape)
        return input_shape

    def compute_output_spec(self, inputs: KerasTensor) -> KerasTensor:
        return same_dtype(self, inputs, self.compute_output_shape(inputs.shape))

    def get_config(self) -> dict:
        return {**super().get_config(), "mask_value": registry.serialize(self.mask_value)}

    def _unmasked_steps(self, inputs: Array) -> Array:
        return jnp.any(inputs != self.mask_value, axis=-1)

    def _check(self, shape: Shape) -> None:
        if len(shape) < 2:
            raise ValueError(
                f"{self._label} needs inputs (batch, time, features) and received shape "
                f"{tuple(shape)}.\n  Fix: x[..., None] makes one feature of one number per step."
            )
