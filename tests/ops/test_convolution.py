"""Convolution: both lowerings agree with Keras, in value and in gradient."""

import functools
import itertools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from lamina.ops import conv, conv_transpose, depthwise_conv, separable_conv
from lamina.ops.lowering import choose, convolution, convolution_patches, lowering_for

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
# Products of patches, and the library's convolution.
PLATFORMS = ["cpu", "portable"]


def both_sides(rng, spatial, window, data_format, channels=2, filters=3):
    shape = (2, *spatial, channels) if data_format == "channels_last" else (2, channels, *spatial)
    x = jnp.asarray(rng.normal(size=shape), "float32")
    return x, jnp.asarray(rng.normal(size=(*window, channels, filters)), "float32")


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(
    ("case", "data_format"),
    [*itertools.product(CASES, ["channels_last"]), (CASES[3], "channels_first")],
)
def test_value_and_gradients_equal_keras(platform, case, data_format, rng):
    spatial, window, strides, padding, dilation = case
    x, kernel = both_sides(rng, spatial, window, data_format)

    settings = (strides, padding, data_format, dilation)
    with lowering_for(platform):
        assert_same_value_and_gradients(conv, keras.ops.conv, x, kernel, settings)


def assert_same_value_and_gradients(ours, theirs, x, kernel, settings):
    shape = jax.eval_shape(lambda x, kernel: ours(x, kernel, *settings), x, kernel).shape
    weights = jnp.asarray(np.random.default_rng(seed=5).normal(size=shape), "float32")

    @functools.partial(jax.jit, static_argnums=0)
    def value_and_gradients(function, x, kernel):
        y, back = jax.vjp(lambda x, kernel: function(x, kernel, *settings), x, kernel)
        return y, *back(weights)

    found = value_and_gradients(ours, x, kernel)
    for value, expected in zip(found, value_and_gradients(theirs, x, kernel), strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-4)


# Cases with strides along the first axis are never laid in rows.
@pytest.mark.parametrize("in_pieces", [False, True], ids=["whole", "in pieces"])
@pytest.mark.parametrize("case", [CASES[i] for i in (0, 1, 5, 6, 8, 9)])
def test_convolution_by_rows_equals_keras(case, in_pieces, rng, monkeypatch):
    spatial, window, strides, padding, dilation = case
    monkeypatch.setattr(convolution_patches, "_uses_all_axes", lambda _: False)
    if in_pieces:
        monkeypatch.setattr(convolution_patches, "_MAX_UNDIVIDED_BYTES", 0)
        monkeypatch.setattr(convolution_patches, "_MAX_CHUNK_BYTES", 0)
    x, kernel = both_sides(rng, spatial, window, "channels_last")
    settings = (strides, padding, "channels_last", dilation)
    assert_same_value_and_gradients(conv, keras.ops.conv, x, kernel, settings)


def test_large_batches_are_cut_into_equal_pieces():
    million = 10**6
    assert convolution_patches._chunk_size(batch=4, bytes_per_sample=million) == 4
    assert convolution_patches._chunk_size(batch=64, bytes_per_sample=million) == 2
    assert convolution_patches._chunk_size(batch=63, bytes_per_sample=million) == 3
    assert convolution_patches._chunk_size(batch=127, bytes_per_sample=million) == 127


def test_pieces_keep_no_patches_for_the_gradient(rng, monkeypatch):
    monkeypatch.setattr(convolution_patches, "_MAX_UNDIVIDED_BYTES", 0)
    monkeypatch.setattr(convolution_patches, "_MAX_CHUNK_BYTES", 0)
    x, kernel = both_sides(rng, (8, 8), (3, 3), "channels_last", channels=4, filters=4)
    _, back = jax.vjp(conv, x, kernel)
    kept = [leaf.size for leaf in jax.tree.leaves(back)]
    assert sum(kept) <= x.size + kernel.size + 8


def test_derivatives_go_forward_as_well(rng):
    x, kernel = both_sides(rng, (5, 5), (3, 3), "channels_last")
    _, tangent = jax.jvp(lambda k: conv(x, k), (kernel,), (kernel,))
    np.testing.assert_allclose(tangent, conv(x, kernel), atol=1e-5)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("case", [CASES[i] for i in (0, 3, 5, 7, 9)])
def test_depthwise_value_and_gradients_equal_keras(platform, case, rng):
    spatial, window, strides, padding, dilation = case
    x, kernel = both_sides(rng, spatial, window, "channels_last", channels=3, filters=2)
    settings = (strides, padding, "channels_last", dilation)
    theirs = keras.ops.depthwise_conv
    with lowering_for(platform):
        assert_same_value_and_gradients(depthwise_conv, theirs, x, kernel, settings)


