"""Freezing: what `trainable` does at every depth, and what then trains. Expected: as in Keras."""

import keras
import numpy as np
import pytest

import lamina
from lamina.core.messages.errors import LaminaWarning


def block(K):
    class Block(K.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = K.layers.Dense(2)
            self.norm = K.layers.BatchNormalization()

        def build(self, input_shape):
            self.scale = self.add_weight(shape=(2,), initializer="ones", name="scale")
            self.shift = self.add_weight(shape=(2,), name="shift", trainable=False)
            self.dense.build(input_shape)
            self.norm.build((None, 2))

        def call(self, x, training=False):
            return self.norm(self.dense(x), training=training) * self.scale + self.shift

    return Block


def model_of(K):
    Block = block(K)
    return K.Sequential([K.Input((2,)), K.layers.Dense(2), Block(name="block"), K.layers.Dense(1)])


def freeze_all(model):
    model.trainable = False


def freeze_one(model):
    model.layers[0].trainable = False


def freeze_the_block(model):
    model.get_layer("block").trainable = False


def freeze_inside(model):
    model.get_layer("block").dense.trainable = False


def freeze_and_unfreeze_the_head(model):
    model.trainable = False
    model.layers[-1].trainable = True


def freeze_and_unfreeze(model):
    model.trainable = False
    model.trainable = True


def freeze_a_variable(model):
    model.get_layer("block").dense.kernel.trainable = False


def unfreeze_inside_a_frozen_block(model):
    model.get_layer("block").trainable = False
    model.get_layer("block").dense.trainable = True


CHANGES = [
    freeze_all, freeze_one, freeze_the_block, freeze_inside, freeze_and_unfreeze_the_head,
    freeze_and_unfreeze, freeze_a_variable, unfreeze_inside_a_frozen_block,
]  # fmt: skip


def parts(model):
    return [model, *model._flatten_layers(include_self=False)]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_weights_are_trainable_where_keras_has_them_so(change):
    ours, theirs = model_of(lamina), model_of(keras)
    before = [v.path for v in ours.weights]
    change(ours)
    change(theirs)
    assert [v.path for v in ours.weights] == before  # freezing moves nothing
    by_name = {part.name: part for part in parts(theirs)}
    for part in parts(ours):
        other = by_name[part.name]
        assert part.trainable == other.trainable
        for kind in ("trainable_weights", "non_trainable_weights", "trainable_variables"):
            found = [v.path for v in getattr(part, kind)]
            assert found == [v.path for v in getattr(other, kind)], (part.name, kind)


@pytest.mark.filterwarnings("ignore:All weights of model")
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_only_trainable_weights_change_in_training(change):
    model = model_of(lamina)
    change(model)
    before = {v.path: v.numpy() for v in model.weights}
    model.compile(lamina.optimizers.SGD(0.1), "mse")
    x = np.random.default_rng(seed=1).normal(size=(16, 2))
    model.fit(x, x[:, :1], verbose=0)
    changed = {v.path for v in model.weights if not np.array_equal(v, before[v.path])}
    norm = model.get_layer("block").norm
    moving = {v.path for v in norm.non_trainable_weights if norm.trainable}
    assert changed == {v.path for v in model.trainable_weights} | moving


def test_unfreezing_between_two_fits_trains_what_was_frozen():
    model = model_of(lamina)
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    x = np.ones((8, 2))
    model.fit(x, x[:, :1], verbose=0)
    kernel = model.layers[0].kernel.numpy()
    model.layers[0].trainable = True
    model.fit(x + np.arange(8)[:, None], x[:, :1], verbose=0)
    assert not np.array_equal(model.layers[0].kernel, kernel)


def test_what_is_made_in_a_frozen_layer_is_frozen():
    layer = block(lamina)(trainable=False)
    layer.build((None, 2))
    assert not layer.dense.trainable
    assert not layer.trainable_weights
    model = lamina.Sequential([lamina.Input((2,)), layer])
    assert not model.trainable_weights
    layer.trainable = True
    assert [v.name for v in model.trainable_weights] == ["scale", "kernel", "bias", "gamma", "beta"]


def test_regularizers_of_frozen_weights_are_no_losses():
    layer = lamina.layers.Dense(2, kernel_regularizer="l2")
    layer.build((None, 2))
    assert len(layer.losses) == 1
    layer.trainable = False
    assert layer.losses == []


def test_trainable_must_be_true_or_false():
    with pytest.raises(TypeError, match="trainable must be True or False; received 'yes'"):
        lamina.layers.Dense(1, trainable="yes")


def discriminator(freeze):
    model = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(1)])
    model.compile("sgd", "mse")
    freeze(model)
    return model


FREEZES = {
    "the model": lambda model: setattr(model, "trainable", False),
    "every layer": lambda model: [setattr(layer, "trainable", False) for layer in model.layers],
}


@pytest.mark.parametrize("train", ["fit", "train_on_batch"])
@pytest.mark.parametrize("freeze", FREEZES)
def test_a_frozen_model_says_once_that_it_does_not_train(freeze, train):
    model = discriminator(FREEZES[freeze])
    settings = {"verbose": 0} if train == "fit" else {}
    with pytest.warns(LaminaWarning, match="All weights of model .* are frozen"):
        getattr(model, train)(np.ones((4, 2)), np.ones((4, 1)), **settings)
    getattr(model, train)(np.ones((4, 2)), np.ones((4, 1)), **settings)


def test_a_frozen_part_of_a_model_that_trains_says_nothing():
    inner = discriminator(FREEZES["the model"])
    outer = lamina.Sequential([lamina.Input((2,)), lamina.layers.Dense(2), inner])
    outer.compile("sgd", "mse")
    outer.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    inner.trainable = True  # what the message advises
    before = inner.get_weights()[0]
    inner.train_on_batch(np.ones((4, 2)), np.ones((4, 1)))
    assert not np.array_equal(inner.get_weights()[0], before)
