"""Activation layers: masks, old names, and settings that are refused."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

from lamina import layers

pytestmark = pytest.mark.quick


def test_softmax_gives_masked_places_probability_zero_as_in_keras(rng):
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    mask = rng.random(size=(2, 3, 4)) > 0.5
    mask[0, 0] = False
    ours, theirs = layers.Softmax()(x, mask=mask), keras.layers.Softmax()(x, mask=mask)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_softmax_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"mask of shape \(3,\) does not fit"):
        layers.Softmax()(np.zeros((2, 4)), mask=jnp.ones(3, bool))


def test_a_mask_travels_through():
    from lamina.core.layer import masking

    x = jnp.zeros((2, 3, 4))
    mask = jnp.ones((2, 3), bool)
    masking.set_mask(x, mask)
    assert masking.get_mask(layers.Activation("tanh")(x)) is mask


def test_leaky_relu_takes_the_name_that_keras_2_had():
    assert layers.LeakyReLU(alpha=0.5).negative_slope == 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.ReLU(max_value=-1), "max_value must be a number of 0 or more"),
        (lambda: layers.ReLU(negative_slope=None), "negative_slope must be"),
        (lambda: layers.LeakyReLU(-0.1), "received -0.1"),
        (lambda: layers.Activation("reluu"), "Did you mean 'relu'"),
    ],
)
def test_impossible_settings_are_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_prelu_on_an_axis_of_unknown_size_suggests_shared_slopes():
    with pytest.raises(ValueError, match=r"PReLU\(shared_axes=\[1\]\)"):
        layers.PReLU()(layers.Input((None, 3)))


def test_prelu_fed_another_shape_is_refused():
    layer = layers.PReLU()
    layer(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="expected size 3 on axis 1"):
        layer(np.zeros((2, 4)))
