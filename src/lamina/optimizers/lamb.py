"""Lamb: Adam with steps proportional to the norm of each weight array."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax

from lamina.core.types import Array
from lamina.optimizers.optimizer import LearningRate, Optimizer
from lamina.optimizers.update_parts import zeros_like


class LambState(NamedTuple):
    momentum: list  # running mean of the gradient, one array per weight
    velocity: list  # running mean of its square


def lamb(
    beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7
) -> optax.GradientTransformationExtraArgs:
    """The update rule of `Lamb` as an optax transformation."""

    def trust_ratio(weight: Array, direction: Array) -> Array:
        weight_norm, direction_norm = jnp.sqrt(jnp.sum(weight**2)), jnp.sqrt(jnp.sum(direction**2))
        are_nonzero = (weight_norm > 0) & (direction_norm > 0)
        return jnp.where(are_nonzero, weight_norm / jnp.where(are_nonzero, direction_norm, 1), 1)

    def init(weights: list) -> LambState:
        zeros = zeros_like(weights)
        return LambState(zeros, zeros)

    def update(gradients, state, weights, *, learning_rate, step, **_):
        count = (step + 1).astype(learning_rate.dtype)
        momentum = [
            m + (g - m) * (1 - beta_1) for m, g in zip(state.momentum, gradients, strict=True)
        ]
        velocity = [
            v + (g * g - v) * (1 - beta_2) for v, g in zip(state.velocity, gradients, strict=True)
        ]
        directions = [
            m / (1 - beta_1**count) / (jnp.sqrt(v / (1 - beta_2**count)) + epsilon)
            for m, v in zip(momentum, velocity, strict=True)
        ]
        changes = [
            -(trust_ratio(w, d) * learning_rate * d)
            for w, d in zip(weights, directions, strict=True)
        ]
        return changes, LambState(momentum, velocity)

    return optax.GradientTransformationExtraArgs(init, update)


class Lamb(Optimizer):
    """Adam for very large batches: steps are a fraction of the L2 norm of each weight array.

    The direction of a step is Adam's; its length is `learning_rate` times the norm of the array
    that it changes. For an array of zeros the step is that of Adam.

    Args:
        learning_rate: Size of a step, as a fraction of the norm of the weights.
        beta_1: Fraction of the mean gradient that is kept at every step, 0 to 1.
        beta_2: Fraction of the mean squared gradient that is kept at every step, 0 to 1.
        epsilon: Added to the root before dividing, in units of the gradient.
        **kwargs: `weight_decay`, `clipnorm`, …; see `Optimizer`.

    Source: You et al., 2020, "Large Batch Optimization for Deep Learning: Training BERT in 76
    minutes", arXiv:1904.00962.

    Example:
        >>> from lamina.core.variable.variable import Variable
        >>> weight = Variable([3.0, 4.0])
        >>> Lamb(learning_rate=0.1).apply([jnp.array([1.0, 0.0])], [weight])
        >>> [round(w, 3) for w in weight.numpy().tolist()]
        [2.5, 4.0]
    """

    slot_order = (("momentum", "velocity"),)

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        return lamb(self.beta_1, self.beta_2, self.epsilon)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
