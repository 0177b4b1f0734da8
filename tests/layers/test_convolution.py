"""Convolution layers: shapes that cannot be, and the line to type."""

import numpy as np
import pytest

import lamina
from lamina import layers

pytestmark = pytest.mark.quick


def test_images_without_a_channel_axis_are_explained():
    with pytest.raises(ValueError, match="needs images") as caught:
        layers.Conv2D(8, 3, name="edges")(layers.Input((28, 28)))
    message = str(caught.value)
    assert "(batch, height, width, channels) and received shape (None, 28, 28)" in message
    assert "x[..., None]" in message
    assert "lamina.layers.Reshape((28, 28, 1)) before 'edges'" in message


def test_flat_rows_are_refused():
    with pytest.raises(ValueError, match="give it inputs with 4 axes"):
        layers.Conv2D(8, 3)(np.zeros((2, 784)))


def test_channels_first_images_are_explained_in_their_own_order():
    with pytest.raises(ValueError, match=r"\(batch, channels, height, width\)"):
        layers.Conv2D(8, 3, data_format="channels_first")(np.zeros((2, 28, 28)))


def test_another_number_of_channels_is_refused():
    layer = layers.Conv2D(8, 3)
    layer(np.zeros((1, 5, 5, 3)))
    with pytest.raises(ValueError, match="built for 3 channels and received 1"):
        layer(np.zeros((1, 5, 5, 1)))
    with pytest.raises(ValueError, match="data_format='channels_first'"):
        layer(np.zeros((1, 3, 5, 5)))


def test_a_kernel_larger_than_the_image_is_refused():
    with pytest.raises(ValueError, match=r"window of \(5, 5\) does not fit.*\n.*shrunk it too far"):
        layers.Conv2D(8, 5)(layers.Input((3, 3, 1)))


def test_unknown_sizes_stay_unknown():
    layer = layers.Conv2D(8, 3, padding="same", strides=2)
    assert layer(layers.Input((None, 28, 1))).shape == (None, None, 14, 8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Conv2D(0, 3), "filters must be an integer of at least 1"),
        (lambda: layers.Conv2D(8, (3, 3, 3)), "kernel_size must be an integer or 2 of them"),
        (lambda: layers.Conv2D(8, 0), "1 or more; received 0"),
        (lambda: layers.Conv2D(8, 3, padding="causal"), "'valid' or 'same'"),
        (lambda: layers.Conv2D(8, 3, strides=2, dilation_rate=2), "cannot both be above 1"),
        (lambda: layers.Conv2D(8, 3, groups=3), "make filters a multiple of groups"),
        (lambda: layers.Conv2D(8, 3, data_format="last"), "received 'last'"),
        (
            lambda: layers.Conv2D(8, 3, groups=2)(np.zeros((1, 5, 5, 3))),
            "3 channels cannot be divided into",
        ),
        (lambda: layers.Conv2D(8, 3)(layers.Input((5, 5, None))), "know the number of channels"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: layers.Conv2DTranspose(0, 3),
            "filters must be an integer",
        ),
        (
            lambda: layers.Conv2DTranspose(2, 3, strides=2, output_padding=(1, 2)),
            "output_padding must be less than the strides",
        ),
        (lambda: layers.Conv1DTranspose(2, 3, 2, dilation_rate=2), "cannot both be above 1"),
        (lambda: layers.Conv1DTranspose(2, 3, padding="causal"), "received 'causal'"),
        (lambda: layers.Conv2DTranspose(2, 3)(np.ones((2, 5, 5))), "there is no channel axis"),
        (
            lambda: layers.Conv1DTranspose(2, 2, 1, "same", 0)(np.ones((2, 1, 3))),
            "has an empty output for an input of shape",
        ),
        (
            lambda: layers.DepthwiseConv2D(3, depth_multiplier=0),
            "depth_multiplier must be",
        ),
        (lambda: layers.SeparableConv1D(2, 7)(np.ones((2, 5, 3))), r"window of \(7,\) does not"),
        (lambda: layers.SeparableConv1D(2, 2)(lamina.Input((5, None))), "number of channels"),
    ],
)
def test_impossible_transposed_and_separable_convolutions_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", ["Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"])
def test_a_layer_built_for_other_channels_says_so(name):
    layer = getattr(layers, name)(kernel_size=2, **({} if name[0] == "D" else {"filters": 2}))
    layer(np.ones((1, 4, 5, 3)))
    with pytest.raises(ValueError, match=r"built for 3 channels and received 5(.|\n)*channels_f"):
        layer(np.ones((1, 3, 4, 5)))


def test_positions_of_a_volume_take_data_format_before_output_padding_as_in_keras():
    layer = layers.Conv3DTranspose(2, 2, 2, "valid", "channels_first", 1)
    assert layer.output_padding == (1, 1, 1)
    assert layer.data_format == "channels_first"
