"""Ftrl: follow the regularized leader, which gives sparse weights."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax

from lamina.core.types import Array
from lamina.optimizers.optimizer import LearningRate, Optimizer
from lamina.optimizers.update_parts import zeros_like


class FtrlState(NamedTuple):
    accumulator: list  # sum of the squared gradients, one array per weight
    linear: list  # sum of the gradients, corrected for the weights at the time


def ftrl(
    learning_rate_power: float = -0.5,
    initial_accumulator_value: float = 0.1,
    l1: float = 0.0,
    l2: float = 0.0,
    l2_shrinkage: float = 0.0,
    beta: float = 0.0,
) -> optax.GradientTransformationExtraArgs:
    """The update rule of `Ftrl` as an optax transformation, with the arguments of the class."""

    def init(weights: list) -> FtrlState:
        initial_sums = [np.full(w.shape, initial_accumulator_value, w.dtype) for w in weights]
        return FtrlState(initial_sums, zeros_like(weights))

    def update_weight(
        g: Array, n: Array, z: Array, w: Array, rate: Array
    ) -> tuple[Array, Array, Array]:
        total = n + g * g
        new_power, old_power = total**-learning_rate_power, n**-learning_rate_power
        z = z + (g + 2 * l2_shrinkage * w) - (new_power - old_power) / rate * w
        curvature = new_power / rate + 2 * (l2 + beta / (2 * rate))
        return (jnp.clip(z, -l1, l1) - z) / curvature - w, total, z

    def update(gradients, state, weights, *, learning_rate, step=None, **_):
        results = [
            update_weight(g, n, z, w, learning_rate)
            for g, n, z, w in zip(gradients, *state, weights, strict=True)
        ]
        changes, accumulator, linear = (list(column) for column in zip(*results, strict=True))
        return changes, FtrlState(accumulator, linear)

    return optax.GradientTransformationExtraArgs(init, update)


class Ftrl(Optimizer):
    """Follow the regularized leader: for linear models on many sparse features.

    Every step computes the weights that would have been best for all gradients so far; most are
    exactly zero. The initial weights have no effect.

    Args:
        learning_rate: Approximate size of the first steps, in units of the weights.
        learning_rate_power: How steps shrink with the sum of squared gradients; 0 for
            constant steps, -0.5 for its root. 0 or less.
        initial_accumulator_value: Initial sum of squares, 0 or more.
        l1_regularization_strength: Gradient sums smaller than this leave a weight at zero.
        l2_regularization_strength: Strength of a quadratic penalty, which is constant over time.
        l2_shrinkage_regularization_strength: Strength of a quadratic penalty at every step.
        beta: The paper's β, which reduces the first steps.
        **kwargs: `weight_decay`, `clipnorm`, …; see `Optimizer`.

    Source: McMahan et al., 2013, "Ad Click Prediction: a View from the Trenches", KDD.

    Example:
        >>> from lamina.core.variable.variable import Variable
        >>> weight = Variable([1.0, 1.0])
        >>> Ftrl(learning_rate=0.1, l1_regularization_strength=5.0).apply(
        ...     [jnp.array([0.1, -80.0])], [weight])
        >>> [round(w, 2) for w in weight.numpy().tolist()]
        [0.0, 1.09]
    """

    slot_order = (("accumulator", "linear"),)

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        if learning_rate_power > 0:
            raise ValueError(
                f"Ftrl needs a learning_rate_power of 0 or less; received {learning_rate_power!r}."
            )
        for name, value in (
            ("initial_accumulator_value", initial_accumulator_value),
            ("l1_regularization_strength", l1_regularization_strength),
            ("l2_regularization_strength", l2_regularization_strength),
            ("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength),
        ):
            if value < 0:
                raise ValueError(f"Ftrl needs a {name} of 0 or more; received {value!r}.")
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        return ftrl(*self._arguments().values())

    def get_config(self) -> dict:
        return {**super().get_config(), **self._arguments()}

    def _arguments(self) -> dict[str, float]:
        return {
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
            "l2_shrinkage_regularization_strength": self.l2_shrinkage_regularization_strength,
            "beta": self.beta,
        }
