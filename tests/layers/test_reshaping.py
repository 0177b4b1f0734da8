"""Flatten and Reshape: what they refuse, and how they say it."""

import numpy as np
import pytest

from lamina import layers


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
        ((3, 5), r"cannot make \(3, 5\) out of \(4, 4\).*\n.*16 values.*holds 15"),
        ((-1, 5), "holds a multiple of 5"),
    ],
)
def test_reshape_to_another_number_of_values_is_refused(target, message):
    with pytest.raises(ValueError, match=message):
        layers.Reshape(target)(np.zeros((2, 4, 4)))


@pytest.mark.parametrize("target", [(-1, -1), (2.5,), (-2, 3)])
def test_impossible_targets_are_refused_at_once(target):
    with pytest.raises(ValueError, match="target_shape must be whole numbers"):
        layers.Reshape(target)
