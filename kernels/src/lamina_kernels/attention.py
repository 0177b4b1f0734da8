"""Attention and its gradient, the weights never written to memory; float32."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.interpreters import ad

from lamina_kernels.library import Array, call
from lamina_kernels.primitives import primitive


def attention(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    *,
    scale: float,
    causal: bool = False,
) -> Array:
    """`softmax(query @ key * scale) @ value` for every head; arrays are float32.

    Args:
        query: `(batch, queries, heads, size)`.
        key: `(batch, steps, key_heads, size)`; neighbouring heads of the query share one.
        value: `(batch, steps, key_heads, value_size)`.
        mask: True where a query may look at a step, `(batch, heads, queries, steps)`; the first
            three may be 1. A query that may look nowhere takes the mean of all values.
        scale: Factor of the logits.
        causal: Whether a query sees only steps up to its own place.

    Returns:
        `(batch, queries, heads, value_size)`.

    Source: the weights worked out again for the gradient: Dao et al., 2022, "FlashAttention",
    arXiv:2205.14135.

    Example:
        >>> query, value = jnp.zeros((1, 2, 1, 4)), jnp.array([1.0, 3.0]).reshape(1, 2, 1, 1)
        >>> attention(query, query, value, scale=1.0, causal=True).ravel().tolist()
        [1.0, 2.0]
    """
    if mask is None:
        mask = jnp.ones((1, 1, 0, key.shape[1]), bool)
    return _attention.bind(query, key, value, mask, scale=float(scale), causal=causal)


# -- the kernels ---------------------------------------------------------------------------------
# Value and gradient are kernels. The derivative of the first is an operation that is linear in the
# changes of query, key and value, so that its transpose can be the second. Differentiated once
# more, or forward, everything is plain.

_FORBIDDEN = -1e30


def _plain(query: Array, key: Array, value: Array, mask: Array, scale: float, causal: bool) -> Any:
    batch, queries, heads, size = query.shape
    steps, shared = key.shape[1], heads // key.shape[2]
    rows = query.reshape(batch, queries, -1, shared, size)
    logits = jnp.einsum("bqhgd,bkhd->bhgqk", rows, key) * scale
    logits = logits.reshape(batch, heads, queries, steps)
    allowed = mask if mask.size else jnp.ones((1, 1, queries, steps), bool)
    if causal:
        allowed = allowed & jnp.tril(jnp.ones((queries, steps), bool))
    weights = jax.nn.softmax(jnp.where(allowed, logits, _FORBIDDEN))
    weights = weights.reshape(batch, -1, shared, queries, steps)
    return jnp.einsum("bhgqk,bkhd->bqhgd", weights, value).reshape(*query.shape[:3], -1)


def _shaped(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, np.float32)


def _settings(scale: float, causal: bool) -> dict:
    return {"scale": np.float32(scale), "causal": causal}


def _spec(query: Any, key: Any, value: Any, mask: Any, scale: float, causal: bool) -> Any:
    return _shaped(*query.shape[:3], value.shape[3])


def _compute(*arrays: Array, scale: float, causal: bool) -> Any:
    return call("attention", _spec(*arrays, scale, causal), *arrays, **_settings(scale, causal))


def _spec_change(*arrays: Any, scale: float, causal: bool) -> Any:
    return _spec(*arrays[3:], scale=scale, causal=causal)


def _plain_change(*arrays: Array, scale: float, causal: bool) -> Any:
    mask = arrays[6]
    plain = partial(_plain, mask=mask, scale=scale, causal=causal)
    return jax.jvp(plain, arrays[3:6], arrays[:3])[1]


def _spec_gradient(change: Any, *arrays: Any, scale: float, causal: bool) -> list:
    return [_shaped(*array.shape) for array in arrays[:3]]


def _compute_gradient(*arrays: Array, scale: float, causal: bool) -> Any:
    results = _spec_gradient(*arrays, scale=scale, causal=causal)
    return call("attention_gradient", results, *arrays, **_settings(scale, causal))


def _plain_gradient(change: Array, *arrays: Array, scale: float, causal: bool) -> Any:
    *given, mask = arrays
    _, back = jax.vjp(partial(_plain, mask=mask, scale=scale, causal=causal), *given)
    return list(back(change))


_attention = primitive("lamina_attention", _spec, _compute)
_change = primitive("lamina_attention_change", _spec_change, _plain_change)
_gradient = primitive("lamina_attention_gradient", _spec_gradient, _compute_gradient, several=True)


def _derivative(arguments: Any, changes: Any, **settings: Any) -> tuple:
    changes = [ad.instantiate_zeros(change) for change in changes[:3]]
    return _attention.bind(*arguments, **settings), _change.bind(*changes, *arguments, **settings)


def _transpose(change: Any, *arrays: Any, **settings: Any) -> list:
    wanted = [ad.is_undefined_primal(array) for array in arrays[:3]]
    rest = arrays[3:]
    if type(change) is ad.Zero:
        return [None] * len(arrays)
    gradients = _gradient.bind(change, *rest, **settings)
    found = [g if want else None for g, want in zip(gradients, wanted, strict=True)]
    return [*found, *(None for _ in rest)]


def _through(plain: Any) -> Any:
    """The derivative of a kernel by that of plain JAX; the last argument is the mask."""

    def derivative(arguments: Any, changes: Any, **settings: Any) -> tuple:
        *arguments, mask = arguments
        changes = [ad.instantiate_zeros(change) for change in changes[:-1]]
        return jax.jvp(lambda *a: plain(*a, mask, **settings), tuple(arguments), tuple(changes))

    return derivative


ad.primitive_jvps[_attention] = _derivative
ad.primitive_jvps[_change] = _through(_plain_change)
ad.primitive_transposes[_change] = _transpose
ad.primitive_jvps[_gradient] = _through(_plain_gradient)
