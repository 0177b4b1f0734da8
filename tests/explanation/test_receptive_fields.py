"""Receptive fields in closed form against the numbers that a gradient reaches."""

import jax
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.explanation import receptive_field


@pytest.fixture(scope="module")
def network():
    """All kinds of layers with windows, and a branch."""
    x = lamina.Input((23, 19, 2))
    h = layers.Conv2D(3, 3, strides=2, padding="same", name="strided")(x)
    h = layers.BatchNormalization()(h)
    wide = layers.Conv2D(3, 3, dilation_rate=2, padding="same", name="dilated")(h)
    h = layers.Add()([wide, layers.AveragePooling2D(3, 1, padding="same")(h)]) + 1.0
    h = layers.ZeroPadding2D(((2, 1), (0, 3)))(h)
    h = layers.DepthwiseConv2D((2, 4), name="depthwise")(h)
    h = layers.UpSampling2D(2)(h)
    h = layers.Conv2DTranspose(2, 3, strides=2, padding="same", name="transposed")(h)
    h = layers.Cropping2D(3)(h)
    h = layers.SeparableConv2D(3, 3, name="separable")(h)
    h = layers.Conv2D(3, 4, strides=3, name="last")(layers.Concatenate()([h, h]))
    return lamina.Model(x, h)


@pytest.fixture(scope="module")
def reached(network):
    """Which inputs some outputs of a layer depend on: its weights are above 0, so none cancels."""
    names = ["strided", "dilated", "depthwise", "transposed", "separable", "last"]
    positive = lamina.models.clone_model(network)
    positive.set_weights([np.abs(w) + 0.1 for w in network.get_weights()])
    outputs = [positive.get_layer(name).output for name in names]
    model = lamina.Model(positive.inputs, dict(zip(names, outputs, strict=True)))

    @jax.jit
    def gradients(x):
        def chosen(x):
            found = model(x)
            return {
                name: [found[name][0, r, c].sum() for r, c in positions(found[name].shape)]
                for name in names
            }

        return jax.jacrev(chosen)(x)

    found = gradients(np.ones((1, 23, 19, 2), "float32"))
    return {name: [np.asarray(g)[0].sum(axis=-1) != 0 for g in found[name]] for name in names}


def positions(shape):
    _, rows, columns, _ = shape
    return [(0, 0), (rows - 1, columns - 1), (rows // 2, 1), (3, 2)]


@pytest.mark.parametrize(
    "name", ["strided", "dilated", "depthwise", "transposed", "separable", "last"]
)
def test_it_is_the_part_of_the_input_that_a_gradient_reaches(network, reached, name):
    shape = network.get_layer(name).output.shape
    for position, there in zip(positions(shape), reached[name], strict=True):
        field = receptive_field(network, name, position)
        rows, columns = np.nonzero(there)
        if not len(rows):
            assert "nothing but padding" in repr(field)
            continue
        expected = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        assert field.slices == expected, position


def test_two_convolutions_of_3_and_pooling_of_2_see_8():
    # Araujo et al., 2019: the sizes add up as 1 + 2·1 + 1·1 + 2·2.
    model = lamina.Sequential(
        [lamina.Input((30, 30, 1)), layers.Conv2D(1, 3), layers.MaxPooling2D(), layers.Conv2D(1, 3)]
    )
    assert receptive_field(model, model.layers[-1].name).size == (8, 8)


def test_a_causal_convolution_sees_only_earlier_steps():
    model = lamina.Sequential(
        [lamina.Input((20, 1)), layers.Conv1D(1, 3, dilation_rate=2, padding="causal", name="c")]
    )
    field = receptive_field(model, "c", 10)
    assert (field.start, field.stop) == ((6,), (11,))
    assert repr(field).startswith("Position (10,) of 'c' sees steps 6–10 of the input")


def test_it_goes_through_nested_models(network):
    x = lamina.Input((23, 19, 2))
    body = lamina.Model(network.inputs, network.get_layer("dilated").output, name="body")
    outer = lamina.Model(x, layers.Conv2D(1, 3, name="behind")(body(x)))
    inner = receptive_field(outer, "dilated", (3, 4))
    assert inner.slices == receptive_field(network, "dilated", (3, 4)).slices
    assert receptive_field(outer, "behind", (3, 4)).size == (15, 15)


def test_the_filter_is_that_of_the_channel(network):
    kernel = network.get_layer("dilated").kernel.numpy()
    np.testing.assert_array_equal(
        receptive_field(network, "dilated", unit=1).kernel, kernel[..., 1]
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("strided", (99, 0)), r"position=\(99, 0\) is not a position"),
        (("stridde",), "no layer 'stridde'.*Did you mean 'strided'"),
        (("strided", (0, 0), 7), "has the channels 0 to 2; received unit=7"),
    ],
)
def test_what_is_not_there_is_named(network, arguments, message):
    with pytest.raises(ValueError, match=message):
        receptive_field(network, *arguments)


def test_a_layer_without_positions_sees_everything(pictures):
    with pytest.raises(ValueError, match="'head' has the shape .* depends on the whole input"):
        receptive_field(pictures, "head")


def test_a_model_that_is_no_graph_is_refused(own):
    with pytest.raises(ValueError, match="do not form a graph"):
        receptive_field(own, "head")


def test_a_layer_of_unknown_kind_is_named():
    class Odd(layers.Layer):
        def call(self, x):
            return x[:, ::-1]

    model = lamina.Sequential([lamina.Input((9, 9, 1)), Odd(name="odd"), layers.Conv2D(1, 3)])
    with pytest.raises(ValueError, match="cannot be computed through 'odd'"):
        receptive_field(model, model.layers[-1].name)


def test_the_picture_frames_the_field(network):
    field = receptive_field(network, "strided", (3, 4))
    figure = field.plot(np.zeros((23, 19, 2))[..., :1])
    (frame,) = figure.axes[0].patches
    assert (frame.get_x(), frame.get_y(), frame.get_width()) == (6.5, 4.5, 3)
