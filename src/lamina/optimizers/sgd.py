"""SGD: gradient descent, optionally with momentum."""

from typing import Any, NamedTuple

import optax

from lamina.optimizers.optimizer import LearningRate, Optimizer
from lamina.optimizers.update_parts import zeros_like


class SGDState(NamedTuple):
    momentum: list  # one array per weight; empty without momentum


def sgd(momentum: float = 0.0, nesterov: bool = False) -> optax.GradientTransformationExtraArgs:
    """The update rule of `SGD` as an optax transformation."""

    def init(weights: list) -> SGDState:
        return SGDState(zeros_like(weights) if momentum else [])

    def update(gradients, state, weights=None, *, learning_rate, step=None, **_):
        steps = [-g * learning_rate for g in gradients]
        if not momentum:
            return steps, state
        velocity = [m * momentum + s for m, s in zip(state.momentum, steps, strict=True)]
        if not nesterov:
            return velocity, SGDState(velocity)
        lookahead = [m * momentum + s for m, s in zip(velocity, steps, strict=True)]
        return lookahead, SGDState(velocity)

    return optax.GradientTransformationExtraArgs(init, update)


class SGD(Optimizer):
    """Gradient descent, optionally with momentum.

    `weight -= learning_rate * gradient`; with momentum
    `velocity = momentum * velocity - learning_rate * gradient; weight += velocity`. In PyTorch the
    learning rate is not part of the velocity: a change of the rate has its full effect at once in
    PyTorch, but only gradually here.

    Args:
        learning_rate: Size of a step per unit of gradient.
        momentum: Fraction of the velocity that is kept at every step, 0 to 1.
        nesterov: Use Nesterov momentum.
        **kwargs: `weight_decay`, `clipnorm`, …; see `Optimizer`.

    Source: Sutskever, Martens, Dahl and Hinton, 2013, "On the importance of initialization and
    momentum in deep learning", ICML.

    Example:
        >>> import jax.numpy as jnp
        >>> from lamina.core.variable.variable import Variable
        >>> weight = Variable([1.0, 2.0])
        >>> SGD(learning_rate=0.5).apply([jnp.array([1.0, -1.0])], [weight])
        >>> weight.numpy().tolist()
        [0.5, 2.5]
    """

    slot_order = (("momentum",),)

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        if not 0 <= momentum <= 1:
            raise ValueError(f"SGD needs a momentum from 0 to 1; received {momentum!r}.")
        self.momentum = momentum
        self.nesterov = nesterov

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        return sgd(self.momentum, self.nesterov)

    def get_config(self) -> dict:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
