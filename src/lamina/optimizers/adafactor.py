"""Adafactor: Adam with factored second moments, which take less memory."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax

from lamina.core.types import Array
from lamina.core.variable.variable import Variable
from lamina.optimizers.optimizer import LearningRate, Optimizer
from lamina.optimizers.update_parts import zeros_like


class AdafactorState(NamedTuple):
    rows: list  # running mean over the last axis of the squared gradient; 0 below two axes
    columns: list  # running mean over the second last axis
    velocity: list  # squared gradient reconstructed from rows and columns, one array per weight


def adafactor(
    beta_2_decay: float = -0.8,
    epsilon_1: float = 1e-30,
    epsilon_2: float = 1e-3,
    clip_threshold: float = 1.0,
) -> optax.GradientTransformationExtraArgs:
    """The update rule of `Adafactor` as an optax transformation."""

    def init(weights: list) -> AdafactorState:
        def zeros(weight: Any, *, without: int) -> np.ndarray:
            if weight.ndim < 2:
                return np.zeros((), "int32")  # not used, but part of Keras's files
            shape = [size for i, size in enumerate(weight.shape) if i != weight.ndim + without]
            return np.zeros(shape, weight.dtype)

        rows = [zeros(w, without=-1) for w in weights]
        columns = [zeros(w, without=-2) for w in weights]
        return AdafactorState(rows, columns, zeros_like(weights))

    def update(gradients, state, weights, *, learning_rate, step, **_):
        count = (step + 1).astype(learning_rate.dtype)
        rate = jnp.minimum(learning_rate, 1 / jnp.sqrt(count))
        decay = 1 - count**beta_2_decay

        def update_weight(g: Array, r: Array, c: Array, v: Array, w: Array) -> tuple:
            square = g * g + epsilon_1
            if w.ndim < 2:
                v = decay * v + (1 - decay) * square
            else:
                r = decay * r + (1 - decay) * jnp.mean(square, axis=-1)
                c = decay * c + (1 - decay) * jnp.mean(square, axis=-2)
                row_fraction = r / jnp.mean(r, axis=-1, keepdims=True)
                v = jnp.expand_dims(row_fraction, -1) * jnp.expand_dims(c, -2)
            direction = g / jnp.sqrt(v)
            direction = direction / jnp.maximum(1, _rms(direction) / clip_threshold)
            return -(jnp.maximum(epsilon_2, _rms(w)) * rate * direction), r, c, v

        results = [
            update_weight(*arrays) for arrays in zip(gradients, *state, weights, strict=True)
        ]
        changes, *slots = (list(column) for column in zip(*results, strict=True))
        return changes, AdafactorState(*slots)

    return optax.GradientTransformationExtraArgs(init, update)


def _rms(x: Array) -> Array:
    return jnp.sqrt(jnp.mean(x * x))


class Adafactor(Optimizer):
    """Scales steps like Adam with less memory: second moments by rows and columns, no momentum.

    A step is relative to the size of the weights, and its rate is at most `1 / sqrt(step)`. As in
    Keras the full second moments are stored, too, as the slot `velocity`, so less memory is saved
    than in the paper.

    Args:
        learning_rate: Size of a step, as a fraction of the root mean square of the weights.
        beta_2_decay: The running means keep `1 - step ** beta_2_decay` of themselves.
        epsilon_1: Added to the squared gradient.
        epsilon_2: Lower bound of the root mean square of weights.
        clip_threshold: Maximum root mean square of an update.
        relative_step: Accepted and saved, without effect: as in Keras the rate is always at most
            `1 / sqrt(step)`.
        **kwargs: `weight_decay`, `clipnorm`, …; see `Optimizer`.

    Source: Shazeer and Stern, 2018, "Adafactor: Adaptive Learning Rates with Sublinear Memory
    Cost", arXiv:1804.04235.

    Example:
        >>> from lamina.core.variable.variable import Variable
        >>> weight = Variable([[1.0, 1.0], [1.0, 1.0]])
        >>> Adafactor(learning_rate=0.1).apply([jnp.ones((2, 2))], [weight])
        >>> round(float(weight[0, 0]), 4)
        0.9
    """

    slot_order = (("rows", "columns", "velocity"),)

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        return adafactor(self.beta_2_decay, self.epsilon_1, self.epsilon_2, self.clip_threshold)

    def _slot_name(self, weight: Variable, slot: str) -> str:
        # In Keras the two means have the name of the weight.
        return weight.name if slot in ("rows", "columns") else super()._slot_name(weight, slot)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "beta_2_decay": self.beta_2_decay,
            "epsilon_1": self.epsilon_1,
            "epsilon_2": self.epsilon_2,
            "clip_threshold": self.clip_threshold,
            "relative_step": self.relative_step,
        }
