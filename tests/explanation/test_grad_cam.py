"""Grad-CAM against NumPy, from the activations and the weights of the layer behind them."""

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.explanation import grad_cam


@pytest.mark.parametrize("place", [0, 2])
def test_the_map_is_the_weighted_sum_of_the_channels(pictures, picture, place):
    activations = lamina.Model(pictures.inputs, pictures.get_layer("convolution").output)
    maps = np.asarray(activations(picture[None]))[0]
    # The score is a sum of activations times these weights, so they are its gradient.
    gradient = pictures.get_layer("head").kernel.numpy()[:, place].reshape(maps.shape)
    expected = np.maximum((maps * gradient.mean(axis=(0, 1))).sum(axis=-1), 0)
    np.testing.assert_allclose(grad_cam(pictures, picture, place), expected, rtol=1e-4, atol=1e-6)


def test_channels_may_come_first():
    last = lamina.Sequential(
        [lamina.Input((5, 5, 1)), layers.Conv2D(3, 2), layers.GlobalMaxPooling2D(), layers.Dense(2)]
    )
    first = lamina.Sequential(
        [
            lamina.Input((1, 5, 5)),
            layers.Conv2D(3, 2, data_format="channels_first"),
            layers.GlobalMaxPooling2D(data_format="channels_first"),
            layers.Dense(2),
        ]
    )
    first.set_weights(last.get_weights())
    x = np.random.default_rng(0).random((5, 5))
    found, expected = grad_cam(first, x[None, None], 1), grad_cam(last, x, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_convolution_inside_a_nested_model_is_found(pictures, picture):
    x = lamina.Input((6, 6, 1))
    outer = lamina.Model(x, pictures(x))
    np.testing.assert_allclose(grad_cam(outer, picture, 0), grad_cam(pictures, picture, 0))


def test_a_model_without_a_convolution_is_refused(dense):
    with pytest.raises(ValueError, match=r"'small' has no convolution.*\n.*integrated_gradients"):
        grad_cam(dense, np.ones(3))


def test_a_misspelt_layer_gets_the_nearest_name(pictures, picture):
    with pytest.raises(ValueError, match="no layer 'convolutoin'.*Did you mean 'convolution'"):
        grad_cam(pictures, picture, layer="convolutoin")