# input without batch and channels, kernel, strides, padding, output_padding, dilation
TRANSPOSED = [
    ((4, 3), (3, 2), 1, "valid", None, 1),
    ((4, 3), (2, 2), 2, "valid", None, 1),
    ((4, 3), (2, 3), (3, 2), "valid", (1, 0), 1),
    ((4, 3), (3, 4), 2, "same", None, 1),
    ((4, 3), (1, 2), (3, 2), "same", (1, 1), 1),
    ((4, 3), (3, 2), 1, "same", None, 2),
    ((5,), (3,), 2, "same", 1, 1),
    ((2, 3, 2), (2, 3, 2), 2, "same", None, 1),
]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("case", TRANSPOSED)
def test_transposed_value_and_gradients_equal_keras(platform, case, rng):
    spatial, window, strides, padding, extra, dilation = case
    x, _ = both_sides(rng, spatial, window, "channels_last")
    kernel = jnp.asarray(rng.normal(size=(*window, 3, 2)), "float32")
    settings = (strides, padding, extra, "channels_last", dilation)
    theirs = keras.ops.conv_transpose
    with lowering_for(platform):
        assert_same_value_and_gradients(conv_transpose, theirs, x, kernel, settings)


def test_depthwise_and_transposed_take_the_channels_first(rng):
    x, kernel = both_sides(rng, (5, 6), (2, 3), "channels_first", channels=3, filters=2)
    settings = {"strides": 2, "padding": "same", "data_format": "channels_first"}
    expected = keras.ops.depthwise_conv(x, kernel, **settings)
    np.testing.assert_allclose(depthwise_conv(x, kernel, **settings), expected, atol=1e-5)
    kernel = jnp.swapaxes(kernel, -1, -2)
    expected = keras.ops.conv_transpose(x, kernel, **settings)
    np.testing.assert_allclose(conv_transpose(x, kernel, **settings), expected, atol=1e-5)


def test_separable_equals_keras(rng):
    x, depthwise = both_sides(rng, (5, 6), (2, 3), "channels_last", channels=3, filters=2)
    pointwise = jnp.asarray(rng.normal(size=(1, 1, 6, 4)), "float32")
    settings = {"strides": 2, "padding": "same"}
    expected = keras.ops.separable_conv(x, depthwise, pointwise, **settings)
    found = separable_conv(x, depthwise, pointwise, **settings)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_causal_padding_sees_no_later_step(platform):
    x = jnp.arange(1.0, 5.0).reshape(1, 4, 1)
    with lowering_for(platform):
        every = conv(x, jnp.ones((2, 1, 1)), padding="causal")
        second = conv(x, jnp.ones((2, 1, 1)), strides=2, padding="causal")
    assert every[0, :, 0].tolist() == [1.0, 3.0, 5.0, 7.0]
    assert second[0, :, 0].tolist() == [1.0, 5.0]


def test_groups_of_channels_are_convolved_separately(rng):
    x, _ = both_sides(rng, (5, 5), (2, 2), "channels_last", channels=4)
    kernel = jnp.asarray(rng.normal(size=(2, 2, 2, 6)), "float32")
    np.testing.assert_allclose(conv(x, kernel), keras.ops.conv(x, kernel), atol=1e-5)


@pytest.mark.parametrize("function", [conv, depthwise_conv, conv_transpose])
def test_programs_for_cpus_have_no_convolution_of_the_library(function):
    x, kernel = jnp.ones((2, 5, 5, 2)), jnp.ones((2, 2, 2, 2))
    for platform in PLATFORMS:
        with lowering_for(platform):
            program = jax.jit(function).lower(x, kernel).as_text()
        assert ("stablehlo.convolution" in program) == (platform != "cpu")


def test_very_large_patches_fall_back_to_the_library():
    x = jax.ShapeDtypeStruct((1024, 512, 512, 64), "float32")
    kernel = jax.ShapeDtypeStruct((7, 7, 64, 8), "float32")
    assert jax.eval_shape(conv, x, kernel).shape == (1024, 506, 506, 8)
    with lowering_for("cpu"):
        row = choose("conv", x, kernel, (1, 1), "valid", "channels_last", (1, 1))
    assert row.function is convolution.reference


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
        (lambda x, k: depthwise_conv(x, k[:, :, :1]), "have 2 channels.*expects 1"),
        (lambda x, k: depthwise_conv(x[:, :2], k), "does not fit into inputs of shape"),
        (lambda x, k: conv_transpose(x, k), "4 axes and 3 channels"),
        (lambda x, k: conv_transpose(x, k, output_padding=-1), "0 or more; received -1"),
        (
            lambda x, k: conv_transpose(x[:, :1], k[:2, ..., :2], 1, "same", 0),
            "has an empty result",
        ),
    ],
)
def test_impossible_calls_are_refused(call, message, rng):
    x, kernel = both_sides(rng, (5, 5), (3, 3), "channels_last")
    with pytest.raises(ValueError, match=message):
        call(x, kernel)


@pytest.mark.parametrize("channels", [1, 16])  # by patches, and by rows
def test_no_images_give_no_images(channels):
    y = conv(jnp.ones((0, 6, 6, channels)), jnp.ones((3, 3, channels, 4)), padding="same")
    assert y.shape == (0, 6, 6, 4)
