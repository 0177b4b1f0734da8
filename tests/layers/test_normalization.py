"""BatchNormalization and LayerNormalization: modes, masks, and what they refuse."""

import keras
import numpy as np
import pytest

from lamina import layers
from lamina.core.messages.errors import LaminaWarning


def test_a_frozen_layer_uses_and_keeps_its_averages(rng):
    layer = layers.BatchNormalization()
    layer.build((None, 3))
    layer.trainable = False
    x = rng.normal(size=(4, 3)).astype("float32")
    np.testing.assert_array_equal(layer(x, training=True), layer(x, training=False))
    assert layer.moving_mean.numpy().tolist() == [0, 0, 0]


def test_masked_steps_do_not_count_as_in_keras(rng):
    x = rng.normal(size=(3, 5, 2)).astype("float32")
    mask = rng.random(size=(3, 5)) > 0.4
    ours, theirs = layers.BatchNormalization(), keras.layers.BatchNormalization()
    y, expected = (layer(x, training=True, mask=mask) for layer in (ours, theirs))
    np.testing.assert_allclose(y, expected, atol=1e-5)
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6)


def test_a_batch_of_padding_only_is_not_nan():
    layer = layers.BatchNormalization()
    layer(np.ones((2, 3, 4)), training=True, mask=np.zeros((2, 3), bool))
    assert np.isfinite(layer.moving_mean.numpy()).all()


def test_half_size_floats_do_not_overflow():
    layer = layers.BatchNormalization(dtype="mixed_float16")
    y = layer(np.full((2, 3), 60000.0), training=True)
    assert np.isfinite(np.asarray(y, "float32")).all()
    assert layer.moving_variance.dtype == "float32"


def test_a_built_layer_lists_its_axes_as_keras_does():
    layer = layers.LayerNormalization(axis=-1)
    assert layer.get_config()["axis"] == -1
    layer.build((None, 3))
    assert layer.get_config()["axis"] == [-1]


@pytest.mark.parametrize("layer", [layers.BatchNormalization, layers.LayerNormalization])
def test_the_channels_must_stay_as_many(layer):
    built = layer()
    built(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"was built for .*3.* and\s+received"):
        built(np.zeros((2, 4)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.BatchNormalization(axis="last"), TypeError, "integer"),
        (
            lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"max": 1}),
            ValueError,
            r"'rmin', 'rmax' and 'dmax'; received \['max'\]",
        ),
        (
            lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"rmin": 2, "rmax": 1}),
            ValueError,
            "rmin below rmax",
        ),
        (lambda: layers.LayerNormalization(axis=1.5), TypeError, "received 1.5"),
        (
            lambda: layers.BatchNormalization(axis=3)(np.zeros((2, 3))),
            ValueError,
            "no axis 3 in an input of shape",
        ),
        (
            lambda: layers.LayerNormalization()(layers.Input((None,))),
            ValueError,
            "must know the size of axis -1",
        ),
        (
            lambda: layers.BatchNormalization()(
                np.zeros((2, 3, 4)), training=True, mask=np.ones(2, bool)
            ),
            ValueError,
            "one axis less than the input",
        ),
    ],
)
def test_impossible_settings_and_shapes_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_axes_are_taken_in_their_order_in_the_shape(rng):
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    for layer in (layers.LayerNormalization, layers.RMSNormalization):
        mixed = layer(axis=(-1, 1))  # Keras cannot run it
        np.testing.assert_allclose(mixed(x), layer(axis=(1, 2))(x), atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.GroupNormalization(0), "groups must be .* received 0"),
        (
            lambda: layers.GroupNormalization(3)(np.ones((2, 4))),
            "4 channels cannot be divided into",
        ),
        (lambda: layers.GroupNormalization(1, axis=0)(np.ones((2, 4))), "axis 0 is the batch"),
        (lambda: layers.GroupNormalization(1, axis=3)(np.ones((2, 4))), "there is no axis 3"),
        (lambda: layers.UnitNormalization(axis=3)(np.ones((2, 4))), "there is no axis 3"),
        (lambda: layers.RMSNormalization(axis=2)(np.ones((2, 4))), "there is no axis 2"),
    ],
)
def test_impossible_axes_and_groups_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_vector_of_zeros_has_no_direction_and_stays():
    assert layers.UnitNormalization()(np.zeros((1, 3))).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"renorm_clipping": {"rmin": 0.5, "rmax": 1.5, "dmax": 0.3}, "renorm_momentum": 0.9},
        {"scale": False},
        {"center": False},
        {"moving_variance_initializer": "zeros"},
    ],
)
def test_batch_renormalisation_is_that_of_keras(settings, rng):
    ours, theirs = (
        K.BatchNormalization(renorm=True, momentum=0.8, **settings) for K in (layers, keras.layers)
    )
    batches = rng.normal(2, 3, size=(3, 5, 3)).astype("float32")
    for x in batches:
        expected = theirs(x, training=True)
        np.testing.assert_allclose(ours(x, training=True), expected, atol=1e-4)
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-4)
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-4)


@pytest.mark.filterwarnings("ignore:You passed `rms_scaling=True`:UserWarning")
@pytest.mark.parametrize("axis", [-1, [1, 2]])
def test_rms_scaling_is_that_of_keras_and_says_what_it_is(axis, rng):
    x = rng.normal(size=(2, 4, 3)).astype("float32")
    with pytest.warns(LaminaWarning, match="not by the root mean square"):
        ours = layers.LayerNormalization(axis=axis, rms_scaling=True)
    theirs = keras.layers.LayerNormalization(axis=axis, rms_scaling=True)
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-4)
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights] == ["gamma"]
