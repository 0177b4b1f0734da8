"""Attention layers: the promises of all layers, and what they promise beyond them."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from families.promises import Case, LayerPromises, close
from lamina import config, layers, ops

# Keras's grouped attention hands masked queries to projections that know no masks.
pytestmark = pytest.mark.filterwarnings("ignore:Layer '.*was passed an input with a mask")

QUERY, VALUE, OTHER = (4, 3, 6), (4, 5, 6), (4, 5, 4)
FRAMES = (2, 3, 4, 6)


def heads(
    id, shapes=(QUERY, VALUE), layer="MultiHeadAttention", random="never", mask_axes=2, **settings
):
    sizes = {"num_heads": 2, "key_dim": 3}
    if layer == "GroupQueryAttention":
        sizes = {"num_query_heads": 4, "num_key_value_heads": 2, "head_dim": 3}
    how = {"spread": True, "random": random, "mask_axes": mask_axes}
    return Case(layer, sizes | settings, list(shapes), id=id, **how)


class TestAttention(LayerPromises):
    cases = [
        heads("plain"),
        heads("key", (QUERY, VALUE, OTHER), use_bias=False, output_shape=2),
        heads("gate", use_gate=True, sliding_window=2, kernel_regularizer="l2",
              bias_constraint="non_neg"),
        heads("dropout", random="training", dropout=0.5, value_dim=2,
              activity_regularizer="l2"),
        heads("frames", (FRAMES, FRAMES), mask_axes=3, attention_axes=(2,), output_shape=(2, 3)),
        heads("plain", layer="GroupQueryAttention"),
        heads("gate", layer="GroupQueryAttention", use_gate=True, use_bias=False,
              num_key_value_heads=1, activity_regularizer="l2"),
        Case("Attention", {}, [QUERY, VALUE]),
        Case("Attention", {"use_scale": True, "dropout": 0.5}, [QUERY, OTHER, VALUE],
             random="training"),
        Case("Attention", {"score_mode": "concat", "use_scale": True}, [QUERY, VALUE]),
        Case("AdditiveAttention", {}, [QUERY, VALUE]),
    ]  # fmt: skip


def both(name="MultiHeadAttention", shapes=(QUERY, VALUE), **settings):
    """Our layer and Keras's, with the same small weights."""
    sizes = {"num_heads": 2, "key_dim": 3}
    if name == "GroupQueryAttention":
        sizes = {"num_query_heads": 4, "num_key_value_heads": 2, "head_dim": 3}
    ours, theirs = (getattr(k, name)(**sizes | settings) for k in (layers, keras.layers))
    for layer in (ours, theirs):
        layer.build(*shapes)
    rng = np.random.default_rng(seed=1)
    ours.set_weights([rng.normal(size=w.shape, scale=0.5) for w in ours.weights])
    theirs.set_weights(ours.get_weights())
    return ours, theirs


@pytest.fixture
def query(rng):
    return rng.normal(size=QUERY).astype("float32")


@pytest.fixture
def value(rng):
    return rng.normal(size=VALUE).astype("float32")


# -- heads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupQueryAttention"])
@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("mask", ["none", "of_queries", "of_steps", "given", "given_by_head"])
@pytest.mark.parametrize("causal", [False, True])
def test_masks_of_all_kinds_equal_keras(name, scores, mask, causal, query, value, rng):
    ours, theirs = both(name)
    masks = {
        "none": {},
        # Keras takes the query's mask from the tensor only.
        "of_queries": {},
        "of_steps": {"value_mask": rng.random((4, 5)) < 0.7, "key_mask": rng.random((4, 5)) < 0.7},
        "given": {"attention_mask": rng.random((4, 3, 5)) < 0.7},
        "given_by_head": {"attention_mask": rng.random((1, 2, 1, 5)) < 0.7},
    }[mask]
    if mask == "given_by_head" and name == "GroupQueryAttention":
        masks = {"attention_mask": rng.random((1, 4, 1, 5)) < 0.7}
    query = jnp.asarray(query)
    if mask == "of_queries":
        query._keras_mask = jnp.asarray(rng.random((4, 3)) < 0.7)
    mode = {"return_attention_scores": scores, "use_causal_mask": causal}
    masks = {k: jnp.asarray(v) for k, v in masks.items()}
    close(ours(query, value, **masks, **mode), theirs(query, value, **masks, **mode))


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.1}])
def test_gradients_equal_keras(settings, query, value):
    ours, theirs = both(**settings)
    weights = np.random.default_rng(seed=2).normal(size=QUERY).astype("float32")
    trainable = ours.trainable_variables

    def our_loss():
        return jnp.sum(ours(query, value, use_causal_mask=True) * weights)

    def their_loss(values, fixed):
        output = theirs.stateless_call(values, fixed, query, value, use_causal_mask=True)[0]
        return jnp.sum(output * weights)

    _, gradients = lamina.core.variable.stateless.value_and_grad(our_loss, trainable)()
    fixed = [v.value for v in theirs.non_trainable_variables]
    values = [v.value for v in theirs.trainable_variables]
    expected = jax.jit(jax.grad(their_loss))(values, fixed)
    close(gradients, expected, 1e-4)


