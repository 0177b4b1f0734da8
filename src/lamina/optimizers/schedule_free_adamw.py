"""ScheduleFreeAdamW: AdamW with averaging instead of a learning rate schedule."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax

from lamina.core.types import Array
from lamina.core.variable.variable import Variable
from lamina.optimizers.optimizer import LearningRate, Optimizer
from lamina.optimizers.update_parts import zeros_like


class ScheduleFreeState(NamedTuple):
    momentum: list  # the iterate of the steps; starts as a copy of the weights
    velocity: list  # running mean of the squared gradient


def schedule_free_adamw(
    beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8, warmup_steps: int = 0
) -> optax.GradientTransformationExtraArgs:
    """The update rule of `ScheduleFreeAdamW` as an optax transformation.

    There are three points: steps change `z`, `x` is the mean of all `z`, and the weights are
    `y = (1 - beta_1) z + beta_1 x`. Only `z` is stored; `x` follows from the other two.
    """

    def init(weights: list) -> ScheduleFreeState:
        return ScheduleFreeState([np.array(w) for w in weights], zeros_like(weights))

    def update(gradients, state, weights, *, learning_rate, step, **_):
        count = (step + 1).astype(learning_rate.dtype)
        # Rounded first, as in Keras: in float32, 1 - 0.999 differs from 0.001 in the fifth digit.
        decay_1, decay_2 = (jnp.asarray(beta, count.dtype) for beta in (beta_1, beta_2))
        rate = learning_rate
        if warmup_steps > 0:
            rate = rate * jnp.minimum(count / warmup_steps, 1.0)
        velocity = [
            v + (g * g - v) * (1 - decay_2) for v, g in zip(state.velocity, gradients, strict=True)
        ]
        changes, iterates = [], []
        for g, v, z, y in zip(gradients, velocity, state.momentum, weights, strict=True):
            mean = (y - (1 - decay_1) * z) / decay_1
            z = z - rate * g / (jnp.sqrt(v / (1 - decay_2**count)) + epsilon)
            mean = (1 - 1 / count) * mean + z / count
            changes.append((1 - decay_1) * z + decay_1 * mean - y)
            iterates.append(z)
        return changes, ScheduleFreeState(iterates, velocity)

    return optax.GradientTransformationExtraArgs(init, update)


class ScheduleFreeAdamW(Optimizer):
    """AdamW that averages its iterates instead of using a learning rate schedule.

    It performs like a cosine decay, and training may stop at any time.

    Args:
        learning_rate: Approximate size of a step, in units of the weights.
        beta_1: Where gradients are taken: 0 at the last point, 1 at the mean of all. Above 0.
        beta_2: Fraction of the mean squared gradient that is kept at every step, 0 to 1.
        epsilon: Added to the root before dividing, in units of the gradient.
        warmup_steps: Number of steps over which the rate rises to `learning_rate`.
        **kwargs: `weight_decay`, `clipnorm`, …; see `Optimizer`.

    Source: Defazio et al., 2024, "The Road Less Scheduled", arXiv:2405.15682. The weights that a
    model is left with are `y`, as in Keras; the paper evaluates at `x`.

    Example:
        >>> from lamina.core.variable.variable import Variable
        >>> weight = Variable([1.0])
        >>> ScheduleFreeAdamW(learning_rate=0.1).apply([jnp.array([5.0])], [weight])
        >>> round(float(weight[0]), 4)
        0.9
    """

    slot_order = (("momentum", "velocity"),)

    def __init__(
        self,
        learning_rate: LearningRate = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        if not 0 < beta_1 <= 1:
            raise ValueError(
                f"ScheduleFreeAdamW needs a beta_1 above 0 and up to 1; received {beta_1!r}."
            )
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.warmup_steps = warmup_steps

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        return schedule_free_adamw(self.beta_1, self.beta_2, self.epsilon, self.warmup_steps)

    def _run_transformation(
        self, gradients: list[Array], variables: list[Variable], values: list[Array], rate: Array
    ) -> list[Array]:
        # Initialized at the first step, because the weights may be set after `build`.
        is_first_step = jnp.asarray(self.iterations) == 0
        for v in variables:
            iterate = self._slots["momentum"][id(v)]
            iterate.assign(jnp.where(is_first_step, v.value, iterate.value))
        return super()._run_transformation(gradients, variables, values, rate)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "warmup_steps": self.warmup_steps,
        }
