"""The parts of attention, for layers that return the weights and for lowerings."""

from typing import Any

import jax.numpy as jnp

from lamina.core.types import Array
from lamina.ops.arrays import at_least_float32
from lamina.ops.lowering import products


def attention_logits(query: Array, key: Array, scale: Any) -> Array:
    """The similarity of every key and query, `(batch, heads, queries, steps)`, at least float32.

    Args:
        query: `(batch, queries, heads, size)`.
        key: `(batch, steps, key_heads, size)`, see `dot_product_attention`.
        scale: Factor of the logits.
    """
    # One product for every pair of sample and head: XLA's CPU backend is much slower with another
    # order of axes.
    batch, queries, heads, size = query.shape
    q = jnp.swapaxes(query, 1, 2).reshape(batch, key.shape[2], -1, size)
    k = jnp.transpose(key, (0, 2, 3, 1))
    logits = products.matmul(q, k, at_least_float32(query))
    return logits.reshape(batch, heads, queries, -1) * jnp.asarray(scale, logits.dtype)


def weighted_values(weights: Array, value: Array) -> Array:
    """The weighted means of the values, `(batch, queries, heads, value_size)`.

    Args:
        weights: `(batch, heads, queries, steps)`.
        value: `(batch, steps, key_heads, value_size)`.
    """
    batch, heads, queries, steps = weights.shape
    rows = weights.reshape(batch, value.shape[2], -1, steps)
    means = products.matmul(rows, jnp.swapaxes(value, 1, 2))
    return jnp.swapaxes(means.reshape(batch, heads, queries, -1), 1, 2)


def causal_mask(queries: int, steps: int) -> Array:
    """True where a step is not later than the query, `(queries, steps)`."""
    return jnp.tril(jnp.ones((queries, steps), bool))
