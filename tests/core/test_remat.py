"""Computing intermediate values again: the same numbers, less memory, and state that survives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lamina
from lamina.layers import BatchNormalization, Dense, Dropout, Embedding, GlobalAveragePooling1D

X = np.random.default_rng(seed=0).normal(size=(16, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def recomputed(function, *args) -> bool:
    """Whether the gradient of a function has a part that is computed again."""
    return "checkpoint" in str(jax.make_jaxpr(jax.grad(function))(*args)) or "remat" in str(
        jax.make_jaxpr(jax.grad(function))(*args)
    )


def test_remat_changes_no_number_and_computes_again():
    def f(x):
        return jnp.sum(jnp.sin(jnp.exp(jnp.sin(x))))

    g = lamina.remat(f)
    np.testing.assert_allclose(jax.grad(g)(jnp.asarray(X)), jax.grad(f)(jnp.asarray(X)), rtol=1e-6)
    assert recomputed(g, X)
    assert not recomputed(f, X)


def model(scope_arguments):
    lamina.set_random_seed(1)
    with lamina.RematScope(**scope_arguments):
        layers = [
            Dense(8, activation="relu", activity_regularizer="l2", name="first"),
            BatchNormalization(),
            Dropout(0.2),
            Dense(1, name="last"),
        ]
    made = lamina.Sequential([lamina.Input((4,)), *layers])
    made.compile("sgd", "mse")
    return made


SCOPES = [
    {"mode": "full"},
    {"mode": "activations"},
    {"mode": "larger_than", "output_size_threshold": 10},
    {"mode": "list_of_layers", "layer_names": ["first"]},
]


@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: scope["mode"])
def test_training_gives_the_same_numbers_with_state_dropout_and_losses(scope):
    plain, saving = model({"mode": None}), model(scope)
    one = plain.fit(X, Y, epochs=2, batch_size=8, shuffle=False, verbose=0)
    other = saving.fit(X, Y, epochs=2, batch_size=8, shuffle=False, verbose=0)
    np.testing.assert_allclose(one.history["loss"], other.history["loss"], rtol=1e-4)
    for a, b in zip(plain.weights, saving.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_each_mode_computes_the_layers_again_that_it_names():
    def count(scope):
        with lamina.RematScope(**scope):
            small, large = Dense(1, name="small"), Dense(64, name="large", activation="relu")
        x = jnp.ones((2, 4))
        large(x)
        small(large(x))
        text = str(jax.make_jaxpr(lambda x: small(large(x)))(x))
        return text.count("remat") + text.count("checkpoint")

    assert count({"mode": None}) == 0
    assert count({"mode": "list_of_layers", "layer_names": ["other"]}) == 0
    once = count({"mode": "list_of_layers", "layer_names": ["large"]})
    assert once == count({"mode": "larger_than", "output_size_threshold": 100}) > 0
    assert count({"mode": "full"}) == 2 * once


def test_masks_pass_through():
    def pooled(mode):
        lamina.set_random_seed(3)
        with lamina.RematScope(mode=mode):
            inner = lamina.Sequential([Embedding(5, 3, mask_zero=True), GlobalAveragePooling1D()])
        return np.asarray(inner(np.array([[1, 2, 0, 0]])))

    np.testing.assert_allclose(pooled("full"), pooled(None), rtol=1e-6)


def test_other_arguments_are_handed_on_as_they_are():
    @lamina.remat
    def f(x, double, scale=1):
        assert double is True
        return x * 2 * scale if double else x

    assert f(jnp.array(3.0), True, scale=2) == 12.0


def test_a_variable_is_assigned_once():
    v = lamina.Variable(0.0)

    @lamina.remat
    def f(x):
        v.assign_add(1.0)
        return x * x

    assert float(f(jnp.array(3.0))) == 9.0
    assert float(v) == 1.0


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="Unknown mode of RematScope 'ful'. Did you mean 'full'"):
        lamina.RematScope("ful")
