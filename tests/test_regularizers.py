"""Regularizers: Keras's penalties, gradients and configs."""

import jax
import keras
import numpy as np
import pytest

from lamina import regularizers
from lamina.core.variable.variable import Variable

CASES = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L2", {}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {"l1": 0.1, "l2": 0.2}),
    ("L1L2", {}),
    ("OrthogonalRegularizer", {"factor": 0.3}),
    ("OrthogonalRegularizer", {"mode": "columns"}),
]


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_penalty_and_gradient_equal_keras(name, settings, rng):
    weights = rng.normal(size=(4, 3)).astype("float32")
    ours = jax.jit(jax.value_and_grad(getattr(regularizers, name)(**settings)))(weights)
    theirs = jax.jit(jax.value_and_grad(getattr(keras.regularizers, name)(**settings)))(weights)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_config_equals_keras_and_makes_the_same_regularizer(name, settings):
    ours = getattr(regularizers, name)(**settings)
    saved = regularizers.serialize(ours)
    theirs = keras.regularizers.serialize(getattr(keras.regularizers, name)(**settings))
    # Keras rounds some strengths to float32.
    numbers = {
        k: pytest.approx(v) if isinstance(v, float) else v for k, v in theirs["config"].items()
    }
    assert saved == {**theirs, "config": numbers}
    again = regularizers.deserialize(saved)
    assert type(again) is type(ours)
    assert again.get_config() == ours.get_config()


def test_a_variable_can_be_penalised():
    assert float(regularizers.L2(1.0)(Variable([1.0, 2.0]))) == 5.0


def test_names_are_understood():
    assert isinstance(regularizers.get("l1"), regularizers.L1)
    assert isinstance(regularizers.get("l1_l2"), regularizers.L1L2)
    assert isinstance(regularizers.get("L1L2"), regularizers.L1L2)
    assert regularizers.get(None) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: regularizers.L1(-1), "0 or more; received -1"),
        (lambda: regularizers.L2(float("nan")), "finite"),
        (lambda: regularizers.L2("strong"), "received 'strong'"),
        (lambda: regularizers.OrthogonalRegularizer(mode="both"), "received 'both'"),
        (lambda: regularizers.OrthogonalRegularizer()(np.zeros((2, 2, 2))), "for matrices"),
        (lambda: regularizers.get("l3"), "Unknown regularizer 'l3'"),
        (lambda: regularizers.Regularizer().get_config(), "cannot be saved"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises((ValueError, NotImplementedError), match=message):
        make()
