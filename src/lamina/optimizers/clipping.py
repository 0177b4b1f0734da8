"""Gradient clipping: functions from a list of gradients to a list of gradients."""

from collections.abc import Sequence

import jax.numpy as jnp

from lamina.core.types import Array


def clip_by_value(gradients: Sequence[Array], limit: float) -> list[Array]:
    """Clips every element to `-limit` and `limit`."""
    return [jnp.clip(g, -limit, limit) for g in gradients]


def clip_by_norm(gradients: Sequence[Array], limit: float) -> list[Array]:
    """Scales each gradient separately to an L2 norm of at most `limit`."""
    return [g * limit / jnp.maximum(jnp.sqrt(jnp.sum(g * g)), limit) for g in gradients]


def clip_by_global_norm(gradients: Sequence[Array], limit: float) -> list[Array]:
    """Scales all gradients by one factor, to a global L2 norm of at most `limit`.

    An infinite gradient makes all of them NaN, as in Keras, so that it is noticed.

    Source: Pascanu, Mikolov and Bengio, 2013, "On the difficulty of training recurrent neural
    networks", arXiv:1211.5063.

    Example:
        >>> [g.tolist() for g in clip_by_global_norm([jnp.array([6.0]), jnp.array([8.0])], 5.0)]
        [[3.0], [4.0]]
    """
    norm = jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in gradients))
    scale = limit / jnp.maximum(norm, limit)
    scale += norm - norm  # 0, or NaN where the norm is not finite
    return [g * scale for g in gradients]
