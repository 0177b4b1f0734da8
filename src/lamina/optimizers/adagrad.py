"""Adagrad: divides steps by the root of the sum of all squared gradients."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from lamina.optimizers.optimizer import LearningRate, Optimizer


class AdagradState(NamedTuple):
    accumulator: list  # sum of the squared gradients, one array per weight


def adagrad(
    initial_accumulator_value: float = 0.1, epsilon: float = 1e-7
) -> optax.GradientTransformationExtraArgs:
    """The update rule of `Adagrad` as an optax transformation."""

    def init(weights: list) -> AdagradState:
        def initial_value(weight):
            return np.full(weight.shape, initial_accumulator_value, weight.dtype)

        return AdagradState(jax.tree.map(initial_value, weights))

    def update(gradients, state, weights=None, *, learning_rate, step=None, **_):
        sums = [a + g * g for a, g in zip(state.accumulator, gradients, strict=True)]
        changes = [
            -(learning_rate * g) / jnp.sqrt(a + epsilon)
            for g, a in zip(gradients, sums, strict=True)
        ]
        return changes, AdagradState(sums)

    return optax.GradientTransformationExtraArgs(init, update)


class Adagrad(Optimizer):
    """Gives weights with rare gradients larger steps.

    Every gradient is divided by the root of the sum of its squares so far, so steps decrease over
    time. It is meant for sparse features.

    Args:
        learning_rate: Approximate size of the first steps, in units of the weights.
        initial_accumulator_value: Initial sum of squares, 0 or more.
        epsilon: Added under the root, in units of the gradient squared.
        **kwargs: `weight_decay`, `clipnorm`, …; see `Optimizer`.

    Source: Duchi, Hazan and Singer, 2011, "Adaptive Subgradient Methods for Online Learning and
    Stochastic Optimization", JMLR 12.

    Example:
        >>> from lamina.core.variable.variable import Variable
        >>> weight = Variable([1.0])
        >>> Adagrad(learning_rate=0.1, initial_accumulator_value=9.0).apply(
        ...     [jnp.array([4.0])], [weight])
        >>> round(float(weight[0]), 4)
        0.92
    """

    slot_order = (("accumulator",),)

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        if initial_accumulator_value < 0:
            raise ValueError(
                "Adagrad needs an initial_accumulator_value of 0 or more; received "
                f"{initial_accumulator_value!r}."
            )
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        return adagrad(self.initial_accumulator_value, self.epsilon)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }
