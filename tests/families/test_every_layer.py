"""What holds of the list of layers as a whole: every one tested, and called as in Keras."""

import importlib
import inspect
from pathlib import Path

import keras
import numpy as np
import pytest

import lamina
from families.promises import LayerPromises, built
from lamina import layers

pytestmark = pytest.mark.quick

# Bases and entries, which are no layers to be put in a table.
NO_CASES = {"Layer", "InputSpec", "Input", "InputLayer", "Wrapper"}
# Layers with tests of their own, because Keras needs another framework to make them: TensorFlow
# even for the init_fn of a JaxLayer.
NO_CASES |= {"JaxLayer", "FlaxLayer", "TFSMLayer", "TorchModuleWrapper"}
# Called with states; they are tested in an RNN, and by themselves beside its table.
CELLS = {"GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"}
# Keras makes them with TensorFlow only: compared with its numbers in test_preprocessing.py.
TEXT = {"HashedCrossing", "Hashing", "IntegerLookup", "StringLookup", "TextVectorization"}
# What `Layer` itself takes; Keras writes them out in some classes and not in others.
OF_EVERY_LAYER = {"name", "dtype", "trainable", "activity_regularizer", "args", "kwargs"}
CLASSES = sorted(n for n in layers.__all__ if isinstance(getattr(layers, n), type))


def cases_of_all_tables():
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        if file.stem != Path(__file__).stem:
            module = importlib.import_module(f"families.{file.stem}")
            for table in vars(module).values():
                if isinstance(table, type) and issubclass(table, LayerPromises):
                    yield from table.cases


def test_every_public_layer_is_in_a_table():
    public = {getattr(layers, name).__name__ for name in CLASSES} - NO_CASES - CELLS - TEXT
    tested = {getattr(layers, case.layer).__name__ for case in cases_of_all_tables()}
    assert public - tested == set()


def test_every_public_name_means_the_same_in_keras():
    for name in layers.__all__:
        assert getattr(keras.layers, name).__name__ == getattr(layers, name).__name__


@pytest.mark.parametrize("name", CLASSES)
def test_arguments_have_the_names_order_and_defaults_of_keras(name):
    ours, theirs = arguments(getattr(layers, name)), arguments(getattr(keras.layers, name))
    assert [a for a in ours if a in theirs] == list(theirs)
    for argument, default in theirs.items():
        # Where Keras wants a value and we have one, its scripts still mean the same.
        if default is not inspect.Parameter.empty:
            assert same_for_every_axis(ours[argument]) == same_for_every_axis(default), argument


def arguments(cls):
    parameters = inspect.signature(cls.__init__).parameters
    own = {n: p.default for n, p in parameters.items() if n not in {"self", *OF_EVERY_LAYER}}
    hands_on = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    return own | arguments(cls.__mro__[1]) | own if hands_on else own


def same_for_every_axis(default):
    """(2, 2) for a layer of images is 2 for a layer of any rank."""
    if isinstance(default, (tuple, list)) and default and len(set(map(str, default))) == 1:
        return same_for_every_axis(default[0])
    return float(default) if isinstance(default, (int, np.number)) else default


# Built late for all settings; some make no weights.
MAY_MAKE_WEIGHTS = {"Attention", "Normalization"}


@pytest.mark.parametrize("case", list(cases_of_all_tables()), ids=lambda case: case.id)
def test_a_layer_that_is_not_built_from_the_start_makes_weights(case):
    layer = case.ours()
    if not layer.built and type(layer).__name__ not in MAY_MAKE_WEIGHTS:
        built(case, layer)
        assert layer.weights


def test_a_users_layer_on_one_without_weights_builds_what_it_holds():
    class Activated(layers.ReLU):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            return super().call(self.dense(x))

        def compute_output_shape(self, shape):
            return (*shape[:-1], 2)

    class Scaled(layers.ReLU):
        def build(self, shape):
            self.scale = self.add_weight((shape[-1],), initializer="ones")

        def call(self, x):
            return super().call(x * self.scale)

    for make, weights in ((Activated, 2), (Scaled, 1)):
        model = lamina.Sequential([layers.Input((3,)), made := make()])
        assert (made.built, len(model.weights)) == (True, weights)
    assert not Scaled().built
    assert not lamina.Layer().built
