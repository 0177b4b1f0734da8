"""Merging layers: masks, functions, and tensors that do not fit together."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.core.layer import masking

FUNCTIONS = ["add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate", "dot"]


def masked(x, mask):
    x = jnp.asarray(x)
    if mask is not None:
        masking.set_mask(x, jnp.asarray(mask))
    return x


def keras_masked(x, mask):
    x = keras.ops.convert_to_tensor(x)
    if mask is not None:
        keras.src.backend.set_keras_mask(x, keras.ops.convert_to_tensor(mask))
    return x


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_function_gives_what_keras_gives(name, rng):
    x, y = rng.normal(size=(2, 4, 3)).astype("float32")
    ours, theirs = getattr(layers, name), getattr(keras.layers, name)
    np.testing.assert_allclose(ours([x, y]), theirs([x, y]), rtol=1e-5)


@pytest.mark.parametrize("second", [True, False], ids=["two masks", "one mask"])
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "dot"])
def test_values_and_masks_of_masked_inputs_equal_keras(name, second, rng):
    x, y = rng.normal(size=(2, 2, 4, 3)).astype("float32")
    masks = [rng.random(size=(2, 4)) > 0.5, (rng.random(size=(2, 4)) > 0.5) if second else None]
    ours = getattr(layers, name)([masked(x, masks[0]), masked(y, masks[1])])
    theirs = getattr(keras.layers, name)([keras_masked(x, masks[0]), keras_masked(y, masks[1])])
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    mine, other = masking.get_mask(ours), keras.src.backend.get_keras_mask(theirs)
    assert (mine is None) == (other is None)
    if mine is not None:
        np.testing.assert_array_equal(mine, other)


def test_unknown_sizes_stay_unknown():
    x, y = layers.Input((None, 3)), layers.Input((None, 3))
    assert layers.Add()([x, y]).shape == (None, None, 3)
    assert layers.Concatenate(axis=1)([x, y]).shape == (None, None, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.Add()(np.zeros((2, 3))), r"takes a list of tensors.*\n.*Add\(\)\(\[x, y\]"),
        (
            lambda: layers.Add()([np.zeros((2, 3)), np.zeros((2, 4))]),
            r"cannot combine sizes 3 and 4 on axis 1.*\n.*\(2, 3\), \(2, 4\)",
        ),
        (lambda: layers.Add()([np.zeros((2, 3)), np.zeros((1, 3))]), "sizes 2 and 1 on axis 0"),
        (lambda: layers.Subtract()([np.zeros((2, 3))] * 3), "takes 2 tensors and received 3"),
        (
            lambda: layers.Concatenate()([np.zeros((2, 3, 1)), np.zeros((2, 4, 1))]),
            "which differ on axis 1",
        ),
        (
            lambda: layers.Concatenate()([np.zeros((2, 3)), np.zeros((2, 3, 1))]),
            "same number of axes",
        ),
        (lambda: layers.Concatenate(axis=2)([np.zeros((2, 3))] * 2), "same number of axes"),
        (lambda: layers.Dot(axes=0)([np.zeros((2, 3))] * 2), "cannot sum over the batch axis"),
        (lambda: layers.Dot(axes=1)([np.zeros((2, 3)), np.zeros((2, 4))]), "the same size"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_dot_axes_must_be_numbers():
    with pytest.raises(TypeError, match="axes must be an integer or two"):
        layers.Dot(axes=(1, 2, 3))


@pytest.mark.parametrize("layer", [layers.Add(), layers.Concatenate()])
@pytest.mark.parametrize(
    ("inputs", "masks", "words"),
    [
        (2, "mask", "takes a list of masks"),
        ("x", [None, None], "takes a list of inputs"),
        (2, [None], "needs one mask, or None, for each of 2 inputs; received 1"),
    ],
)
def test_masks_that_do_not_belong_to_the_inputs_are_refused(layer, inputs, masks, words):
    x = jnp.ones((2, 3))
    with pytest.raises(ValueError, match=words):
        layer.compute_mask([x, x] if inputs == 2 else x, x > 0 if masks == "mask" else masks)


def test_masks_with_values_may_belong_to_inputs_without():
    x, y = lamina.Input((2,)), lamina.Input((2,))
    masks = [lamina.Variable([[1.0, 0.0]]), lamina.Variable([[0.0, 0.0]])]
    assert layers.Concatenate(axis=1).compute_mask([x, y], masks).tolist() == [True]
    assert layers.Concatenate(axis=0).compute_mask([x, y], masks).tolist() == [True, False]