def test_values_may_have_another_size_than_keys(query, value):
    # Keras on JAX fails here, unless something keeps it from the fused way.
    ours, theirs = both(value_dim=4)
    close(ours(query, value), theirs(query, value, return_attention_scores=True)[0])


def test_attention_over_two_axes_at_once_equals_keras(rng):
    x = rng.normal(size=FRAMES).astype("float32")
    ours, theirs = both(shapes=(FRAMES, FRAMES))
    close(*(layer(x, x, return_attention_scores=True) for layer in (ours, theirs)))
    mask = rng.random(FRAMES[:3]) < 0.7
    _, scores = ours(x, x, value_mask=mask, return_attention_scores=True)
    unseen = jnp.broadcast_to(~mask[:, None, None, None], scores.shape)
    assert (scores[unseen] == 0).all()
    with pytest.raises(ValueError, match=r"A mask of shape .* does not fit scores of shape"):
        ours(x, x, attention_mask=np.ones((7, 7)))
    with pytest.raises(ValueError, match="use_causal_mask needs one attention axis"):
        ours(x, x, use_causal_mask=True)


def test_scores_of_a_symbolic_call_have_the_steps_of_the_key():
    query, value = lamina.Input((3, 6)), lamina.Input((5, 6))
    layer = layers.MultiHeadAttention(2, 3)
    output, scores = layer(query, value, return_attention_scores=True)
    assert (output.shape, scores.shape) == ((None, 3, 6), (None, 2, 3, 5))


def test_padding_does_not_change_what_a_transformer_gives(rng):
    inputs = lamina.Input((None,), dtype="int32")
    x = layers.Embedding(9, 6, mask_zero=True)(inputs)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 3)(x, x)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    model = lamina.Model(inputs, x)
    words = rng.integers(1, 9, size=(2, 4))
    close(model(np.pad(words, ((0, 0), (0, 3)))), model(words))


def test_a_causal_layer_never_looks_ahead(rng):
    x = rng.normal(size=(1, 6, 4)).astype("float32")
    for layer in (layers.MultiHeadAttention(2, 3), layers.GroupQueryAttention(3, 4, 2)):
        whole = layer(x, x, use_causal_mask=True)
        close(layer(x[:, :3], x[:, :3], use_causal_mask=True), whole[:, :3])
    layer = layers.Attention()
    close(layer([x[:, :3]] * 2, use_causal_mask=True), layer([x] * 2, use_causal_mask=True)[:, :3])


def test_dropped_weights_are_those_of_the_seed(query, value):
    def outputs():
        layer, _ = both(dropout=0.5, seed=4)
        return [np.asarray(layer(query, value, training=True)) for _ in range(2)]

    first, second = outputs()
    assert not np.allclose(first, second)
    close(outputs(), [first, second])


def test_a_subclass_may_compute_attention_in_another_way(query, value):
    class Mean(layers.MultiHeadAttention):
        def _compute_attention(self, query, key, value, *args):
            mean = value.mean(axis=1, keepdims=True)
            return jnp.broadcast_to(mean, query.shape), None

    y = Mean(2, 3)(query, value)
    close(y[:, 0], y[:, 1])


