"""Nadam: Adam with Nesterov momentum."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax

from lamina.core.types import ArrayLike
from lamina.optimizers.optimizer import LearningRate, Optimizer
from lamina.optimizers.update_parts import zeros_like


class NadamState(NamedTuple):
    momentum: list  # running mean of the gradient, one array per weight
    velocity: list  # running mean of its square
    u_product: ArrayLike  # product of the momentum coefficients of all steps so far


def nadam(
    beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7
) -> optax.GradientTransformationExtraArgs:
    """The update rule of `Nadam` as an optax transformation.

    The momentum coefficient rises from half of `beta_1` to `beta_1`:
    `u(t) = beta_1 * (1 - 0.5 * 0.96 ** t)`.
    """

    def init(weights: list) -> NadamState:
        zeros = zeros_like(weights)
        return NadamState(zeros, zeros, np.ones((), weights[0].dtype if weights else "float32"))

    def update(gradients, state, weights=None, *, learning_rate, step, **_):
        count = (step + 1).astype(learning_rate.dtype)
        # Rounded first, as in Keras: in float32, 1 - 0.999 differs from 0.001 in the fifth digit.
        decay_1, decay_2 = (jnp.asarray(beta, count.dtype) for beta in (beta_1, beta_2))
        u = decay_1 * (1 - 0.5 * 0.96**count)
        u_next = decay_1 * (1 - 0.5 * 0.96 ** (count + 1))
        product = state.u_product * u
        momentum_share = u_next / (1 - product * u_next)
        gradient_share = (1 - u) / (1 - product)
        correction = 1 - decay_2**count
        momentum = [
            m + (g - m) * (1 - decay_1) for m, g in zip(state.momentum, gradients, strict=True)
        ]
        velocity = [
            v + (g * g - v) * (1 - decay_2) for v, g in zip(state.velocity, gradients, strict=True)
        ]
        changes = [
            -learning_rate
            * (momentum_share * m + gradient_share * g)
            / (jnp.sqrt(v / correction) + epsilon)
            for m, v, g in zip(momentum, velocity, gradients, strict=True)
        ]
        return changes, NadamState(momentum, velocity, product)

    return optax.GradientTransformationExtraArgs(init, update)


class Nadam(Optimizer):
    """Adam with Nesterov momentum.

    Args:
        learning_rate: Approximate size of a step, in units of the weights.
        beta_1: Fraction of the mean gradient that is kept at every step, 0 to 1.
        beta_2: Fraction of the mean squared gradient that is kept at every step, 0 to 1.
        epsilon: Added to the root before dividing, in units of the gradient.
        **kwargs: `weight_decay`, `clipnorm`, …; see `Optimizer`.

    Source: Dozat, 2016, "Incorporating Nesterov Momentum into Adam", ICLR workshop.

    Example:
        >>> from lamina.core.variable.variable import Variable
        >>> weight = Variable([1.0])
        >>> Nadam(learning_rate=0.1).apply([jnp.array([5.0])], [weight])
        >>> bool(0.85 < weight[0] < 0.95)
        True
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
        return nadam(self.beta_1, self.beta_2, self.epsilon)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
