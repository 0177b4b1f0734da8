"""Flatten and Reshape: what they refuse, and how they say it."""

import numpy as np
import pytest

import lamina
from lamina import layers

pytestmark = pytest.mark.quick


def test_flatten_keeps_raw_pixels_raw():
    assert layers.Flatten()(np.zeros((2, 4, 4), "uint8")).dtype == "uint8"


def test_flatten_of_an_unknown_size_is_unknown():
    assert layers.Flatten()(layers.Input((None, 3))).shape == (None, None)


def test_flatten_of_a_single_number_is_refused():
    with pytest.raises(ValueError, match="received a single number"):
        layers.Flatten()(np.float32(3.0))


def test_reshape_fills_in_what_is_left_over():
    layer = layers.Reshape((-1, 4))
    assert layer(np.zeros((2, 8, 3))).shape == (2, 6, 4)
    assert layer(layers.Input((None, 3))).shape == (None, None, 4)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ((3, 5), r"cannot reshape \(4, 4\) to \(3, 5\).*\n.*16 values.*has 15"),
        ((-1, 5), "has a multiple of 5"),
    ],
)
def test_reshape_to_another_number_of_values_is_refused(target, message):
    with pytest.raises(ValueError, match=message):
        layers.Reshape(target)(np.zeros((2, 4, 4)))


@pytest.mark.parametrize("target", [(-1, -1), (2.5,), (-2, 3)])
def test_impossible_targets_are_refused_at_once(target):
    with pytest.raises(ValueError, match="target_shape must be integers"):
        layers.Reshape(target)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Permute((0, 1)), r"counted from 1, e.g. \(2, 1\); received \(0, 1\)"),
        (lambda: layers.Permute(2), "received 2"),
        (lambda: layers.Permute((2, 1))(np.ones((2, 3))), "3 axes and received shape"),
        (lambda: layers.RepeatVector(0), "n must be an integer"),
        (lambda: layers.RepeatVector(2)(np.ones((2, 3, 4))), "2 axes and received shape"),
        (lambda: layers.Cropping1D(-1), "0 or more; received -1"),
        (lambda: layers.Cropping1D((2, 3))(np.ones((1, 5, 2))), "remove all of axis 1"),
        (lambda: layers.Cropping2D(1)(lamina.Input((2, None, 1))), "remove all of axis 1"),
        (lambda: layers.Cropping3D((1, 2)), "for every axis, a number or a pair"),
        (lambda: layers.ZeroPadding2D("same"), "for every axis, .* received 'same'"),
        (lambda: layers.ZeroPadding2D(1)(np.ones((2, 3, 4))), "x\\[..., None\\] adds a channel"),
        (lambda: layers.UpSampling2D(0), "size must be .* 1 or more; received 0"),
        (lambda: layers.UpSampling2D(2, "NCHW"), "received 'NCHW'"),
        (lambda: layers.UpSampling2D(2, interpolation="bilinera"), "Did you mean 'bilinear'"),
        (lambda: layers.UpSampling3D(2)(np.ones((2, 3, 4))), "needs inputs .batch, depth"),
        (lambda: layers.AdaptiveMaxPooling2D((2, 0)), "output_size must be .* 1 or more"),
        (lambda: layers.AdaptiveMaxPooling1D(2)(np.ones((2, 3))), "needs inputs .batch, steps"),
    ],
)
def test_impossible_settings_and_shapes_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_sizes_that_are_no_whole_numbers_are_refused():
    with pytest.raises(TypeError, match="size must be an integer"):
        layers.UpSampling1D((2,))


def test_unknown_sizes_stay_unknown():
    image = lamina.Input((None, 4, 3))
    assert layers.Cropping2D(1)(image).shape == (None, None, 2, 3)
    assert layers.ZeroPadding2D(1)(image).shape == (None, None, 6, 3)
    assert layers.UpSampling2D(2, interpolation="bicubic")(image).shape == (None, None, 8, 3)


def test_upsampling_of_whole_numbers_gives_what_it_promises():
    x = np.arange(8).reshape(1, 2, 2, 2)
    for interpolation in ("nearest", "bilinear"):
        layer = layers.UpSampling2D(2, interpolation=interpolation)
        assert layer(x).dtype == layer(lamina.Input((2, 2, 2), dtype="int32")).dtype == "int32"