def test_a_transformer_block_compiles_once(compilations, rng):
    inputs = lamina.Input((5, 4))
    x = layers.MultiHeadAttention(2, 2, dropout=0.1)(inputs, inputs)
    model = lamina.Model(inputs, layers.Flatten()(x))
    model.compile(loss="mse")
    x, y = rng.normal(size=(8, 5, 4)), np.zeros((8, 20))
    model.fit(x, y, batch_size=4, verbose=0)
    compilations.reset()
    model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    assert compilations.names == []


@pytest.mark.parametrize("name", ["num_heads", "key_dim", "value_dim", "sliding_window"])
@pytest.mark.parametrize("size", [0, -2, 1.5])
def test_sizes_must_be_whole_numbers_of_one_or_more(name, size):
    with pytest.raises((TypeError, ValueError), match=rf"MultiHeadAttention: {name} must be"):
        layers.MultiHeadAttention(**{"num_heads": 2, "key_dim": 2, name: size})


def test_heads_that_cannot_be_shared_out_are_refused():
    with pytest.raises(ValueError, match="4 query heads cannot share 3 key and value heads"):
        layers.GroupQueryAttention(2, 4, 3)


def test_shapes_that_do_not_fit_are_refused_with_a_hint(query, value):
    layer = layers.MultiHeadAttention(2, 3)
    with pytest.raises(ValueError, match=r"needs a query and a value.\n.*layer\(x, x\)"):
        layer(query)
    with pytest.raises(ValueError, match="the same 3 or more axes"):
        layer(query[0], value[0])
    with pytest.raises(ValueError, match=r"the same steps.*\n.*value \(4, 5, 6\), key \(4, 3, 6\)"):
        layer(query, value, query)
    with pytest.raises(ValueError, match="takes inputs \\(batch, steps, features\\)"):
        layers.GroupQueryAttention(2, 4, 2)(np.ones(FRAMES), np.ones(FRAMES))
    with pytest.raises(ValueError, match="output_shape must be an integer or several"):
        layers.MultiHeadAttention(2, 3, output_shape="wide")


# -- scores ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Attention", "AdditiveAttention"])
@pytest.mark.parametrize("causal", [False, True])
def test_scores_and_masks_of_plain_attention_equal_keras(name, causal, query, value, rng):
    ours, theirs = getattr(layers, name)(), getattr(keras.layers, name)()
    for layer in (ours, theirs):
        layer.build([QUERY, VALUE])
    theirs.set_weights(ours.get_weights())
    masks = [jnp.asarray(rng.random(shape[:2]) < 0.7) for shape in (QUERY, VALUE)]
    mode = {"return_attention_scores": True, "use_causal_mask": causal}
    for mask in (None, masks, [None, masks[1]]):
        arrays = [jnp.asarray(query), jnp.asarray(value)]
        close(ours(arrays, mask=mask, **mode), theirs(arrays, mask=mask, **mode))


def test_plain_attention_takes_a_list_of_two_or_three(query, value):
    for wrong in (query, [query], [query] * 4):
        with pytest.raises(ValueError, match=r"takes a list \[query, value\]"):
            layers.Attention()(wrong)
    with pytest.raises(ValueError, match="query and key must have the same size"):
        layers.Attention()([query, value[..., :2]])
    with pytest.raises(ValueError, match=r"mask must be a list \[query_mask, value_mask\]"):
        layers.Attention()([query, value], mask=np.ones(QUERY[:2]))
    with pytest.raises(ValueError, match="score_mode must be 'dot' or 'concat'; received 'sum'"):
        layers.Attention(score_mode="sum")


# -- the function ----------------------------------------------------------------------------------


@pytest.mark.parametrize("key_heads", [4, 2, 1])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_dot_product_attention_equals_jax(key_heads, causal, dtype, rng):
    query = jnp.asarray(rng.normal(size=(2, 3, 4, 5)), dtype)
    key, value = (jnp.asarray(rng.normal(size=(2, 6, key_heads, 5)), dtype) for _ in range(2))
    bias = jnp.asarray(rng.normal(size=(1, 4, 3, 6)), dtype)
    mask = jnp.asarray(rng.random((2, 1, 3, 6)) < 0.6)
    settings = {"bias": bias, "mask": mask, "scale": 0.3, "is_causal": causal}
    ours = ops.dot_product_attention(query, key, value, **settings)
    expected = jax.nn.dot_product_attention(query, key, value, **settings)
    close(ours, expected, 1e-5 if dtype == "float32" else 2e-2)


