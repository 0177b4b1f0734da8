"""SpectralNormalization: the kernel inside never stretches a vector."""

import keras
import numpy as np
import pytest

import lamina
from lamina import layers


def spectral_norm(kernel):
    return np.linalg.norm(np.reshape(kernel, (-1, np.shape(kernel)[-1])), 2)


def test_a_call_in_training_changes_the_weights_as_in_keras(rng):
    x = rng.normal(size=(2, 5)).astype("float32")
    ours = layers.SpectralNormalization(layers.Dense(3), power_iterations=2)
    theirs = keras.layers.SpectralNormalization(keras.layers.Dense(3), power_iterations=2)
    ours.build(x.shape)
    theirs.build(x.shape)
    theirs.set_weights(ours.get_weights())
    for _ in range(2):
        expected = theirs(x, training=True)
        np.testing.assert_allclose(ours(x, training=True), expected, atol=1e-5)
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)


def test_training_keeps_the_largest_stretch_at_one(rng):
    conv = layers.Conv2D(4, 3, padding="same", kernel_initializer="random_normal")
    model = lamina.Sequential([lamina.Input((6, 6, 2)), layers.SpectralNormalization(conv)])
    model.compile(optimizer=lamina.optimizers.SGD(1e-3), loss="mse")
    x = rng.normal(size=(64, 6, 6, 2)).astype("float32")
    model.fit(x, 9 * rng.normal(size=(64, 6, 6, 4)), epochs=5, batch_size=8, verbose=0)
    assert spectral_norm(conv.kernel.numpy()) == pytest.approx(1, abs=0.1)


def test_outside_training_nothing_changes(rng):
    layer = layers.SpectralNormalization(layers.Dense(3))
    x = rng.normal(size=(2, 5)).astype("float32")
    np.testing.assert_allclose(layer(x), layer.layer(x))


def test_a_kernel_of_zeros_stays_one():
    layer = layers.SpectralNormalization(layers.Dense(3, kernel_initializer="zeros"))
    assert layer(np.ones((1, 2)), training=True).tolist() == [[0, 0, 0]]


def test_it_wraps_a_table_of_embeddings():
    layer = layers.SpectralNormalization(layers.Embedding(5, 3))
    y = layer(np.array([[1, 2]]), training=True)  # Keras casts the result to integers
    assert y.shape == (1, 2, 3)
    assert y.dtype == "float32"


def test_what_has_no_kernel_is_refused():
    with pytest.raises(ValueError, match="needs a layer with a kernel .* ReLU has neither"):
        layers.SpectralNormalization(layers.ReLU())(np.ones((1, 2)))
    with pytest.raises(
        ValueError, match="power_iterations must be an integer of at least 1; received 0"
    ):
        layers.SpectralNormalization(layers.Dense(2), power_iterations=0)
