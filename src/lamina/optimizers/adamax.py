"""Adamax: Adam with the infinity norm of recent gradients instead of the root mean square."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax

from lamina.optimizers.optimizer import LearningRate, Optimizer
from lamina.optimizers.update_parts import zeros_like


class AdamaxState(NamedTuple):
    momentum: list  # running mean of the gradient, one array per weight
    norm: list  # exponentially decayed maximum of absolute gradients


def adamax(
    beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7
) -> optax.GradientTransformationExtraArgs:
    """The update rule of `Adamax` as an optax transformation."""

    def init(weights: list) -> AdamaxState:
        zeros = zeros_like(weights)
        return AdamaxState(zeros, zeros)

    def update(gradients, state, weights=None, *, learning_rate, step, **_):
        correction = 1 - beta_1 ** (step + 1).astype(learning_rate.dtype)
        momentum = [
            m + (g - m) * (1 - beta_1) for m, g in zip(state.momentum, gradients, strict=True)
        ]
        norm = [
            jnp.maximum(beta_2 * u, jnp.abs(g)) for u, g in zip(state.norm, gradients, strict=True)
        ]
        changes = [
            -(learning_rate * m) / (correction * (u + epsilon))
            for m, u in zip(momentum, norm, strict=True)
        ]
        return changes, AdamaxState(momentum, norm)

    return optax.GradientTransformationExtraArgs(init, update)


class Adamax(Optimizer):
    """Adam that divides by the largest recent gradient; more stable for sparse gradients.

    Args:
        learning_rate: Approximate maximum size of a step, in units of the weights.
        beta_1: Fraction of the mean gradient that is kept at every step, 0 to 1.
        beta_2: Fraction of the largest gradient that is kept at every step, 0 to 1.
        epsilon: Added before dividing, in units of the gradient.
        **kwargs: `weight_decay`, `clipnorm`, …; see `Optimizer`.

    Source: Kingma and Ba, 2015, "Adam: A Method for Stochastic Optimization", section 7.1,
    arXiv:1412.6980.

    Example:
        >>> from lamina.core.variable.variable import Variable
        >>> weight = Variable([1.0, 2.0])
        >>> Adamax(learning_rate=0.1).apply([jnp.array([5.0, -0.5])], [weight])
        >>> [round(w, 4) for w in weight.numpy().tolist()]
        [0.9, 2.1]
    """

    slot_order = (("momentum", "norm"),)

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
        return adamax(self.beta_1, self.beta_2, self.epsilon)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
