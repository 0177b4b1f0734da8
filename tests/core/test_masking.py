"""Masks travel with tensors: eagerly, while traced, through models, past layers that know them."""

import warnings

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from lamina.core.configuration.context import context
from lamina.core.layer import masking
from lamina.core.messages.errors import LaminaWarning
from lamina.core.variable.stateless import stateless

pytestmark = pytest.mark.quick

TOKENS = np.array([[1, 2, 0], [3, 0, 0]])
MASK = [[True, True, False], [True, False, False]]


def mean_of_real_steps(K):
    class Mean(K.layers.Layer):
        def call(self, x, mask=None):
            self.seen = mask
            if mask is None:
                return keras.ops.mean(x, axis=1)
            weights = keras.ops.cast(mask, x.dtype)[..., None]
            total = keras.ops.sum(x * weights, axis=1)
            return total / keras.ops.sum(weights, axis=1)

        def compute_mask(self, inputs, mask=None):
            return None

    return Mean()


def embedding(K=lamina):
    return K.layers.Embedding(5, 4, mask_zero=True)


def test_a_mask_stays_with_its_array():
    x = jnp.ones(3)
    assert masking.get_mask(x) is None
    masking.set_mask(x, jnp.array([True, False, True]))
    assert masking.get_mask(x).tolist() == [True, False, True]
    assert masking.get_mask(masking.with_mask_of(x, x * 2)).tolist() == [True, False, True]
    assert masking.get_mask(x * 2) is None


def test_a_mask_stays_with_a_traced_array_until_the_trace_is_over():
    def function(x):
        masking.set_mask(x, x > 0)
        masking.set_mask(x, x > 1)
        seen = masking.get_mask(x)
        assert masking.get_mask(x + 1) is None
        return seen

    compiled = jax.jit(stateless(function, []))
    assert compiled([], jnp.arange(3.0))[0].tolist() == [False, False, True]
    assert not context.masks
    jax.jit(embedding())(TOKENS)
    assert not context.masks


def test_the_first_of_several_outputs_gets_a_single_mask():
    a, b = jnp.ones(2), jnp.ones(3)
    masking.set_masks([a, b], jnp.array([True, False]))
    assert masking.get_mask(a).tolist() == [True, False]
    assert masking.get_mask(b) is None


def test_masks_of_a_structure_go_to_its_tensors_and_replace_none():
    a, b = jnp.ones(1), jnp.ones(1)
    masking.set_mask(b, jnp.array([False]))
    masking.set_masks([a, b], [jnp.array([True]), jnp.array([True])])
    assert [masking.get_mask(t).tolist() for t in (a, b)] == [[True], [False]]
    assert masking.get_masks([jnp.ones(1)]) is None


def chain(K):
    return [
        embedding(K),
        K.layers.Dense(4),
        K.layers.Dropout(0.5),
        K.layers.Activation("tanh"),
        mean_of_real_steps(K),
    ]


def sequential(K):
    return K.Sequential([K.Input((3,), dtype="int32"), *chain(K)], name="model")


def functional(K):
    x = inputs = K.Input((3,), dtype="int32")
    for layer in chain(K):
        x = layer(x)
    return K.Model(inputs, x, name="model")


def subclassed(K):
    class Net(K.Model):
        def __init__(self):
            super().__init__()
            self.steps = chain(K)

        def call(self, x):
            for layer in self.steps:
                x = layer(x)
            return x

    return Net()


def nested(K):
    inner = K.Sequential([K.Input((3,), dtype="int32"), *chain(K)[:2]], name="inner")
    x = inputs = K.Input((3,), dtype="int32")
    x = K.layers.Activation("tanh")(inner(x))
    return K.Model(inputs, mean_of_real_steps(K)(x), name="model")


@pytest.mark.parametrize("make", [sequential, functional, subclassed, nested])
def test_padding_is_left_out_in_every_kind_of_model_as_in_keras(make):
    ours, theirs = make(lamina), make(keras)
    ours(TOKENS)
    theirs(TOKENS)
    values = [np.random.default_rng(seed=3).normal(size=v.shape) for v in ours.weights]
    ours.set_weights(values)
    theirs.set_weights(values)
    expected = theirs(TOKENS)
    np.testing.assert_allclose(ours(TOKENS), expected, atol=1e-6)
    np.testing.assert_allclose(jax.jit(ours)(TOKENS), expected, atol=1e-6)
    np.testing.assert_allclose(ours.predict(TOKENS, verbose=0), expected, atol=1e-6)


