"""Adadelta: scales steps by the ratio of previous steps to previous gradients."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax

from lamina.optimizers.optimizer import LearningRate, Optimizer
from lamina.optimizers.update_parts import zeros_like


class AdadeltaState(NamedTuple):
    accumulated_grad: list  # running mean of the squared gradient, one array per weight
    accumulated_delta_var: list  # running mean of the squared steps


def adadelta(rho: float = 0.95, epsilon: float = 1e-7) -> optax.GradientTransformationExtraArgs:
    """The update rule of `Adadelta` as an optax transformation."""

    def init(weights: list) -> AdadeltaState:
        zeros = zeros_like(weights)
        return AdadeltaState(zeros, zeros)

    def update(gradients, state, weights=None, *, learning_rate, step=None, **_):
        def running_mean(means: list, values: list) -> list:
            return [rho * m + (1 - rho) * v * v for m, v in zip(means, values, strict=True)]

        squares = running_mean(state.accumulated_grad, gradients)
        steps = [
            -(jnp.sqrt(d + epsilon) * g) / jnp.sqrt(s + epsilon)
            for d, g, s in zip(state.accumulated_delta_var, gradients, squares, strict=True)
        ]
        moves = running_mean(state.accumulated_delta_var, steps)
        return [learning_rate * s for s in steps], AdadeltaState(squares, moves)

    return optax.GradientTransformationExtraArgs(init, update)


class Adadelta(Optimizer):
    """Scales each step by the size of previous steps, so that it depends little on a learning rate.

    `step = -rms(steps so far) / rms(gradients so far) * gradient`. The paper has no learning
    rate: `learning_rate=1.0` is its rule, and the default is much slower.

    Args:
        learning_rate: Fraction of the step that is taken.
        rho: Fraction of both running means that is kept at every step, 0 to 1.
        epsilon: Added under both roots; it also determines the size of the first steps.
        **kwargs: `weight_decay`, `clipnorm`, …; see `Optimizer`.

    Source: Zeiler, 2012, "ADADELTA: An Adaptive Learning Rate Method", arXiv:1212.5701.

    Example:
        >>> from lamina.core.variable.variable import Variable
        >>> weight = Variable([1.0])
        >>> Adadelta(learning_rate=1.0, epsilon=0.01).apply([jnp.array([2.0])], [weight])
        >>> bool(0.5 < weight[0] < 0.6)
        True
    """

    slot_order = (("accumulated_grad", "accumulated_delta_var"),)

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.rho = rho
        self.epsilon = epsilon

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        return adadelta(self.rho, self.epsilon)

    def get_config(self) -> dict:
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}
