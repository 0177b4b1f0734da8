"""Softmax attention of long sequences on CPUs: memory grows with their length, not with its square.

Samples, heads and blocks of queries follow one another in loops. The scores of a block stay in the
cache, and are computed again for the gradient. Figures: docs/performance.md, `attention-by-blocks`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.types import Array
from lamina.ops.lowering import attention_low_precision, attention_products
from lamina.ops.lowering.attention import Settings
from lamina.ops.lowering.low_precision import in_float32, in_float32_outside, is_low_precision

_MIN_SCORES = 2**23
_SCORES_OF_BLOCK = 2**19


def suits(query: Array, key: Array, value: Array, settings: Settings) -> bool:
    """Many scores, in a dtype for which there is attention by products."""
    batch, queries, heads, _ = query.shape
    is_large = batch * heads * queries * key.shape[1] >= _MIN_SCORES
    arguments = query, key, value, settings
    return is_large and (
        attention_products.suits(*arguments) or attention_low_precision.suits(*arguments)
    )


def by_blocks(query: Array, key: Array, value: Array, settings: Settings) -> Array:
    """`attention.reference`, one block of queries of one head of one sample after the other."""
    dtype, queries, steps = query.dtype, query.shape[1], key.shape[1]
    count = -(-queries * steps // _SCORES_OF_BLOCK)
    size = -(-queries // count)
    count = -(-queries // size)
    is_low = is_low_precision(query, key, value)
    attend = _attend_in_float32(dtype) if is_low else attention_products.attention_by_products

    def attend_block(rows: Array, key: Array, value: Array, mask: Array | None, start: Array):
        if settings.is_causal:
            earlier = (start + jnp.arange(size))[:, None] >= jnp.arange(steps)
            mask = earlier if mask is None else mask & earlier
        return attend(rows[None, None], key[None, None], value[None, None], mask)[0, 0]

    # Without `checkpoint` the loops would store the scores of all blocks for the gradient.
    attend_block = jax.checkpoint(attend_block, prevent_cse=False)

    def attend_head(arrays: Sequence[Array], mask: Array | None) -> Array:
        query, key, value = arrays
        rows = _in_blocks(query, count, size)
        masks = mask if mask is None or len(mask) == 1 else _in_blocks(mask, count, size)

        def body(at_block: tuple) -> Array:
            start, rows, mask = at_block
            return attend_block(rows, key, value, masks if mask is None else mask, start)

        starts = jnp.arange(count) * size
        mapped = None if masks is None or masks.ndim == 2 else masks
        return lax.map(body, (starts, rows, mapped)).reshape(count * size, -1)[:queries]

    def attend_sample(arrays: Sequence[Array], mask: Array | None) -> Array:
        return _map(attend_head, arrays, mask)

    scaled = in_float32(query) * jnp.asarray(settings.scale, in_float32(query).dtype)
    by_heads = [jnp.swapaxes(in_float32(x), 1, 2) for x in (scaled, key, value)]
    return jnp.swapaxes(_map(attend_sample, by_heads, settings.mask), 1, 2).astype(dtype)


def _attend_in_float32(dtype: Any) -> Callable[..., Array]:
    """Attention of low-precision floats, with arguments and result in float32."""

    def attend(query: Array, key: Array, value: Array, allowed: Array | None) -> Array:
        def in_dtype(*arrays: Array) -> Array:
            return attention_low_precision.attention_by_products(*arrays, allowed)

        return in_float32_outside(in_dtype, dtype)(query, key, value)

    return attend


def _map(function: Callable, arrays: Sequence[Array], mask: Array | None) -> Array:
    """`function(arrays, mask)` along their first axes; that of the mask may be 1."""
    if mask is None or len(mask) == 1:
        same_mask = None if mask is None else mask[0]
        return lax.map(lambda parts: function(parts, same_mask), tuple(arrays))
    return lax.map(lambda parts: function(parts[:-1], parts[-1]), (*arrays, mask))


def _in_blocks(rows: Array, count: int, size: int) -> Array:
    """`(rows, …)` as `(count, size, …)`, filled up with zeros."""
    widths = [(0, count * size - len(rows)), *[(0, 0)] * (rows.ndim - 1)]
    return jnp.pad(rows, widths).reshape(count, size, *rows.shape[1:])
