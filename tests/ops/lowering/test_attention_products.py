"""Attention as a CPU likes it: the numbers and gradients of the formula, in every mode."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from lamina.ops.attention import dot_product_attention
from lamina.ops.lowering import lowering_for
from lamina.ops.lowering.attention_products import attention_by_products

PADDING = np.array([[True, True, True, False, False], [True] * 5])[:, None, None, :]
MASKS = {"none": None, "causal": np.tri(4, 5, dtype=bool), "padding": PADDING}


@pytest.fixture
def parts(rng):
    shapes = (2, 3, 4, 6), (2, 3, 5, 6), (2, 3, 5, 2)
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def by_the_formula(query, key, value, allowed):
    """Weight by weight, left to autodiff."""
    logits = jnp.einsum("bhqd,bhkd->bhqk", query, key)
    if allowed is not None:
        logits = jnp.where(allowed, logits, 0.7 * jnp.finfo("float32").min)
    return jnp.einsum("bhqk,bhkd->bhqd", jax.nn.softmax(logits), value)


def squares(function, allowed):
    return lambda *parts: jnp.sum(jnp.square(function(*parts, allowed)))


@pytest.mark.parametrize("mask", MASKS)
def test_values_and_gradients_are_those_of_the_formula(parts, mask):
    allowed = MASKS[mask]
    np.testing.assert_allclose(
        attention_by_products(*parts, allowed), by_the_formula(*parts, allowed), atol=1e-6
    )
    ours, theirs = (
        jax.jit(jax.grad(squares(f, allowed), (0, 1, 2)))(*parts)
        for f in (attention_by_products, by_the_formula)
    )
    for mine, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, expected, atol=2e-6)


def test_a_query_that_may_look_nowhere_takes_the_mean_and_moves_no_key(parts):
    nowhere = np.zeros((4, 5), bool)
    output = attention_by_products(*parts, nowhere)
    np.testing.assert_allclose(
        output, np.broadcast_to(parts[2].mean(2, keepdims=True), output.shape), atol=1e-6
    )
    of_query, of_key, _ = jax.grad(squares(attention_by_products, nowhere), (0, 1, 2))(*parts)
    assert not np.any(of_query)
    assert not np.any(of_key)


def test_logits_far_apart_overflow_nothing(parts):
    query, key, value = parts
    gradients = jax.grad(squares(attention_by_products, None), (0, 1, 2))(1e4 * query, key, value)
    assert all(np.isfinite(g).all() for g in gradients)


def test_forward_mode_and_second_derivatives_hold(parts):
    small = [p[:1, :1, :, :2] for p in parts]
    allowed = MASKS["causal"]
    check_grads(
        jax.jit(lambda *p: attention_by_products(*p, allowed)), small, 2, atol=0.02, rtol=0.02
    )


def test_samples_one_by_one_are_the_samples_together(parts):
    each = jax.vmap(lambda *p: attention_by_products(*(x[None] for x in p), None)[0])
    np.testing.assert_allclose(each(*parts), attention_by_products(*parts, None), atol=1e-6)


def test_the_op_gives_the_same_by_products_as_without(parts):
    query, key, value = (np.swapaxes(p, 1, 2) for p in parts)

    def loss(*parts):
        return jnp.sum(dot_product_attention(*parts, mask=PADDING, is_causal=True) ** 2)

    with lowering_for("cpu"):
        ours = jax.jit(jax.value_and_grad(loss, (0, 1, 2)))(query, key, value)
    with lowering_for("portable"):
        theirs = jax.jit(jax.value_and_grad(loss, (0, 1, 2)))(query, key, value)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), ours, theirs)
