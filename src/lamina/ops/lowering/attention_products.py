"""Softmax attention for XLA's CPU backend, with operands in the layout of its matrix library.

With automatic differentiation, two of the six products sum over the first axis of the left operand.
XLA passes these to a library that copies the operand element by element. Also, the softmax is
divided, stored and summed over `(queries, steps)`. Here the smaller operands are transposed
instead, and the division is applied to the output, `(queries, size)`. Figures: docs/performance.md,
`attention-by-products`.
"""

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.types import Array
from lamina.ops.lowering.attention import Settings, combine_masks


def suits(query: Array, key: Array, value: Array, settings: Settings) -> bool:
    """Equal numbers of heads, and at least float32."""
    same_heads = query.shape[2] == key.shape[2]
    is_supported = settings.bias is None and settings.soft_cap is None and same_heads
    return is_supported and query.dtype in ("float32", "float64")


def by_products(query: Array, key: Array, value: Array, settings: Settings) -> Array:
    """`attention.reference` by matrix products."""
    # Causal attention is not divided into blocks: docs/performance.md, `causal-pieces`.
    visible = combine_masks(query, key, settings)
    scaled = query * jnp.asarray(settings.scale, query.dtype)
    by_heads = (jnp.swapaxes(x, 1, 2) for x in (scaled, key, value))
    return jnp.swapaxes(attention_by_products(*by_heads, visible), 1, 2)


@jax.custom_jvp
def attention_by_products(query: Array, key: Array, value: Array, allowed: Array | None) -> Array:
    """`softmax(query @ key) @ value` for every head; the mean if all steps are masked.

    Args:
        query: `(batch, heads, queries, size)`, already multiplied by the scale of the logits.
        key: `(batch, heads, steps, size)`.
        value: `(batch, heads, steps, value_size)`.
        allowed: True where a query may attend, broadcast to `(batch, heads, queries, steps)`; None
            for everywhere.

    Returns:
        `(batch, heads, queries, value_size)`.

    Source: the sums of the gradient by queries are those of Dao et al., 2022, "FlashAttention",
    arXiv:2205.14135, appendix B.

    Example:
        >>> x = jnp.ones((2, 4, 8, 16))
        >>> attention_by_products(x, x, x, None).shape
        (2, 4, 8, 16)
    """
    return _attend(query, key, value, allowed)[0]


@attention_by_products.defjvp
def _attention_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    query, key, value, allowed = primals
    d_query, d_key, d_value, _ = tangents
    output, exponentials, total = _attend(query, key, value, allowed)
    # The products are written such that their transposes, in the gradient, sum over the last axis
    # of the left operand and the first axis of the right operand.
    d_logits = _matmul_right_transposed(d_query, key)
    d_logits = d_logits + _matmul_left_transposed(
        _transpose_in_memory(query), _transpose_in_memory(d_key)
    )
    d_exponentials = exponentials * d_logits
    if allowed is not None:
        d_exponentials = jnp.where(allowed, d_exponentials, 0)
    d_from_weights = jnp.matmul(d_exponentials, value) - output * jnp.sum(
        d_exponentials, -1, keepdims=True
    )
    d_from_values = lax.optimization_barrier(
        _matmul_right_transposed(_transpose_in_memory(d_value), exponentials)
    )
    return output, (d_from_weights + jnp.swapaxes(d_from_values, -1, -2)) / total


def _attend(
    query: Array, key: Array, value: Array, allowed: Array | None
) -> tuple[Array, Array, Array]:
    """The output, the exponentials that weight the values, and their sum for each query."""
    logits = _matmul_right_transposed(query, key)
    if allowed is not None:
        # Not minus infinity: where everything is masked, that would be NaN.
        logits = jnp.where(allowed, logits, 0.7 * jnp.finfo(logits.dtype).min)
    exponentials = jnp.exp(logits - lax.stop_gradient(jnp.max(logits, -1, keepdims=True)))
    # A sum as a product with ones: docs/performance.md, `attention-by-products`.
    steps = logits.shape[-1]
    total = jnp.matmul(exponentials.reshape(-1, steps), jnp.ones((steps, 1), exponentials.dtype))
    total = total.reshape(*logits.shape[:-1], 1)
    return jnp.matmul(exponentials, value) / total, exponentials, total


def _transpose_in_memory(x: Array) -> Array:
    """Transposed in memory: without the barrier XLA merges the transpose into the product."""
    return lax.optimization_barrier(jnp.swapaxes(x, -1, -2))


def _matmul_right_transposed(x: Array, y: Array) -> Array:
    return lax.dot_general(x, y, (((3,), (3,)), ((0, 1), (0, 1))))


def _matmul_left_transposed(x: Array, y: Array) -> Array:
    return lax.dot_general(x, y, (((2,), (2,)), ((0, 1), (0, 1))))
