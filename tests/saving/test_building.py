"""What is built, drawn and read when a model is saved before its time, or opened."""

import numpy as np
import pytest

import lamina
from lamina.core.messages.errors import LaminaWarning
from lamina.saving import load_model, register_keras_serializable

pytestmark = pytest.mark.filterwarnings("ignore:.*is written in the layout of Keras 2")
NAMES = ["model.keras", "model.h5"]
X = np.ones((1, 3))


class Unbuilt(lamina.Model):
    def __init__(self):
        super().__init__()
        self.dense = lamina.layers.Dense(2)

    def call(self, x):
        return self.dense(x)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_without_weights_is_saved_and_loaded(name, tmp_path):
    lamina.Sequential([lamina.layers.Rescaling(2.0)]).save(tmp_path / name)
    assert load_model(tmp_path / name)(X).tolist() == [[2, 2, 2]]


@pytest.mark.parametrize("make", [Unbuilt, lambda: lamina.Sequential([lamina.layers.Dense(2)])])
def test_a_model_that_has_no_weights_yet_is_saved_without_them_with_a_word(make, tmp_path):
    register_keras_serializable()(Unbuilt)
    with pytest.warns(LaminaWarning, match="has no weights yet: the file will hold its layers"):
        make().save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    assert not again.built
    assert again(X).shape == (1, 2)


@pytest.mark.parametrize("name", NAMES)
def test_no_initializer_runs_for_weights_that_a_file_brings(name, tmp_path):
    asked = []

    @register_keras_serializable()
    class Slow(lamina.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            asked.append(shape)
            return np.ones(shape, dtype)

    dense = lamina.layers.Dense(2, kernel_initializer=Slow())
    model = lamina.Sequential([lamina.Input((3,)), dense, lamina.layers.BatchNormalization()])
    model.save(tmp_path / name)
    again = load_model(tmp_path / name)
    assert asked == [(3, 2)]  # of the first model
    for mine, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_weight_that_no_file_brings_has_its_first_value(tmp_path):
    @register_keras_serializable()
    class Keeps(lamina.Layer):
        def build(self, shape):
            self.scale = self.add_weight((2,), initializer="ones", name="scale")
            # It is read while the layer is built, before the file's value could have come.
            self.doubled = float(self.scale[0]) * 2
            self.shift = self.add_weight((2,), initializer="ones", name="shift")

        def call(self, x):
            return x * self.scale + self.shift

        def save_own_variables(self, store):
            pass

        def load_own_variables(self, store):
            pass

    lamina.Sequential([lamina.Input((2,)), Keeps()]).save(tmp_path / "model.keras")
    layer = load_model(tmp_path / "model.keras").layers[0]
    assert (layer.doubled, layer.scale.numpy().tolist()) == (2, [1, 1])
    assert layer.shift.numpy().tolist() == [1, 1]


def test_a_part_is_found_under_any_of_its_names(tmp_path):
    class Plain(lamina.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.blocks = lamina.layers.Dense(2), [lamina.layers.Dense(1)]

        def call(self, x):
            return self.blocks[0](self.dense(x))

    class Renamed(lamina.Model):
        def __init__(self):
            super().__init__()
            self.a_dense, self.a_list = lamina.layers.Dense(2), [lamina.layers.Dense(1)]

        @property
        def dense(self):
            return self.a_dense

        @property
        def blocks(self):
            return self.a_list

        def call(self, x):
            return self.blocks[0](self.dense(x))

    saved, other = Plain(), Renamed()
    assert not np.allclose(saved(X), other(X))
    saved.save_weights(tmp_path / "w.weights.h5")
    other.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_array_equal(saved(X), other(X))


class MakesInBuild(lamina.Model):
    def build(self, shape):
        self.blocks = [lamina.layers.Dense(4), lamina.layers.Dense(2)]
        super().build(shape)

    def call(self, x):
        return self.blocks[1](self.blocks[0](x))


class MakesTwo(lamina.Layer):
    def build(self, a_shape, b_shape):
        self.a, self.b = lamina.layers.Dense(2), lamina.layers.Dense(2)

    def call(self, a, b):
        return self.a(a) + self.b(b)

    def compute_output_shape(self, a_shape, b_shape):
        return (*a_shape[:-1], 2)


class HoldsOne(lamina.Model):
    def __init__(self):
        super().__init__()
        self.two = MakesTwo()

    def call(self, x):
        return self.two(x, x)


def of_input():
    x = lamina.Input((3,))
    return lamina.Model(x, MakesTwo()(x, x))


@pytest.mark.parametrize("make", [MakesInBuild, HoldsOne, of_input])
@pytest.mark.parametrize("how", ["call", "build"])
def test_layers_that_a_build_has_made_are_loaded(make, how, tmp_path):
    for cls in (MakesInBuild, MakesTwo, HoldsOne):
        register_keras_serializable()(cls)
    model = make()
    if how == "call":
        model(X)
    else:
        model.build((None, 3))
    assert len(model.weights) == 4
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "model.keras")(X), model(X))