def test_masks_pass_between_layers_that_a_train_step_calls_one_by_one():
    class Net(lamina.Model):
        def __init__(self):
            super().__init__()
            self.embed, self.mean = embedding(), mean_of_real_steps(lamina)

        def call(self, x):
            return self.mean(self.embed(x))

        def train_step(self, data):
            x = self.embed(data[0])
            return {"loss": self.mean(x).sum()}

    model = Net()
    model.compile("sgd", "mse")
    model.fit(TOKENS, TOKENS, verbose=0)
    assert model.mean.seen is not None


def test_a_mask_that_is_given_wins():
    layer = mean_of_real_steps(lamina)
    x = embedding()(TOKENS)
    mine = jnp.ones((2, 3), bool)
    layer(x, mask=mine)
    assert layer.seen is mine
    layer(x)
    assert layer.seen.tolist() == MASK


def test_masks_reach_arguments_by_name():
    class Attend(lamina.Layer):
        def call(self, query, value, query_mask=None, value_mask=None):
            self.seen = (query_mask, value_mask)
            return query

    layer = Attend()
    layer(jnp.ones((2, 3, 4)), embedding()(TOKENS))
    assert layer.seen[0] is None
    assert layer.seen[1].tolist() == MASK
    layer(value=jnp.ones((2, 3, 4)), query=embedding()(TOKENS))
    assert layer.seen[0].tolist() == MASK


def test_compute_mask_makes_a_layer_support_masks():
    class Halve(lamina.Layer):
        def call(self, x):
            return x[:, ::2]

        def compute_mask(self, inputs, mask=None):
            return None if mask is None else mask[:, ::2]

    layer = Halve()
    assert layer.supports_masking
    assert masking.get_mask(layer(embedding()(TOKENS))).tolist() == [[True, False], [True, False]]


def test_the_mask_that_inner_layers_gave_is_kept():
    class Wrap(lamina.Layer):
        def __init__(self):
            super().__init__()
            self.embed = embedding()

        def call(self, x):
            return self.embed(x)

    for wrap in (Wrap(), Wrap()):
        wrap.supports_masking = True
        assert masking.get_mask(wrap(TOKENS)).tolist() == MASK


def test_a_layer_that_insists_on_a_mask_can_stand_in_a_functional_model():
    class Insists(lamina.Layer):
        def __init__(self):
            super().__init__()
            self.dense = lamina.layers.Dense(2)

        def call(self, x, mask=None):
            assert mask is not None
            return self.dense(x) * mask[..., None]

    x = inputs = lamina.Input((None,), dtype="int32")
    x = lamina.layers.Activation("relu")(embedding()(x))
    model = lamina.Model(inputs, Insists()(x))
    assert model.output_shape == (None, None, 2)
    assert model(TOKENS)[0, 2].tolist() == [0, 0]
    assert model.count_params() == 20 + 10


def test_a_layer_that_loses_the_mask_says_so_once():
    class Plain(lamina.Layer):
        def call(self, x):
            return x * 2

    layer, x = Plain(), embedding()(TOKENS)
    with pytest.warns(LaminaWarning, match="'plain' received an input with a mask and does"):
        y = layer(x)
    assert masking.get_mask(y) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(x)
        layer.supports_masking = True
        assert masking.get_mask(layer(x)).tolist() == MASK


def test_a_mask_may_be_given_to_a_model():
    class Double(lamina.Layer):
        def __init__(self):
            super().__init__()
            self.supports_masking = True

        def call(self, x):
            return x * 2

    for model in (
        lamina.Sequential([lamina.Input((3, 1)), Double(), mean_of_real_steps(lamina)]),
        (lambda x: lamina.Model(x, mean_of_real_steps(lamina)(Double()(x))))(lamina.Input((3, 1))),
    ):
        x = np.array([[[1.0], [2.0], [30.0]], [[4.0], [50.0], [60.0]]])
        assert model(x, mask=jnp.array(MASK)).tolist() == [[3.0], [8.0]]


def test_casting_an_input_keeps_its_mask():
    x = embedding()(TOKENS)
    y = lamina.layers.Activation("relu", dtype="bfloat16")(x)
    assert y.dtype == "bfloat16"
    assert masking.get_mask(y).tolist() == MASK
