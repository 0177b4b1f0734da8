"""Configs: what a layer was made with, written and read without a line of its user's."""

import json

import keras
import numpy as np
import pytest

import lamina
from lamina.core.serialization import registry

X = np.ones((2, 3), "float32")


def plain(config):
    return json.loads(json.dumps(config))


def automatic(K):
    class Own(K.layers.Layer):
        def __init__(self, units, factor=2.0, sizes=(1, 2), label=None, **kwargs):
            super().__init__(**kwargs)
            self.units, self.factor, self.sizes = units, factor, sizes

    return Own


def written(K):
    class Own(K.layers.Layer):
        def __init__(self, units, activation=None, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.activation = K.activations.get(activation)

        def get_config(self):
            return {
                **super().get_config(),
                "units": self.units,
                "activation": K.activations.serialize(self.activation),
            }

    return Own


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (automatic, {"units": 3}),
        (automatic, {"units": 3, "factor": 1, "sizes": [4], "label": "x", "name": "it"}),
        (automatic, {"units": 3, "trainable": False, "dtype": "mixed_bfloat16"}),
        (automatic, {"units": 3, "activity_regularizer": "l2", "name": "it"}),
        (written, {"units": 3, "activation": "relu"}),
        (written, {"units": 3, "trainable": False, "name": "it"}),
    ],
    ids=lambda v: getattr(v, "__name__", str(v)),
)
def test_the_config_equals_that_of_keras_and_makes_the_same_layer(make, arguments):
    ours = make(lamina)(**arguments)
    if "activity_regularizer" in arguments:
        theirs = make(keras)(**{**arguments, "activity_regularizer": None})
        theirs.activity_regularizer = keras.regularizers.get("l2")
    else:
        theirs = make(keras)(**arguments)
    assert plain(ours.get_config()) == plain(theirs.get_config())
    again = type(ours).from_config(plain(ours.get_config()))
    assert plain(again.get_config()) == plain(ours.get_config())
    assert (again.name, again.trainable, again.dtype_policy) == (
        ours.name,
        ours.trainable,
        ours.dtype_policy,
    )


def test_arguments_by_place_are_in_the_config_too():
    layer = automatic(lamina)(3, 4.0)
    assert {"units": 3, "factor": 4.0, "sizes": (1, 2)}.items() <= layer.get_config().items()


def test_a_class_that_takes_no_standard_arguments_keeps_them_nevertheless():
    class Short(lamina.Layer):
        def __init__(self, units):
            super().__init__()
            self.units = units

    layer = Short(3)
    layer.name, layer.trainable, layer.dtype_policy = "special", False, "mixed_float16"
    again = Short.from_config(plain(layer.get_config()))
    assert (again.units, again.name, again.trainable, again.compute_dtype) == (
        3,
        "special",
        False,
        "float16",
    )


def test_objects_among_the_arguments_are_written_and_made_again():
    class Wrap(lamina.Layer):
        def __init__(self, inner, regularizer=None, table=None):
            super().__init__()
            self.inner, self.regularizer, self.table = inner, regularizer, table

        def call(self, x):
            return self.inner(x)

    layer = Wrap(lamina.layers.Dense(2), lamina.regularizers.L2(0.5), {"a": np.array([1, 2])})
    again = Wrap.from_config(plain(layer.get_config()))
    assert (again.inner.units, float(again.regularizer.l2)) == (2, 0.5)
    assert again.table["a"].tolist() == [1, 2]


def variadic():
    class Many(lamina.Layer):
        def __init__(self, *sizes):
            super().__init__()

    return Many(1, 2)


def with_file():
    class Reader(lamina.Layer):
        def __init__(self, file):
            super().__init__()

    return Reader(object())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (variadic, r"'many' cannot be written as a config: its argument 'sizes' has no keyword"),
        (with_file, r"'reader' cannot be written as a config: <object"),
    ],
)
def test_arguments_that_are_no_data_ask_for_a_get_config(make, message):
    with pytest.raises(TypeError, match=message) as caught:
        make().get_config()
    assert isinstance(caught.value, NotImplementedError)  # as in Keras
    assert "give" in str(caught.value)
    assert "get_config(self)" in str(caught.value)


def test_a_lambda_among_the_arguments_is_refused():
    class Apply(lamina.Layer):
        def __init__(self, function):
            super().__init__()

    with pytest.raises(ValueError, match="A lambda cannot be saved"):
        Apply(lambda x: x).get_config()


def test_a_class_with_its_own_get_config_need_not_write_its_arguments():
    class Own(lamina.Model):
        def __init__(self, table):
            super().__init__()
            self.table = dict(table)

        def get_config(self):
            return {**super().get_config(), "table": list(self.table.items())}

    model = Own({"a": 1}.items())
    assert Own.from_config(plain(model.get_config())).table == {"a": 1}


@pytest.mark.parametrize(
    ("build", "config"),
    [
        (lambda layer: layer(X), {"input_shape": (2, 3)}),
        (lambda layer: layer.build((None, 3)), {"input_shape": (None, 3)}),
        (lambda layer: None, None),
    ],
)
def test_the_build_config_makes_the_same_weights(build, config):
    layer = lamina.layers.Dense(2)
    build(layer)
    assert layer.get_build_config() == config
    again = lamina.layers.Dense.from_config(layer.get_config())
    again.build_from_config(plain(config or {}))
    assert [v.shape for v in again.weights] == [v.shape for v in layer.weights]


def test_a_layer_of_layers_is_built_from_its_config():
    class Block(lamina.Layer):
        def __init__(self):
            super().__init__()
            self.dense = lamina.layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    block = Block()
    block(X)
    again = registry.deserialize(plain(registry.serialize(block)), {"Block": Block})
    assert [v.shape for v in again.weights] == [(3, 2), (2,)]


# A layer's own part of a file


def test_own_weights_are_stored_and_read():
    layer, twin = lamina.layers.Dense(2), lamina.layers.Dense(2)
    store = {}
    for each in (layer, twin):
        each.build((None, 3))
    layer.save_own_variables(store)
    assert sorted(store) == ["0", "1"]
    twin.load_own_variables(store)
    np.testing.assert_array_equal(twin.kernel, layer.kernel)


@pytest.mark.parametrize(
    ("layer", "store", "message"),
    [
        (lambda: lamina.layers.Dense(2), {"0": X}, "was never built, and the file holds 1"),
        (lambda: built(), {"0": X}, "has 2 weights, and the file holds 1 for it"),
        (lambda: built(), {"0": X, "1": X}, r"'kernel' has shape \(3, 2\), and the file holds"),
        (lambda: lamina.layers.ReLU(), {"0": X}, "the file holds 1"),
    ],
)
def test_weights_that_do_not_fit_are_refused(layer, store, message):
    with pytest.raises(ValueError, match=message):
        layer().load_own_variables(store)


def built():
    layer = lamina.layers.Dense(2)
    layer.build((None, 3))
    return layer
