"""RMSprop: divides steps by the running root mean square of the gradient."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax

from lamina.optimizers.optimizer import LearningRate, Optimizer
from lamina.optimizers.update_parts import zeros_like


class RMSpropState(NamedTuple):
    velocity: list  # running mean of the squared gradient, one array per weight
    momentum: list  # running sum of the steps; empty without momentum
    average_gradient: list  # running mean of the gradient; empty unless centered


def rmsprop(
    rho: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-7, centered: bool = False
) -> optax.GradientTransformationExtraArgs:
    """The update rule of `RMSprop` as an optax transformation."""

    def running_mean(means: list, values: list) -> list:
        return [rho * m + (1 - rho) * x for m, x in zip(means, values, strict=True)]

    def init(weights: list) -> RMSpropState:
        zeros = zeros_like(weights)
        return RMSpropState(zeros, zeros if momentum else [], zeros if centered else [])

    def update(gradients, state, weights=None, *, learning_rate, step=None, **_):
        velocity = running_mean(state.velocity, [g * g for g in gradients])
        average = running_mean(state.average_gradient, gradients) if centered else []
        mean_square = (
            [v - a * a for v, a in zip(velocity, average, strict=True)] if centered else velocity
        )
        steps = [
            learning_rate * g / jnp.sqrt(s + epsilon)
            for g, s in zip(gradients, mean_square, strict=True)
        ]
        if momentum:
            steps = [momentum * m + s for m, s in zip(state.momentum, steps, strict=True)]
        return [-s for s in steps], RMSpropState(velocity, steps if momentum else [], average)

    return optax.GradientTransformationExtraArgs(init, update)


class RMSprop(Optimizer):
    """Divides every gradient by its running root mean square.

    Args:
        learning_rate: Approximate size of a step, in units of the weights.
        rho: Fraction of the mean squared gradient that is kept at every step, 0 to 1.
        momentum: Fraction of the last step that is added to the next, 0 to 1.
        epsilon: Added under the root, in units of the gradient squared. PyTorch adds it outside.
        centered: Divide by the standard deviation of the gradient, not its root mean square.
        **kwargs: `weight_decay`, `clipnorm`, …; see `Optimizer`.

    Source: Tieleman and Hinton, 2012, "Lecture 6.5: rmsprop", Coursera; centered: Graves, 2013,
    "Generating Sequences With Recurrent Neural Networks", arXiv:1308.0850.

    Example:
        >>> from lamina.core.variable.variable import Variable
        >>> weight = Variable([1.0])
        >>> RMSprop(learning_rate=0.1, rho=0.75).apply([jnp.array([4.0])], [weight])
        >>> round(float(weight[0]), 4)
        0.8
    """

    slot_order = (("velocity",), ("momentum",), ("average_gradient",))

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        if not 0 <= momentum <= 1:
            raise ValueError(f"RMSprop needs a momentum from 0 to 1; received {momentum!r}.")
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        return rmsprop(self.rho, self.momentum, self.epsilon, self.centered)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }
