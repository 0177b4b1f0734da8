"""Softmax attention of low-precision floats on CPUs: products of them, everything else in float32.

Figures: docs/performance.md, `low-precision-products`.
"""

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.types import Array
from lamina.ops.lowering import products
from lamina.ops.lowering.attention import Settings, combine_masks
from lamina.ops.lowering.low_precision import is_low_precision


def suits(query: Array, key: Array, value: Array, settings: Settings) -> bool:
    """Equal numbers of heads."""
    same_heads = query.shape[2] == key.shape[2]
    is_supported = settings.bias is None and settings.soft_cap is None and same_heads
    return is_supported and query.dtype == value.dtype and is_low_precision(query, key)


def by_products(query: Array, key: Array, value: Array, settings: Settings) -> Array:
    """`attention.reference`, with fewer numbers to store for the gradient."""
    visible = combine_masks(query, key, settings)
    scaled = (query * jnp.asarray(settings.scale, jnp.float32)).astype(query.dtype)
    by_heads = (jnp.swapaxes(x, 1, 2) for x in (scaled, key, value))
    return jnp.swapaxes(attention_by_products(*by_heads, visible), 1, 2)


@jax.custom_jvp
def attention_by_products(query: Array, key: Array, value: Array, allowed: Array | None) -> Array:
    """`softmax(query @ key) @ value`; see `attention_products.attention_by_products`."""
    return _attend(query, key, value, allowed)[0].astype(query.dtype)


@attention_by_products.defjvp
def _attention_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    query, key, value, allowed = primals
    d_query, d_key, d_value, _ = tangents
    output, exponentials, total = _attend(query, key, value, allowed)
    d_logits = _by_steps(d_query, key) + _by_steps(query, d_key)
    d_exponentials = exponentials.astype(jnp.float32) * d_logits
    if allowed is not None:
        d_exponentials = jnp.where(allowed, d_exponentials, 0)
    sums = jnp.sum(d_exponentials, -1, keepdims=True)
    d_output = _by_weights(d_exponentials, value) - output * sums
    d_output = d_output + _by_weights(exponentials, d_value)
    # In the gradient the cotangent is rounded here, and not only in products: if a weight is nearly
    # 1, the product and the sum have to cancel.
    digits = jnp.finfo(query.dtype)
    d_output = lax.reduce_precision(d_output, digits.nexp, digits.nmant)
    return output.astype(query.dtype), (d_output / total).astype(query.dtype)


def _attend(
    query: Array, key: Array, value: Array, allowed: Array | None
) -> tuple[Array, Array, Array]:
    """The output, the exponentials that weight the values, and their sum for each query.

    The exponentials have the dtype of the query, the rest is float32.
    """
    logits = _by_steps(query, key)
    if allowed is not None:
        # Not minus infinity: where everything is masked, that would be NaN.
        logits = jnp.where(allowed, logits, 0.7 * jnp.finfo(logits.dtype).min)
    largest = lax.stop_gradient(jnp.max(logits, -1, keepdims=True))
    exponentials = jnp.exp(logits - largest).astype(query.dtype)
    total = jnp.sum(exponentials.astype(jnp.float32), -1, keepdims=True)
    return _by_weights(exponentials, value) / total, exponentials, total


def _by_steps(x: Array, y: Array) -> Array:
    """`(batch, heads, queries, steps)` of `(batch, heads, queries or steps, size)`."""
    numbers = (((3,), (3,)), ((0, 1), (0, 1)))
    return products.dot_general(x, y, numbers, preferred_element_type=jnp.float32)


def _by_weights(weights: Array, value: Array) -> Array:
    numbers = (((3,), (2,)), ((0, 1), (0, 1)))
    return products.rounded_dot_general(weights, value, numbers, value.dtype)
