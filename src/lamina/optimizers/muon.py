"""Muon: orthogonalized momentum for matrices, Adam for other weights."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from lamina.core.types import Array
from lamina.core.variable.variable import Variable
from lamina.optimizers.adam import AdamState, adam
from lamina.optimizers.optimizer import LearningRate, Optimizer
from lamina.optimizers.update_parts import zeros_like

# Coefficients with a steep slope at zero, so that small singular values grow fast.
_QUINTIC = (3.4445, -4.7750, 2.0315)


class MuonState(NamedTuple):
    momentum: list  # running sum of the gradient, or Adam's running mean, one array per weight
    velocity: list  # running mean of the squared gradient where Adam is used, else None


def muon(
    momentum: float = 0.95,
    nesterov: bool = True,
    ns_steps: int = 5,
    coefficients: tuple[float, float, float] = _QUINTIC,
    rms_rate: float | None = 0.2,
    adam_beta_1: float = 0.9,
    adam_beta_2: float = 0.999,
    epsilon: float = 1e-7,
    adam_lr_ratio: float = 1,
) -> optax.GradientTransformationExtraArgs:
    """The update rule of `Muon` as an optax transformation.

    Weights whose state has a velocity are updated by Adam; `init` makes one for all weights that
    are not matrices.
    """
    adam_rule = adam(adam_beta_1, adam_beta_2, epsilon)

    def init(weights: list) -> MuonState:
        zeros = zeros_like(weights)
        return MuonState(zeros, [None if z.ndim == 2 else z for z in zeros])

    def matrix_step(g: Array, m: Array, rate: Array) -> tuple[Array, Array]:
        m = m + (g + m * (momentum - 1))
        direction = orthogonalize(g + momentum * m if nesterov else m, ns_steps, coefficients)
        size = 1 if rms_rate is None else jnp.sqrt(max(m.shape)).astype(m.dtype) * rms_rate
        return -(rate * direction * size), m

    def update(gradients, state, weights=None, *, learning_rate, step, **_):
        adam_indices = [i for i, v in enumerate(state.velocity) if v is not None]
        adam_changes, adam_state = adam_rule.update(
            [gradients[i] for i in adam_indices],
            AdamState(
                [state.momentum[i] for i in adam_indices],
                [state.velocity[i] for i in adam_indices],
                [],
            ),
            learning_rate=learning_rate * adam_lr_ratio,
            step=step,
        )
        results = dict(
            zip(adam_indices, zip(adam_changes, adam_state.momentum, strict=True), strict=True)
        )
        for i, (g, m) in enumerate(zip(gradients, state.momentum, strict=True)):
            if i not in results:
                results[i] = matrix_step(g, m, learning_rate)
        velocity = dict(zip(adam_indices, adam_state.velocity, strict=True))
        all_indices = range(len(gradients))
        return [results[i][0] for i in all_indices], MuonState(
            [results[i][1] for i in all_indices], [velocity.get(i) for i in all_indices]
        )

    return optax.GradientTransformationExtraArgs(init, update)


def orthogonalize(
    matrix: Array,
    steps: int = 5,
    coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
) -> Array:
    """Approximates the nearest orthogonal matrix by a Newton-Schulz iteration.

    With the default coefficients singular values end between about 0.7 and 1.2, not at 1. That is
    enough for `Muon`, and takes five steps of matrix products instead of a decomposition.

    Args:
        matrix: `(rows, columns)`.
        steps: Number of iterations.
        coefficients: `a, b, c` of `a x + b x³ + c x⁵`, applied to the singular values.

    Example:
        >>> import numpy as np
        >>> matrix = np.random.default_rng(0).normal(size=(4, 9))
        >>> values = np.linalg.svd(orthogonalize(jnp.asarray(matrix)), compute_uv=False)
        >>> bool(values.min() > 0.6 and values.max() < 1.3)
        True
    """
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix  # so that the product below is the smaller one
    x = x / (jnp.linalg.norm(x) + 1e-7)

    def step(_: Any, x: Array) -> Array:
        square = x @ x.T
        return a * x + (b * square + c * square @ square) @ x

    x = jax.lax.fori_loop(0, steps, step, x)
    return x.T if tall else x


class Muon(Optimizer):
    """Orthogonalizes the momentum of every matrix, so that all directions change equally.

    Embeddings and weights that are not matrices, such as biases and convolution kernels, are
    trained by Adam, with separate weight decay and betas. The last layer of a classifier should be
    trained by Adam, too: name it in `exclude_layers`.

    Args:
        learning_rate: Approximate size of a step, in units of the weights.
        adam_beta_1: Adam: fraction of the mean gradient that is kept at every step, 0 to 1.
        adam_beta_2: Adam: fraction of the mean squared gradient that is kept, 0 to 1.
        adam_weight_decay: `weight_decay` of the weights trained by Adam; None for none.
        epsilon: Adam: added to the root before dividing, in units of the gradient.
        weight_decay: Fraction of a matrix, times the learning rate, subtracted at every step.
        exclude_layers: Regular expressions found in the paths of matrices that Adam trains.
        exclude_embeddings: Train weights with "embedding" in their path by Adam.
        muon_a, muon_b, muon_c: Coefficients of the Newton-Schulz iteration.
        adam_lr_ratio: Adam's learning rate, as a multiple of `learning_rate`.
        momentum: Fraction of the running sum of gradients that is kept at every step, 0 to 1.
        ns_steps: Newton-Schulz iterations per step.
        nesterov: Use Nesterov momentum.
        rms_rate: Factor that scales steps to the size of Adam's, together with the root of the
            longer side. None for the scale of the paper.
        **kwargs: `clipnorm`, `use_ema`, …; see `Optimizer`.

    Source: Jordan et al., 2024, "Muon: An optimizer for hidden layers in neural networks";
    `rms_rate`: Liu et al., 2025, "Muon is Scalable for LLM Training", arXiv:2502.16982.

    Example:
        >>> weight = Variable([[1.0, 0.0], [0.0, 1.0]])
        >>> Muon(learning_rate=0.1, weight_decay=None).apply([jnp.eye(2)], [weight])
        >>> bool(weight[0, 0] < 1), float(weight[0, 1])
        (True, 0.0)
    """

    slot_order = (("momentum", "velocity"),)

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, **kwargs)
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = list(exclude_layers or [])
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        return muon(
            momentum=self.momentum,
            nesterov=self.nesterov,
            ns_steps=self.ns_steps,
            coefficients=(self.muon_a, self.muon_b, self.muon_c),
            rms_rate=self.rms_rate,
            adam_beta_1=self.adam_beta_1,
            adam_beta_2=self.adam_beta_2,
            epsilon=self.epsilon,
            adam_lr_ratio=self.adam_lr_ratio,
        )

    def _initial_state(self, weights: list[Variable]) -> MuonState:
        zeros = zeros_like(v._value for v in weights)
        velocities = [
            z if self._is_for_adam(v) else None for v, z in zip(weights, zeros, strict=True)
        ]
        return MuonState(zeros, velocities)

    def _decay_of(self, variable: Variable) -> float | None:
        return self.adam_weight_decay if self._is_for_adam(variable) else self.weight_decay

    def _is_for_adam(self, variable: Variable) -> bool:
        return (
            len(variable.shape) != 2
            or (self.exclude_embeddings and "embedding" in variable.path.lower())
            or any(re.search(pattern, variable.path) for pattern in self.exclude_layers)
        )

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "adam_beta_1": self.adam_beta_1,
            "adam_beta_2": self.adam_beta_2,
            "epsilon": self.epsilon,
            "exclude_layers": self.exclude_layers,
            "muon_a": self.muon_a,
            "muon_b": self.muon_b,
            "muon_c": self.muon_c,
            "adam_lr_ratio": self.adam_lr_ratio,
            "momentum": self.momentum,
            "ns_steps": self.ns_steps,
            "nesterov": self.nesterov,
            "exclude_embeddings": self.exclude_embeddings,
            "adam_weight_decay": self.adam_weight_decay,
            "rms_rate": self.rms_rate,
        }
