"""Attention: for every query, a mean of the values weighted by the similarity of their keys."""

import jax.numpy as jnp
import numpy as np

from lamina.core.types import Array, ArrayLike
from lamina.ops.arrays import as_array
from lamina.ops.define import operations
from lamina.ops.lowering import Target, choose, current_target
from lamina.ops.lowering.attention import Settings

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

    For a query that is masked everywhere, the result is the mean of all values.

    Args:
        query: `(batch, queries, heads, size)`.
        key: `(batch, steps, key_heads, size)`. If the number of heads of the query is a
            multiple, neighbouring heads of the query share one.
        value: `(batch, steps, key_heads, value_size)`.
        bias: Added to the logits; broadcast to `(batch, heads, queries, steps)`.
        mask: True where a query may attend to a step; broadcast likewise.
        scale: Factor of the logits; `1 / sqrt(size)` if None.
        is_causal: Whether a query attends only to steps up to its own position.
        flash_attention: True for cuDNN's fused kernel, which needs an NVIDIA GPU and
            half-precision floats; None to use it where it is supported; False for never.
        attn_logits_soft_cap: Soft limit of the logits, `cap * tanh(logits / cap)`.

    Returns:
        `(batch, queries, heads, value_size)`.

    Raises:
        ValueError: If the shapes do not fit, or the requested fused kernel is not supported.

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
    bias, mask = (None if x is None else _four_axes(as_array(x)) for x in (bias, mask))
    mask = None if mask is None else mask.astype(bool)
    settings = Settings(bias, mask, scale, is_causal, attn_logits_soft_cap, flash_attention)
    lowering = choose("attention", query, key, value, settings)
    if flash_attention and lowering.target != Target("gpu"):
        raise ValueError(
            "flash_attention=True is not available here: it needs an NVIDIA GPU of the Ampere "
            "generation or later, float16 or bfloat16, and heads of at most 128 in multiples of "
            f"8.\n  Received: {dtype} of shape {query.shape} on {current_target().platform}.\n"
            "  Fix: leave flash_attention out; the result is the same."
        )
    return lowering.function(query, key, value, settings)


def _four_axes(x: Array) -> Array:
    """A mask or bias as `(batch, heads, queries, steps)`, with size 1 for missing axes."""
    while x.ndim < 4:
        x = x[:, None] if x.ndim == 3 else x[None]
    return x


def _check_shapes(query: tuple, key: tuple, value: tuple) -> None:
    if not (len(query) == len(key) == len(value) == 4):
        raise ValueError(
            "dot_product_attention takes query, key and value of 4 axes (batch, steps, heads, "
            f"size); received shapes {query}, {key} and {value}."
        )
    for is_equal, sizes in (
        (query[0] == key[0] == value[0], "the batch (axis 0)"),
        (key[1] == value[1], "the steps (axis 1) of key and value"),
        (key[2] == value[2], "the heads (axis 2) of key and value"),
        (query[3] == key[3], "the size (axis 3) of query and key"),
    ):
        if not is_equal:
            raise ValueError(
                f"dot_product_attention: {sizes} must be the same.\n"
                f"  Received: query {query}, key {key}, value {value}."
            )
    if query[2] % key[2]:
        raise ValueError(
            f"dot_product_attention: {query[2]} heads of the query cannot share {key[2]} heads of "
            "the key.\n  Fix: use a multiple."
        )
