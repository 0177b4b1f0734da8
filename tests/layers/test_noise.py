"""Random layers, by their statistics: mean, spread, what is dropped together, and the seed."""

import numpy as np
import pytest

import lamina
from lamina import layers

RANDOM = [
    lambda **k: layers.Dropout(0.3, **k),
    lambda **k: layers.SpatialDropout1D(0.3, **k),
    lambda **k: layers.GaussianNoise(0.3, **k),
    lambda **k: layers.GaussianDropout(0.3, **k),
    lambda **k: layers.AlphaDropout(0.3, **k),
]
each_random = pytest.mark.parametrize("make", RANDOM, ids=lambda make: type(make()).__name__)
ONES = np.ones((20, 10, 100), "float32")


@each_random
def test_outside_training_the_input_is_handed_on(make, rng):
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    np.testing.assert_array_equal(make()(x), x)
    np.testing.assert_array_equal(make()(x, training=False), x)


@each_random
def test_the_mean_stays_in_training(make, rng):
    x = rng.normal(size=(50, 10, 100)).astype("float32")
    np.testing.assert_allclose(make(seed=1)(x, training=True).mean(), x.mean(), atol=0.02)


@each_random
def test_the_same_seed_gives_the_same_series_of_calls(make):
    one, other = make(seed=5), make(seed=5)
    first, second = one(ONES, training=True), one(ONES, training=True)
    np.testing.assert_array_equal(first, other(ONES, training=True))
    np.testing.assert_array_equal(second, other(ONES, training=True))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, make(seed=6)(ONES, training=True))


@each_random
def test_a_compiled_step_draws_anew_each_time(make):
    layer = make(seed=5)
    model = lamina.Sequential([lamina.Input((10, 100)), layer, layers.GlobalAveragePooling1D()])
    model.compile(optimizer="sgd", loss="mse")
    losses = model.fit(ONES, np.zeros((20, 100)), epochs=2, batch_size=20, verbose=0).history
    assert losses["loss"][0] != losses["loss"][1]


def test_gaussian_noise_has_its_standard_deviation():
    noise = layers.GaussianNoise(0.4, seed=1)(ONES, training=True) - ONES
    assert np.std(noise) == pytest.approx(0.4, rel=0.02)


def test_gaussian_dropout_has_the_variance_of_dropout():
    noise = layers.GaussianDropout(0.2, seed=1)(ONES, training=True)
    assert np.std(noise) == pytest.approx(np.sqrt(0.2 / 0.8), rel=0.02)


def test_alpha_dropout_keeps_mean_and_variance_of_standard_values(rng):
    x = rng.normal(size=(200, 500)).astype("float32")
    y = layers.AlphaDropout(0.4, seed=1)(x, training=True)
    assert np.mean(y) == pytest.approx(0, abs=0.02)
    assert np.std(y) == pytest.approx(1, rel=0.02)


def test_alpha_dropout_drops_along_its_noise_shape():
    y = np.asarray(layers.AlphaDropout(0.5, (None, 1, None), seed=1)(ONES, training=True))
    assert (y == y[:, :1]).all()
    assert 0.4 < (y[:, 0] == y.max()).mean() < 0.6


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.SpatialDropout1D, (8, 5, 50)),
        (layers.SpatialDropout2D, (8, 3, 2, 50)),
        (layers.SpatialDropout3D, (8, 3, 2, 2, 50)),
    ],
)
def test_spatial_dropout_drops_whole_channels(layer, shape):
    y = np.asarray(layer(0.4, seed=1)(np.ones(shape, "float32"), training=True))
    y = y.reshape(8, -1, 50)
    assert (y == y[:, :1]).all()
    assert 0.3 < (y[:, 0] == 0).mean() < 0.5
    assert len({tuple(sample[0]) for sample in y}) == 8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.GaussianNoise(-0.1), "stddev must be 0 or more; received -0.1"),
        (lambda: layers.GaussianDropout(1), "rate must be less than 1"),
        (lambda: layers.AlphaDropout(20), "between 0 and 1; received 20"),
        (lambda: layers.AlphaDropout(0.5, noise_shape=3), "AlphaDropout: noise_shape must be"),
        (lambda: layers.SpatialDropout2D(0.5, "NCHW"), "received 'NCHW'"),
        (
            lambda: layers.SpatialDropout2D(0.5)(np.ones((2, 3, 4)), training=True),
            r"needs inputs \(batch, height, width, channels\) and received shape \(2, 3, 4\)",
        ),
        (
            lambda: layers.AlphaDropout(0.5, (1, None))(np.ones((2, 3, 4)), training=True),
            "needs as many axes as the input",
        ),
    ],
)
def test_bad_settings_and_shapes_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_rate_that_is_no_number_is_refused():
    with pytest.raises(TypeError, match="rate must be a number; received '0.5'"):
        layers.GaussianDropout("0.5")
