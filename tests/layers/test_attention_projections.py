"""Attention of a sequence to itself projects it at once: the same as one projection at a time."""

import jax.numpy as jnp
import numpy as np
import pytest

from lamina import layers, value_and_grad

LAYERS = {
    "MultiHeadAttention": lambda **how: layers.MultiHeadAttention(2, 3, value_dim=2, **how),
    "GroupedQueryAttention": lambda **how: layers.GroupQueryAttention(3, 4, 2, **how),
}


def _with_gradients(layer, query, value):
    """The output and the gradients of all weights; `query` and `value` may be one array."""
    layer(query, value)

    def loss():
        output, scores = layer(query, value, return_attention_scores=True, use_causal_mask=True)
        return jnp.sum(jnp.sin(output.astype("float32"))), (output, scores)

    (_, outputs), gradients = value_and_grad(loss, layer.trainable_variables)()
    return outputs, gradients


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("use_bias", [True, False])
def test_a_sequence_attends_to_itself_as_to_an_equal_one(name, use_bias, rng):
    layer = LAYERS[name](use_bias=use_bias, bias_initializer="uniform")
    x = jnp.asarray(rng.normal(size=(2, 4, 5)), "float32")
    at_once = _with_gradients(layer, x, x)
    one_by_one = _with_gradients(layer, x, x + 0)  # another array, of the same values
    for found, expected in zip(at_once[0], one_by_one[0], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    for found, expected in zip(at_once[1], one_by_one[1], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_projections_at_once_keep_the_policy(policy, rng):
    layer = LAYERS["MultiHeadAttention"](dtype=policy)
    x = jnp.asarray(rng.normal(size=(2, 4, 5)), layer.compute_dtype)
    (at_once, _), gradients = _with_gradients(layer, x, x)
    (one_by_one, _), _ = _with_gradients(layer, x, x + 0)
    assert at_once.dtype == one_by_one.dtype == layer.compute_dtype
    assert all(g.dtype == "float32" for g in gradients)
    np.testing.assert_allclose(
        at_once.astype("float32"), one_by_one.astype("float32"), rtol=0.02, atol=0.02
    )


def test_a_penalty_on_the_projections_counts_each_of_them(rng):
    layer = layers.MultiHeadAttention(2, 3, activity_regularizer="l2")
    x = jnp.asarray(rng.normal(size=(2, 4, 5)), "float32")
    layer(x, x)
    to_itself = [float(loss) for loss in layer.losses]
    layer(x, x + 0)
    assert len(to_itself) >= 4
    np.testing.assert_allclose(to_itself, [float(loss) for loss in layer.losses], rtol=1e-5)
