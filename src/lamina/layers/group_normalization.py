"""GroupNormalization: normalises groups of channels within every sample."""

from typing import Any

import jax.numpy as jnp
from jax import lax

from lamina import constraints, initializers, regularizers
from lamina.core.layer.layer import Layer
from lamina.core.types import Array, ConstraintLike, InitializerLike, RegularizerLike, Shape
from lamina.layers.normalization import AFFINE, affine_weights, check_axes, check_single_axis
from lamina.layers.settings import settings_of
from lamina.ops import nn


class GroupNormalization(Layer):
    """Normalises groups of channels within every sample, then scales and shifts every channel.

    Independent of the batch size. One group is layer normalisation over all axes, as many groups
    as channels is instance normalisation.

    Args:
        groups: Number of groups, by which the channels can be divided; -1 for one per channel.
        axis: The axis of the channels.
        epsilon: Added to the variance, so that the division stays finite.
        center: Whether a learned `beta` is added.
        scale: Whether a learned `gamma` multiplies.
        beta_initializer, gamma_initializer: Initializers of beta and gamma.
        beta_regularizer, gamma_regularizer: Penalties, added to the loss.
        beta_constraint, gamma_constraint: Constraints on beta and gamma, applied after every
            update.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Input shape: Any with a batch and a channel axis.
    Output shape: Same as the input.

    Raises:
        ValueError: If the channels cannot be divided into so many groups.

    Source: Wu and He, 2018, "Group Normalization", arXiv:1803.08494.

    Example:
        >>> x = jnp.array([[1.0, 3.0, 10.0, 30.0]])
        >>> GroupNormalization(groups=2)(x).round(2).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if isinstance(groups, bool) or not isinstance(groups, int) or (groups < 1 and groups != -1):
            raise ValueError(
                "GroupNormalization: groups must be an integer of 1 or more, or -1 for one per "
                f"channel; received {groups!r}."
            )
        self.groups = groups
        self.axis = check_single_axis(axis)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True
        self.autocast = False  # computed in float32, then cast

    def build(self, input_shape: Shape) -> None:
        self._check(input_shape)
        channels = input_shape[self.axis]
        if self.groups == -1 and channels is not None:
            self.groups = channels  # as in Keras's configs and files
        self.gamma, self.beta = affine_weights(self, (channels,))

    def call(self, inputs: Array) -> Array:
        """Normalise every group of channels of every sample, then scale and shift.

        Args:
            inputs: Array `(batch, ..., channels)`; `axis` says where the channels are.

        Returns:
            Array of the same shape.
        """
        self._check(inputs.shape)
        axis = self.axis % inputs.ndim
        channels = inputs.shape[axis]
        group_sizes = (self.groups, channels // self.groups)
        x = inputs.astype(jnp.promote_types(inputs.dtype, "float32"))
        x = x.reshape(*inputs.shape[:axis], *group_sizes, *inputs.shape[axis + 1 :])
        other_axes = [a for a in range(1, x.ndim) if a != axis]
        mean, variance = nn.moments(x, other_axes, keepdims=True)
        factor_shape = [1] * x.ndim
        factor_shape[axis : axis + 2] = group_sizes
        factor = lax.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor = factor * self.gamma.value.reshape(factor_shape)
        shift = -mean * factor
        if self.beta is not None:
            shift = shift + self.beta.value.reshape(factor_shape)
        return (x * factor + shift).reshape(inputs.shape).astype(self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check(input_shape)
        return input_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            **settings_of(self, "groups", "axis", "epsilon", "center", "scale", *AFFINE),
        }

    def _check(self, shape: Shape) -> None:
        check_axes(self, [self.axis], shape)
        if self.axis % len(shape) == 0:
            raise ValueError(
                f"{self._label}: axis {self.axis} is the batch, not the channels, of an input of "
                f"shape {tuple(shape)}."
            )
        channels = shape[self.axis]
        if channels is not None and channels % self.groups:
            raise ValueError(
                f"{self._label}: {channels} channels cannot be divided into {self.groups} groups."
                f"\n  Received: an input of shape {tuple(shape)}; axis {self.axis} counts the "
                "channels.\n  Fix: a number of groups by which they can be divided."
            )
