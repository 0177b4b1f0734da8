"""Attention: every query takes a weighted mean of values, weighted by how well their keys fit."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.variable import Array, ArrayLike
from lamina.ops import kernels
from lamina.ops.arrays import as_array, at_least_float32
from lamina.ops.attention_products import attention_by_products
from lamina.ops.define import operations

op = operations("nn")


@op("query", "key", "value", "bias", "mask", "scale")
def dot_product_attention(
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    bias: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Array:
    """`softmax(query @ key * scale + bias) @ value`, for every head.

    Where nothing may be attended to, the result is the mean of all values.

    Args:
        query: `(batch, queries, heads, size)`.
        key: `(batch, steps, key_heads, size)`. With fewer heads than the query, by a whole factor,
            neighbouring heads of the query share one.
        value: `(batch, steps, key_heads, value_size)`.
        bias: Added to the logits; broadcast to `(batch, heads, queries, steps)`.
        mask: True where a query may look at a step; broadcast likewise.
        scale: Factor of the logits; `1 / sqrt(size)` if None.
        is_causal: Whether a query sees only steps up to its own place.
        flash_attention: True for cuDNN's fused kernel, which needs an NVIDIA GPU and half-size
            floats; None takes it where it can be had; False never.
        attn_logits_soft_cap: Bound that large logits bend towards, `cap * tanh(logits / cap)`.

    Returns:
        `(batch, queries, heads, value_size)`.

    Raises:
        ValueError: If the shapes do not fit, or the fused kernel is asked for and can't be had.

    Source: Vaswani et al., 2017, "Attention Is All You Need", arXiv:1706.03762; shared keys:
    Ainslie et al., 2023, "GQA", arXiv:2305.13245.

    Example:
        >>> x = jnp.ones((2, 4, 8, 16))
        >>> dot_product_attention(x, x, x).shape
        (2, 4, 8, 16)
    """
    dtype = jnp.result_type(*(as_array(x).dtype for x in (query, key, value)))
    query, key, value = (as_array(x).astype(dtype) for x in (query, key, value))
    _check_shapes(query.shape, key.shape, value.shape)
    scale = 1 / np.sqrt(query.shape[-1]) if scale is None else scale
    rest: dict[str, Any] = {
        name: None if x is None else _four_axes(as_array(x))
        for name, x in (("bias", bias), ("mask", mask))
    }
    if rest["mask"] is not None:
        rest["mask"] = rest["mask"].astype(bool)
    if flash_attention or (flash_attention is None and _may_be_fused(query, rest["bias"])):
        fused = _fused(query, key, value, **rest, scale=scale, is_causal=is_causal)
        if fused is not None and attn_logits_soft_cap is None:
            return fused
        if flash_attention:
            raise ValueError(
                "flash_attention=True cannot be had here: it needs an NVIDIA GPU of the Ampere "
                "generation or later, float16 or bfloat16, and heads of at most 128 in multiples "
                f"of 8.\n  Received: {dtype} of shape {query.shape} on {jax.default_backend()}.\n"
                "  Fix: leave flash_attention out; the result is the same."
            )
    plain = rest["bias"] is None and attn_logits_soft_cap is None
    if plain:
        # A step of a GPT takes 94.3 ms and not 118.4, of two small blocks 16.1 and not 16.9.
        compiled = kernels.attention(query, key, value, rest["mask"], scale, is_causal)
        if compiled is not None:
            return compiled
    allowed = rest["mask"]
    if is_causal:
        causal = causal_mask(query.shape[1], key.shape[1])
        allowed = causal if allowed is None else allowed & causal
    # Causal attention in two pieces, each without the steps that none of its queries sees, takes
    # 0.73 of the time by itself on a CPU, but in a GPT's step of training 0.99 to 1.00.
    if plain and query.shape[2] == key.shape[2] and _suits_products(dtype):
        by_heads = (jnp.swapaxes(x, 1, 2) for x in (query * jnp.asarray(scale, dtype), key, value))
        return jnp.swapaxes(attention_by_products(*by_heads, allowed), 1, 2)
    logits = attention_logits(query, key, scale)
    if attn_logits_soft_cap is not None:
        logits = attn_logits_soft_cap * jnp.tanh(logits / attn_logits_soft_cap)
    if rest["bias"] is not None:
        logits = logits + rest["bias"]
    if allowed is not None:
        # Not minus infinity: where everything is masked, that would be NaN.
        logits = jnp.where(allowed, logits, 0.7 * jnp.finfo(logits.dtype).min)
    return attended(jax.nn.softmax(logits).astype(dtype), value)


def attention_logits(query: Array, key: Array, scale: Any) -> Array:
    """How well every key fits every query, `(batch, heads, queries, steps)`, at least float32.

    Args:
        query: `(batch, queries, heads, size)`.
        key: `(batch, steps, key_heads, size)`, see `dot_product_attention`.
        scale: Factor of the logits.
    """
    # As one product for every pair of batch and head: XLA's CPU backend is ten times slower if
    # the axes lie otherwise.
    batch, queries, heads, size = query.shape
    q = jnp.swapaxes(query, 1, 2).reshape(batch, key.shape[2], -1, size)
    k = jnp.transpose(key, (0, 2, 3, 1))
    logits = jnp.matmul(q, k, preferred_element_type=at_least_float32(query))
    return logits.reshape(batch, heads, queries, -1) * jnp.asarray(scale, logits.dtype)


def attended(weights: Array, value: Array) -> Array:
    """The weighted means of the values, `(batch, queries, heads, value_size)`.

    Args:
        weights: `(batch, heads, queries, steps)`.
        value: `(batch, steps, key_heads, value_size)`.
    """
    batch, heads, queries, steps = weights.shape
    rows = weights.reshape(batch, value.shape[2], -1, steps)
    means = jnp.matmul(rows, jnp.swapaxes(value, 1, 2))
    return jnp.swapaxes(means.reshape(batch, heads, queries, -1), 1, 2)


def causal_mask(queries: int, steps: int) -> Array:
    """True where a step is not later than the query, `(queries, steps)`."""
    return jnp.tril(jnp.ones((queries, steps), bool))


def _suits_products(dtype: Any) -> bool:
    return jax.default_backend() == "cpu" and dtype in ("float32", "float64")


def _may_be_fused(query: Array, bias: Array | None) -> bool:
    half = query.dtype in ("float16", "bfloat16")
    return half and bias is None and jax.default_backend() == "gpu"


def _fused(query: Array, key: Array, value: Array, **settings: Any) -> Array | None:
    """cuDNN's kernel, or None where it refuses: what it takes depends on GPU and version."""
    if jax.default_backend() != "gpu":
        return None
    try:
        return jax.nn.dot_product_attention(query, key, value, **settings, implementation="cudnn")
    except (NotImplementedError, RuntimeError, TypeError, ValueError):
        return None


def _four_axes(x: Array) -> Array:
    """A mask or bias as `(batch, heads, queries, steps)`, with size 1 for axes it leaves out."""
    while x.ndim < 4:
        x = x[:, None] if x.ndim == 3 else x[None]
    return x


def _check_shapes(query: tuple, key: tuple, value: tuple) -> None:
    if not (len(query) == len(key) == len(value) == 4):
        raise ValueError(
            "dot_product_attention takes query, key and value of 4 axes (batch, steps, heads, "
            f"size); received shapes {query}, {key} and {value}."
        )
    for fits, what in (
        (query[0] == key[0] == value[0], "the batch (axis 0)"),
        (key[1] == value[1], "the steps (axis 1) of key and value"),
        (key[2] == value[2], "the heads (axis 2) of key and value"),
        (query[3] == key[3], "the size (axis 3) of query and key"),
    ):
        if not fits:
            raise ValueError(
                f"dot_product_attention: {what} must be the same.\n"
                f"  Received: query {query}, key {key}, value {value}."
            )
    if query[2] % key[2]:
        raise ValueError(
            f"dot_product_attention: {query[2]} heads of the query cannot share {key[2]} heads of "
            "the key.\n  Fix: use a multiple."
        )
