"""Convolution: both lowerings agree with Keras, in value and in gradient."""

import functools
import itertools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from lamina.ops import conv, convolution

# input without batch and channels, kernel, strides, padding, dilation
CASES = [
    ((7, 6), (3, 3), 1, "valid", 1),
    ((7, 6), (3, 2), 1, "same", 1),
    ((7, 6), (1, 1), 1, "valid", 1),
    ((7, 6), (3, 3), (2, 1), "same", 1),
    ((8, 6), (4, 3), 3, "valid", 1),
    ((9, 9), (2, 3), 1, "same", (2, 3)),
    ((9, 9), (3, 3), 1, "valid", 2),
    ((9,), (3,), 2, "same", 1),
    ((9,), (3,), 1, "valid", 2),
    ((4, 5, 4), (2, 3, 2), 1, "same", 1),
]
METHODS = {"patches": convolution._patches, "library": convolution._library}


def both_sides(rng, spatial, window, data_format, channels=2, filters=3):
    shape = (2, *spatial, channels) if data_format == "channels_last" else (2, channels, *spatial)
    x = jnp.asarray(rng.normal(size=shape), "float32")
    return x, jnp.asarray(rng.normal(size=(*window, channels, filters)), "float32")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("case", "data_format"),
    [*itertools.product(CASES, ["channels_last"]), (CASES[3], "channels_first")],
)
def test_value_and_gradients_equal_keras(method, case, data_format, rng, monkeypatch):
    spatial, window, strides, padding, dilation = case
    monkeypatch.setattr(convolution, "_suits_patches", lambda *_: method == "patches")
    x, kernel = both_sides(rng, spatial, window, data_format)

    settings = (strides, padding, data_format, dilation)
    shape = jax.eval_shape(lambda x, kernel: conv(x, kernel, *settings), x, kernel).shape
    weights = jnp.asarray(rng.normal(size=shape), "float32")

    @functools.partial(jax.jit, static_argnums=0)
    def value_and_gradients(function, x, kernel):
        y, back = jax.vjp(lambda x, kernel: function(x, kernel, *settings), x, kernel)
        return y, *back(weights)

    ours = value_and_gradients(conv, x, kernel)
    theirs = value_and_gradients(keras.ops.conv, x, kernel)
    for value, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_causal_padding_sees_no_later_step(method, monkeypatch):
    monkeypatch.setattr(convolution, "_suits_patches", lambda *_: method == "patches")
    x = jnp.arange(1.0, 5.0).reshape(1, 4, 1)
    y = conv(x, jnp.ones((2, 1, 1)), padding="causal")
    assert y[0, :, 0].tolist() == [1.0, 3.0, 5.0, 7.0]
    y = conv(x, jnp.ones((2, 1, 1)), strides=2, padding="causal")
    assert y[0, :, 0].tolist() == [1.0, 5.0]


def test_groups_of_channels_are_convolved_separately(rng):
    x, _ = both_sides(rng, (5, 5), (2, 2), "channels_last", channels=4)
    kernel = jnp.asarray(rng.normal(size=(2, 2, 2, 6)), "float32")
    np.testing.assert_allclose(conv(x, kernel), keras.ops.conv(x, kernel), atol=1e-5)


def test_on_cpu_patches_are_chosen_and_the_compiled_program_has_no_convolution(rng):
    if jax.default_backend() != "cpu":
        pytest.skip("the library's convolution is right elsewhere")
    x, kernel = both_sides(rng, (5, 5), (2, 2), "channels_last")
    assert "convolution" not in jax.jit(conv).lower(x, kernel).as_text()


def test_very_large_patches_fall_back_to_the_library():
    x = jax.ShapeDtypeStruct((1024, 512, 512, 64), "float32")
    kernel = jax.ShapeDtypeStruct((7, 7, 64, 8), "float32")
    assert jax.eval_shape(conv, x, kernel).shape == (1024, 506, 506, 8)
    assert not convolution._suits_patches(x, kernel, (1, 1), "channels_last")


def test_half_size_floats_stay_half_size(rng):
    x, kernel = both_sides(rng, (5, 5), (2, 2), "channels_last")
    assert conv(x, kernel.astype("bfloat16")).dtype == "bfloat16"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, k: conv(x[0], k), "needs inputs with 4 axes"),
        (lambda x, k: conv(x[..., :1], k), "have 1 channels.*expects 2"),
        (lambda x, k: conv(x[:, :2], k), "does not fit into inputs of shape"),
        (lambda x, k: conv(x, k, strides=0), "strides must be .* 1 or more; received 0"),
        (lambda x, k: conv(x, k, strides=(1, 1, 1)), "or 2 of them"),
        (lambda x, k: conv(x, k, padding="full"), "received 'full'"),
        (lambda x, k: conv(x, k, data_format="NHWC"), "received 'NHWC'"),
    ],
)
def test_impossible_calls_are_refused(call, message, rng):
    x, kernel = both_sides(rng, (5, 5), (3, 3), "channels_last")
    with pytest.raises(ValueError, match=message):
        call(x, kernel)
