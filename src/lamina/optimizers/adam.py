"""Adam: steps scaled by running means of the gradient and of its square."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax

from lamina.core.types import Array
from lamina.core.variable.stateless import values_of
from lamina.core.variable.variable import Variable
from lamina.ops.adam_rule import step_size, update as update_of_weight
from lamina.ops.lowering import run_lowering
from lamina.optimizers.optimizer import LearningRate, Optimizer
from lamina.optimizers.update_parts import zeros_like


class AdamState(NamedTuple):
    momentum: list  # running mean of the gradient, one array per weight
    velocity: list  # running mean of its square
    velocity_hat: list  # highest velocity so far; empty unless AMSGrad


def adam(
    beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7, amsgrad: bool = False
) -> optax.GradientTransformationExtraArgs:
    """The update rule of `Adam` as an optax transformation.

    `optax.adam` adds `epsilon` to the root of the *corrected* velocity. Here, as in Keras, both
    corrections are part of the step size, so the same `epsilon` has a slightly different effect.
    """

    def init(weights: list) -> AdamState:
        zeros = zeros_like(weights)
        return AdamState(zeros, zeros, zeros if amsgrad else [])

    def update(gradients, state, weights=None, *, learning_rate, step, **_):
        size = step_size(learning_rate, step, beta_1, beta_2)
        settings = float(beta_1), float(beta_2), float(epsilon)
        highest = state.velocity_hat if amsgrad else [None] * len(gradients)
        results = [
            update_of_weight(*arrays, size, *settings)
            for arrays in zip(gradients, state.momentum, state.velocity, highest, strict=True)
        ]
        changes, momentum, velocity, highest = (
            [results_of_weight[i] for results_of_weight in results] for i in range(4)
        )
        return changes, AdamState(momentum, velocity, highest if amsgrad else [])

    return optax.GradientTransformationExtraArgs(init, update)


class Adam(Optimizer):
    """Scales the step of every weight by running means of its gradient and of its square.

    Args:
        learning_rate: Approximate size of a step, in units of the weights.
        beta_1: Fraction of the mean gradient that is kept at every step, 0 to 1.
        beta_2: Fraction of the mean squared gradient that is kept at every step, 0 to 1.
        epsilon: Added to the root before dividing, in units of the gradient. This is the
            "epsilon hat" of the paper, before section 2.1; `optax.adam` uses the other one.
        amsgrad: Divide by the highest mean square so far.
        **kwargs: `weight_decay`, `clipnorm`, …; see `Optimizer`.

    Source: Kingma and Ba, 2015, "Adam: A Method for Stochastic Optimization", arXiv:1412.6980;
    AMSGrad: Reddi, Kale and Kumar, 2018, "On the Convergence of Adam and Beyond",
    arXiv:1904.09237.

    Example:
        >>> from lamina.core.variable.variable import Variable
        >>> weight = Variable([1.0, 2.0])
        >>> Adam(learning_rate=0.1).apply([jnp.array([5.0, -0.5])], [weight])
        >>> [round(w, 4) for w in weight.numpy().tolist()]
        [0.9, 2.1]
    """

    slot_order = (("momentum", "velocity"), ("velocity_hat",))

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad

    def _update_weights(self, gradients: list[Array], variables: list[Variable]) -> None:
        uses_adam_rule = type(self).transformation is Adam.transformation and not self.amsgrad
        if not uses_adam_rule or self._has_own_update_step():
            return super()._update_weights(gradients, variables)
        momenta, velocities = (
            [self._slots[name][id(v)] for v in variables] for name in ("momentum", "velocity")
        )
        rate = jnp.asarray(self.learning_rate)
        updated = run_lowering(
            "adam",
            (values_of(variables), values_of(momenta), values_of(velocities)),
            self._clip_gradients(gradients),
            rate,
            jnp.asarray(self.iterations),
            self.beta_1,
            self.beta_2,
            self.epsilon,
            [self._decay_unless_excluded(v) for v in variables],
        )
        for group, values in zip((variables, momenta, velocities), updated, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        return adam(self.beta_1, self.beta_2, self.epsilon, self.amsgrad)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }
