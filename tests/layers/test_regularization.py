"""Dropout: random in training only, the same from the same seed."""

import jax.numpy as jnp
import numpy as np
import pytest

from lamina import layers
from lamina.core.variable.stateless import stateless, values_of


def test_about_the_right_part_is_dropped_and_the_rest_scaled():
    y = np.asarray(layers.Dropout(0.3, seed=1)(np.ones((100, 100)), training=True))
    assert abs((y == 0).mean() - 0.3) < 0.02
    np.testing.assert_allclose(y[y > 0], 1 / 0.7, rtol=1e-6)


def test_every_call_draws_another_pattern():
    layer = layers.Dropout(0.5)
    first = layer(np.ones(50), training=True)
    assert not np.array_equal(first, layer(np.ones(50), training=True))


def test_the_same_seed_gives_the_same_patterns():
    first, second = (layers.Dropout(0.5, seed=4) for _ in range(2))
    for _ in range(2):
        x = np.ones(50)
        np.testing.assert_array_equal(first(x, training=True), second(x, training=True))


def test_a_pure_function_carries_the_seed_along():
    layer = layers.Dropout(0.5, seed=4)
    pure = stateless(lambda: layer(jnp.ones(50), training=True), layer.variables)
    first, state = pure(values_of(layer.variables))
    again, _ = pure(values_of(layer.variables))
    later, _ = pure(state)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, later)


def test_noise_shape_drops_whole_channels():
    y = np.asarray(layers.Dropout(0.5, (None, 1, None), seed=1)(np.ones((4, 9, 8)), training=True))
    assert (y == y[:, :1]).all()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.Dropout(50), ValueError, r"Fix: rate=0.5"),
        (lambda: layers.Dropout(-0.1), ValueError, "between 0 and 1; received -0.1"),
        (lambda: layers.Dropout("0.5"), TypeError, "rate must be a number"),
        (lambda: layers.Dropout(0.5, noise_shape="n"), ValueError, "noise_shape must be"),
        (lambda: layers.Dropout(0.5, noise_shape=(0, 1)), ValueError, "noise_shape must be"),
        (lambda: layers.Dropout(0.5, seed="x"), ValueError, "integer as its seed"),
        (lambda: layers.ActivityRegularization(l1=-1), ValueError, "l1 must be"),
    ],
)
def test_impossible_settings_are_refused_at_once(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_noise_shape_of_another_rank_is_refused():
    with pytest.raises(ValueError, match="needs as many axes as the input"):
        layers.Dropout(0.5, noise_shape=(1, None))(np.ones((2, 3, 4)), training=True)
