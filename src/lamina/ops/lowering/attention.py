"""Attention: the reference, cuDNN on NVIDIA's GPUs, and a compiled kernel on CPUs.

The implementation for CPUs without kernels is in `attention_products.py`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lamina.core.types import Array
from lamina.ops.attention_parts import attention_logits, causal_mask, weighted_values
from lamina.ops.lowering import compiled_kernels


class Settings(NamedTuple):
    """Settings of attention.

    Args:
        bias, mask: Four axes that broadcast to `(batch, heads, queries, steps)`, or None. The
            mask is True where a query may attend.
        scale: Factor of the logits.
        is_causal: Whether a query attends only to steps up to its own position.
        soft_cap: Soft limit of the logits, or None.
        fused: Whether the GPU's fused kernel was requested; None to use it where it is faster.
    """

    bias: Array | None = None
    mask: Array | None = None
    scale: Any = 1.0
    is_causal: bool = False
    soft_cap: float | None = None
    fused: bool | None = None


def reference(query: Array, key: Array, value: Array, settings: Settings) -> Array:
    """`softmax(query @ key * scale + bias) @ value`, for every head.

    Args:
        query: `(batch, queries, heads, size)`.
        key, value: `(batch, steps, key_heads, size)`; `key_heads` is a divisor of `heads`.
        settings: Bias, mask, scale and others.

    Returns:
        `(batch, queries, heads, value_size)`.
    """
    visible = combine_masks(query, key, settings)
    logits = attention_logits(query, key, settings.scale)
    if settings.soft_cap is not None:
        logits = settings.soft_cap * jnp.tanh(logits / settings.soft_cap)
    if settings.bias is not None:
        logits = logits + settings.bias
    if visible is not None:
        # Not minus infinity: the softmax of a row that is entirely masked would be NaN.
        logits = jnp.where(visible, logits, 0.7 * jnp.finfo(logits.dtype).min)
    return weighted_values(jax.nn.softmax(logits).astype(query.dtype), value)


def combine_masks(query: Array, key: Array, settings: Settings) -> Array | None:
    """The mask combined with the causal mask; None if every query attends to all steps."""
    if not settings.is_causal:
        return settings.mask
    causal = causal_mask(query.shape[1], key.shape[1])
    return causal if settings.mask is None else settings.mask & causal


def suits_kernel(query: Array, key: Array, value: Array, settings: Settings) -> bool:
    scale_is_known = not isinstance(settings.scale, jax.core.Tracer)
    is_supported = settings.bias is None and settings.soft_cap is None and scale_is_known
    return is_supported and compiled_kernels.accepts(query, key, value)


def by_kernel(query: Array, key: Array, value: Array, settings: Settings) -> Array:
    """The attention weights of a head stay in the cache and are recomputed for the gradient."""
    mask, scale = settings.mask, settings.scale
    if mask is not None:
        mask = jnp.broadcast_to(mask, (*mask.shape[:3], key.shape[1]))
    attention = compiled_kernels.kernel_package().attention
    return attention(query, key, value, mask, scale=scale, causal=settings.is_causal)


def suits_cudnn(query: Array, key: Array, value: Array, settings: Settings) -> bool:
    """By default only half precision; what cuDNN supports depends on its version and the GPU."""
    is_default = query.dtype in ("float16", "bfloat16") and settings.bias is None
    if settings.fused is False or settings.soft_cap is not None:
        return False
    if not (settings.fused or is_default):
        return False
    try:
        jax.eval_shape(lambda: by_cudnn(query, key, value, settings))
    except (NotImplementedError, RuntimeError, TypeError, ValueError):
        return False
    return True


def by_cudnn(query: Array, key: Array, value: Array, settings: Settings) -> Array:
    return jax.nn.dot_product_attention(
        query,
        key,
        value,
        settings.bias,
        settings.mask,
        scale=settings.scale,
        is_causal=settings.is_causal,
        implementation="cudnn",
    )
