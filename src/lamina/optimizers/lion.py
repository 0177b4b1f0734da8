"""Lion: steps by the sign of a running mean of the gradient."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax

from lamina.optimizers.optimizer import LearningRate, Optimizer
from lamina.optimizers.update_parts import zeros_like


class LionState(NamedTuple):
    momentum: list  # running mean of the gradient, one array per weight


def lion(beta_1: float = 0.9, beta_2: float = 0.99) -> optax.GradientTransformationExtraArgs:
    """The update rule of `Lion` as an optax transformation."""

    def init(weights: list) -> LionState:
        return LionState(zeros_like(weights))

    def update(gradients, state, weights=None, *, learning_rate, step=None, **_):
        changes = [
            -learning_rate * jnp.sign(m * beta_1 + g * (1 - beta_1))
            for m, g in zip(state.momentum, gradients, strict=True)
        ]
        momentum = [
            m * beta_2 + g * (1 - beta_2) for m, g in zip(state.momentum, gradients, strict=True)
        ]
        return changes, LionState(momentum)

    return optax.GradientTransformationExtraArgs(init, update)


class Lion(Optimizer):
    """Changes every weight by the same amount, up or down, with one slot instead of Adam's two.

    Its steps are larger than Adam's: use a learning rate 3 to 10 times smaller, and a weight decay
    larger by the same factor.

    Args:
        learning_rate: Size of a step, in units of the weights.
        beta_1: Fraction of the running mean in the direction of a step, above 0, up to 1.
        beta_2: Fraction of the running mean that is kept at every step, 0 to 1.
        **kwargs: `weight_decay`, `clipnorm`, …; see `Optimizer`.

    Source: Chen et al., 2023, "Symbolic Discovery of Optimization Algorithms", arXiv:2302.06675.

    Example:
        >>> from lamina.core.variable.variable import Variable
        >>> weight = Variable([1.0, 2.0])
        >>> Lion(learning_rate=0.5).apply([jnp.array([30.0, -0.1])], [weight])
        >>> weight.numpy().tolist()
        [0.5, 2.5]
    """

    slot_order = (("momentum",),)

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        if not 0 < beta_1 <= 1:
            raise ValueError(
                f"Lion needs a beta_1 above 0 and up to 1; received {beta_1!r}. With 0 it would "
                "follow the sign of the last gradient alone."
            )
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        return lion(self.beta_1, self.beta_2)

    def get_config(self) -> dict:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}