def test_dot_product_attention_is_an_operation_of_functional_models(rng):
    def model(k):
        inputs = k.Input((3, 2, 4))
        return k.Model(inputs, k.ops.dot_product_attention(inputs, inputs, inputs, is_causal=True))

    x = rng.normal(size=(2, 3, 2, 4)).astype("float32")
    ours = model(lamina)
    close(ours(x), model(keras)(x))
    close(type(ours).from_config(ours.get_config())(x), ours(x))


def test_a_soft_cap_bends_logits_towards_a_bound(rng):
    x = jnp.asarray(rng.normal(size=(1, 3, 1, 4)))
    far = ops.dot_product_attention(x, x, x, scale=100.0, attn_logits_soft_cap=1e-3)
    close(far, jnp.broadcast_to(x.mean(axis=1, keepdims=True), x.shape), 1e-3)


@pytest.mark.parametrize(
    ("shapes", "what"),
    [
        ([(2, 3, 4), (2, 3, 4), (2, 3, 4)], "of 4 axes"),
        ([(2, 3, 4, 5), (1, 3, 4, 5), (1, 3, 4, 5)], r"the batch \(axis 0\)"),
        ([(2, 3, 4, 5), (2, 6, 4, 5), (2, 3, 4, 5)], r"the steps \(axis 1\)"),
        ([(2, 3, 4, 5), (2, 3, 4, 6), (2, 3, 4, 6)], r"the size \(axis 3\)"),
        ([(2, 3, 4, 5), (2, 3, 3, 5), (2, 3, 3, 5)], "4 heads of the query cannot share 3"),
    ],
)
def test_shapes_that_the_function_cannot_take_are_named(shapes, what):
    with pytest.raises(ValueError, match=what):
        ops.dot_product_attention(*(jnp.zeros(shape) for shape in shapes))


# -- the fused kernel ------------------------------------------------------------------------------


def test_asking_for_the_fused_kernel_says_what_it_needs(query):
    if jax.default_backend() == "gpu":
        pytest.skip("there may be one here")
    with pytest.raises(ValueError, match=r"needs an NVIDIA GPU.*\n.*\n.*leave flash_attention out"):
        layers.MultiHeadAttention(2, 3, flash_attention=True)(query, query)
    with pytest.raises(ValueError, match=r"cannot be used with dropout=0\.5"):
        layers.MultiHeadAttention(2, 3, flash_attention=True, dropout=0.5)


def test_the_fused_kernel_can_be_switched_off_for_new_layers():
    assert config.is_flash_attention_enabled() is None
    config.disable_flash_attention()
    try:
        assert config.is_flash_attention_enabled() is False
        assert layers.MultiHeadAttention(2, 3)._flash_attention is False
    finally:
        config.enable_flash_attention()
    assert config.is_flash_attention_enabled() is None


def test_grouped_attention_has_the_names_of_keras_in_files():
    record = lamina.core.serialization.registry.serialize(layers.GroupQueryAttention(2, 4, 2))
    assert record["class_name"] == "GroupQueryAttention"
    assert record["config"]["name"] == "grouped_query_attention"


@pytest.mark.parametrize("given", [None, np.array([[[True, True, False]] * 3])])
def test_an_override_without_the_causal_argument_gets_the_causal_mask(given):
    masks = []

    class Own(layers.MultiHeadAttention):
        def _compute_attention(
            self, query, key, value, attention_mask=None, training=None, return_scores=False
        ):
            masks.append(attention_mask)
            return super()._compute_attention(
                query, key, value, attention_mask, training, return_scores
            )

    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    own, usual = Own(2, 2, name="same"), layers.MultiHeadAttention(2, 2, name="same")
    own(x, x)
    usual(x, x)
    usual.set_weights(own.get_weights())
    close(
        own(x, x, attention_mask=given, use_causal_mask=True),
        usual(x, x, attention_mask=given, use_causal_mask=True),
    )
    assert masks[0] is None
