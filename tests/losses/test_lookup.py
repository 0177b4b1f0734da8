"""Losses by name, and what a name means for given shapes."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras.src.trainers.compile_utils import get_loss

from lamina import losses

KERAS_NAMES = sorted(set(keras.src.losses.ALL_OBJECTS_DICT) - {"Loss", "LossFunctionWrapper"})


@pytest.mark.parametrize("name", KERAS_NAMES)
def test_every_name_that_keras_knows_means_the_same(name):
    ours, theirs = losses.get(name), keras.losses.get(name)
    if isinstance(theirs, keras.losses.Loss):
        assert (type(ours).__name__, ours.name) == (type(theirs).__name__, theirs.name)
    else:
        assert ours.__name__ == theirs.__name__


def test_every_public_name_of_keras_is_there():
    assert {n for n in dir(keras.losses) if not n.startswith("_")} <= set(losses.__all__)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("sparse_categorical_crossentropie", "sparse_categorical_crossentropy"),
        ("mean_square_error", "mean_squared_error"),
        ("msee", "mse"),
    ],
)
def test_a_misspelt_loss_is_refused_with_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=f"Unknown loss '{name}'. Did you mean '{nearest}'"):
        losses.get(name)


def test_what_is_no_loss_is_refused():
    with pytest.raises(TypeError, match="received 3"):
        losses.get(3)


def test_objects_classes_functions_and_none_are_accepted():
    loss = losses.Huber()
    assert losses.get(loss) is loss
    assert isinstance(losses.get(losses.Huber), losses.Huber)
    assert losses.get(losses.huber) is losses.huber
    assert losses.get(None) is None


@pytest.mark.parametrize("function", [losses.mean_squared_error, losses.kl_divergence])
def test_functions_are_saved_by_name(function):
    theirs = getattr(keras.losses, function.__name__)
    assert losses.serialize(function) == keras.losses.serialize(theirs)
    assert losses.deserialize(losses.serialize(function)) is function
    assert keras.losses.deserialize(losses.serialize(function)) is theirs


def _kind(loss):
    return loss.fn.__name__ if hasattr(loss, "fn") else type(loss).__name__.lower()


@pytest.mark.parametrize("identifier", ["crossentropy", "ce", "mse", "Huber", "KLD"])
@pytest.mark.parametrize(
    ("true_shape", "pred_shape"),
    [((8,), (8, 1)), ((8, 1), (8, 1)), ((8,), (8, 4)), ((8, 1), (8, 4)), ((8, 4), (8, 4))],
)
def test_a_name_means_the_loss_that_keras_compiles(identifier, true_shape, pred_shape):
    theirs = get_loss(identifier, np.zeros(true_shape), np.zeros(pred_shape))
    ours = losses.resolve_loss(identifier, true_shape, pred_shape)
    # Keras makes `fn` an attribute of its own classes too.
    assert (ours.name, _kind(ours)) == (theirs.name, _kind(theirs))


def test_a_plain_function_becomes_a_loss_with_its_name():
    def my_loss(y_true, y_pred):
        return jnp.mean(jnp.abs(y_true - y_pred), axis=-1)

    loss = losses.resolve_loss(my_loss, (None, 1), (None, 1))
    assert loss.name == "my_loss"
    assert float(loss([1.0, 2.0], [[1.0], [4.0]])) == 1.0
