"""Copies of a model begin as it did, except for what a change concerns."""

import numpy as np
import pytest

import lamina
from lamina.diagnosis.experiments.copies import CannotCopyError, apply_data_changes, make_copy
from lamina.diagnosis.experiments.setup import Samples, TrainingSetup, without_side_effects
from lamina.findings import Change
from lamina.layers import Dense, Input

RNG = np.random.default_rng(0)
X = RNG.normal(5, 3, size=(60, 3)).astype("float32")
Y = RNG.integers(0, 2, size=60)


class Own(lamina.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.last = Dense(4, "tanh"), Dense(2, "softmax")

    def call(self, x):
        return self.last(self.hidden(x))


@pytest.fixture(scope="module", params=["graph", "own call"])
def setup(request):
    """A model that has begun with known weights."""
    if request.param == "graph":
        model = lamina.Sequential(
            [Input((3,)), Dense(4, "tanh", name="hidden"), Dense(2, "softmax", name="last")]
        )
    else:
        model = Own()
        model(X[:2])
        model.hidden.name, model.last.name = "hidden", "last"
    model.compile(lamina.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    start = [np.array(weight) for weight in model.weights]
    samples = Samples(X, Y)
    return TrainingSetup(model, model._learner.compile_config, 0.1, start, samples, samples, 2)


def activations(model):
    return [layer.activation.__name__ for layer in model.layers if isinstance(layer, Dense)]


def test_a_copy_begins_with_the_weights_of_the_model(setup):
    copy = make_copy(setup)
    assert copy is not setup.model
    for weight, value in zip(copy.weights, setup.initial_weights, strict=True):
        np.testing.assert_array_equal(weight, value)
    assert type(copy.optimizer) is lamina.optimizers.SGD
    assert copy.optimizer is not setup.model.optimizer


def test_a_setting_of_a_layer_is_changed(setup):
    copy = make_copy(setup, [Change("layer", "activation", "relu", "hidden")])
    assert activations(copy) == ["relu", "softmax"]
    assert activations(setup.model) == ["tanh", "softmax"]
    np.testing.assert_array_equal(copy.weights[0], setup.initial_weights[0])


def test_arguments_of_compile_are_changed(setup):
    assert (
        float(make_copy(setup, [Change("compile", "learning_rate", 0.5)]).optimizer.learning_rate)
        == 0.5
    )
    assert (
        type(make_copy(setup, [Change("compile", "optimizer", "adam")]).optimizer).__name__
        == "Adam"
    )


def test_a_layer_that_is_not_there_is_refused(setup):
    with pytest.raises(CannotCopyError, match="'hiden'"):
        make_copy(setup, [Change("layer", "activation", "relu", "hiden")])


@pytest.mark.parametrize("setup", ["graph"], indirect=True)
def test_a_layer_with_other_units_begins_anew(setup):
    copy = make_copy(setup, [Change("layer", "units", 7, "hidden")])
    assert copy.layers[0].units == 7
    assert tuple(copy.weights[2].shape) == (7, 2)


@pytest.mark.parametrize("setup", ["graph"], indirect=True)
def test_a_hidden_layer_is_inserted(setup):
    copy = make_copy(setup, [Change("model", "insert-hidden-layer", 5, "last")])
    assert [layer.units for layer in copy.layers] == [4, 5, 2]


@pytest.mark.parametrize("setup", ["graph"], indirect=True)
def test_operations_on_data(setup):
    train, validation = apply_data_changes(setup, [Change("data", "standardize-inputs")])
    np.testing.assert_allclose(train.x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(validation.x.std(axis=0), 1, atol=1e-5)
    train, _ = apply_data_changes(setup, [Change("data", "divide-inputs-by", 2)])
    np.testing.assert_allclose(train.x, X / 2)
    train, validation = apply_data_changes(setup, [Change("data", "shuffle-before-split")])
    together = np.concatenate([train.x, validation.x])
    np.testing.assert_array_equal(
        np.sort(together, axis=0), np.sort(np.concatenate([X, X]), axis=0)
    )
    with pytest.raises(CannotCopyError, match="square"):
        apply_data_changes(setup, [Change("data", "square")])


def test_the_users_program_does_not_notice_it():
    lamina.utils.set_random_seed(3)
    expected = np.random.random()
    lamina.utils.set_random_seed(3)
    with without_side_effects():
        lamina.utils.set_random_seed(9)
        np.random.random(5)
    assert np.random.random() == expected


def test_an_inserted_layer_has_a_name_of_its_own():
    taken = [Dense(3, name="inserted_0"), *(Dense(3, name=f"dense_{i}") for i in range(40))]
    samples = Samples(X, Y)
    stack = lamina.Sequential([Input((3,)), *taken, Dense(2, name="last")])
    stack.compile("adam", "mse")
    setup = TrainingSetup(
        stack, stack._learner.compile_config, None, None, samples, samples, epochs=1
    )
    copy = make_copy(setup, [Change("model", "insert-hidden-layer", 5, "last")])
    assert [layer.units for layer in copy.layers[-2:]] == [5, 2]
