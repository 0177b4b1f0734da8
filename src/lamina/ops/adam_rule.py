"""Adam's update rule for one weight, shared by optimizers and lowerings."""

import functools

import jax
import jax.numpy as jnp

from lamina.core.types import Array


# Jitted, so that weights of equal shape are traced once.
@functools.partial(jax.jit, static_argnums=(5, 6, 7))
def update(
    gradient: Array,
    momentum: Array,
    velocity: Array,
    highest: Array | None,
    size: Array,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Array, Array, Array, Array | None]:
    """The change of a weight, and its slots after the step.

    Args:
        gradient: Gradient of the loss.
        momentum, velocity: Running means of the gradient and of its square.
        highest: Highest velocity so far, to divide by (AMSGrad), or None.
        size: Size of the step; see `step_size`.
        beta_1, beta_2: Fractions of the means that are kept.
        epsilon: Added to the root before dividing.
    """
    momentum = momentum + (gradient - momentum) * (1 - beta_1)
    velocity = velocity + (gradient * gradient - velocity) * (1 - beta_2)
    if highest is not None:
        highest = jnp.maximum(highest, velocity)
    root = jnp.sqrt(velocity if highest is None else highest)
    return -(momentum * size) / (root + epsilon), momentum, velocity, highest


def step_size(learning_rate: Array, step: Array, beta_1: float, beta_2: float) -> Array:
    """The learning rate with the correction for running means that start at 0."""
    count = (step + 1).astype(learning_rate.dtype)
    return learning_rate * jnp.sqrt(1 - beta_2**count) / (1 - beta_1**count)
