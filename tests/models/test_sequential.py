"""Sequential: given its input first, late or never; layers put on and taken off at any time."""

import keras
import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.layers import Concatenate, Dense, Dropout, Flatten, Input, InputLayer

X = np.ones((2, 4), "float32")


def built_by(K, how):
    layers = [K.layers.Dense(3, name="a"), K.layers.Dense(2, name="b")]
    if how == "Input":
        return K.Sequential([K.Input((4,)), *layers], name="model")
    if how == "InputLayer":
        return K.Sequential([K.layers.InputLayer(shape=(4,)), *layers], name="model")
    if how == "add":
        model = K.Sequential(name="model")
        for layer in (K.Input((4,)), *layers):
            model.add(layer)
        return model
    model = K.Sequential(layers, name="model")
    if how == "build":
        model.build((None, 4))
    elif how == "call":
        model(X)
    elif how == "predict":
        model.predict(X, verbose=0)
    elif how == "symbolic call":
        model(K.Input((4,)))
    return model


WAYS = ["Input", "InputLayer", "add", "build", "call", "predict", "symbolic call"]


@pytest.mark.parametrize("how", WAYS)
def test_however_it_is_built_it_is_as_in_keras(how):
    ours, theirs = built_by(lamina, how), built_by(keras, how)
    assert ours.built
    assert [layer.name for layer in ours.layers] == ["a", "b"]
    assert [v.path for v in ours.weights] == [v.path for v in theirs.weights]
    assert ours.count_params() == theirs.count_params() == 23
    assert ours.output_shape[1:] == theirs.output_shape[1:]
    assert ours.input_shape == (None, 4)  # the number of samples is never fixed
    assert ours(np.ones((7, 4))).shape == (7, 2)


@pytest.mark.parametrize("argument", [{"input_shape": (4,)}, {"input_dim": 4},
                                      {"batch_input_shape": (None, 4)}], ids=str)  # fmt: skip
def test_the_first_layer_may_say_the_shape_as_in_keras_2(argument):
    model = lamina.Sequential([Dense(3, **argument), Dense(2)])
    assert model.built
    assert model.input_shape == (None, 4)
    assert [type(layer) for layer in model.layers] == [Dense, Dense]


def test_before_it_is_built_nothing_is_known():
    model = lamina.Sequential([Dense(3)])
    assert not model.built
    assert model.weights == []
    assert not hasattr(model, "inputs")
    with pytest.raises(AttributeError, match="has no output yet"):
        model.output_shape  # noqa: B018
    with pytest.raises(ValueError, match="no weights yet"):
        model.count_params()


def test_layers_can_be_put_on_and_taken_off_at_any_time():
    model = lamina.Sequential([Input((4,)), Dense(3, name="a")])
    kernel = model.layers[0].kernel
    model.add(Dense(2, name="b"))
    assert model.output_shape == (None, 2)
    taken = model.pop()
    assert (taken.name, model.output_shape) == ("b", (None, 3))
    model.add(Dropout(0.5))
    model.add(Dense(1, name="c"))
    assert [layer.name for layer in model.layers] == ["a", "dropout", "c"]
    assert model.layers[0].kernel is kernel
    assert model.predict(X, verbose=0).shape == (2, 1)
    while model.layers:
        model.pop()
    assert not model.built
    with pytest.raises(ValueError, match="has no layer to remove"):
        model.pop()
    model.add(Dense(5))
    assert model.output_shape == (None, 5)


def test_adding_after_training_goes_on_with_what_was_learned():
    model = lamina.Sequential([Dense(3), Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], verbose=0)
    kernel = model.layers[0].kernel.numpy()
    model.pop()
    model.add(Dense(2, name="new"))
    np.testing.assert_array_equal(model.layers[0].kernel, kernel)
    model.compile("sgd", "mse")
    model.fit(X, X[:, :2], verbose=0)
    assert model.predict(X, verbose=0).shape == (2, 2)


def test_a_layer_may_be_used_twice():
    shared = Dense(4)
    model = lamina.Sequential([Input((4,)), shared, Flatten(), shared])
    assert len(model.weights) == 2
    assert len(model.layers) == 3
    np.testing.assert_allclose(model(X), shared(shared(X)), rtol=1e-6)
    model.pop()
    np.testing.assert_allclose(model(X), shared(X), rtol=1e-6)


def test_models_stand_in_models():
    inner = lamina.Sequential([Input((4,)), Dense(3)], name="inner")
    outer = lamina.Sequential([inner, Dense(2)], name="outer")
    assert outer.built
    assert [v.path for v in outer.weights] == [
        "inner/dense/kernel",
        "inner/dense/bias",
        "outer/dense_1/kernel",
        "outer/dense_1/bias",
    ]
    assert outer.get_layer("inner").get_layer("dense").units == 3
    deferred = lamina.Sequential([lamina.Sequential([Dense(3)]), Dense(2)])
    deferred.build((None, 4))
    assert deferred.count_params() == 15 + 8


def test_a_first_layer_may_take_several_inputs():
    model = lamina.Sequential([Concatenate(), Dense(2)])
    assert model([X, X]).shape == (2, 2)
    assert model.layers[1].kernel.shape == (8, 2)
    other = lamina.Sequential([Concatenate(), Dense(2)])
    other.build([(None, 4), (None, 3)])
    assert other.layers[1].kernel.shape == (7, 2)


def test_inputs_are_fitted_to_the_declared_shape_and_type_as_in_keras():
    for K in (lamina, keras):
        model = K.Sequential([K.Input((4,)), K.layers.Rescaling(2.0)])
        for x in (np.full((2, 4), 200, "uint8"), np.full((2, 4, 1), 200.0)):
            y = np.asarray(model(x))
            assert (y.shape, y.dtype, y[0, 0]) == ((2, 4), "float32", 400)
    assert lamina.Sequential([Input((4,)), Dense(1)])([X]).shape == (2, 1)


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        (
            [Dense],
            TypeError,
            r"received the class itself.*\n.*Fix: lamina.layers.Dense\(units=128\)",
        ),
        ([Dense(1), "relu"], TypeError, "made of layers and received a str: 'relu'"),
        ([None], TypeError, "received a NoneType"),
        ([Dense(1, name="d"), Dense(2, name="d")], ValueError, "already has a layer named 'd'"),
        ([Dense(1), Input((4,))], ValueError, "an Input can only come first"),
        ([Input((4,)), Input((4,))], ValueError, "an Input can only come first"),
        (Dense(1), TypeError, r"Sequential\(\[layer\]\)"),
    ],
    ids=str,
)
def test_what_cannot_be_stacked_is_refused(layers, error, message):
    with pytest.raises(error, match=message):
        lamina.Sequential(layers)


def test_a_layer_that_does_not_fit_leaves_the_model_as_it_was():
    model = lamina.Sequential([Input((4,)), Dense(3)])
    with pytest.raises(ValueError, match="channels"):
        model.add(lamina.layers.Conv2D(2, 3))
    assert len(model.layers) == 1
    assert model(X).shape == (2, 3)
    model.add(Dense(2))
    assert model.output_shape == (None, 2)


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (lambda: lamina.Sequential(), (None, 4), "has no layers"),
        (lambda: lamina.Sequential([Dense(1)]), None, "cannot be built without the shape"),
        (
            lambda: lamina.Sequential([Input((4,)), Dense(1)]),
            (None, 5),
            r"an Input of shape \(None",
        ),
        (lambda: lamina.Sequential([Input((4,)), Dense(1)]), (4,), r"cannot be built for \(4,\)"),
    ],
)
def test_what_cannot_be_built_says_why(make, shape, message):
    with pytest.raises(ValueError, match=message):
        make().build(shape)


def test_building_again_for_a_shape_that_fits_changes_nothing():
    model = lamina.Sequential([Input((4,)), Dense(1)])
    kernel = model.layers[0].kernel
    model.build((32, 4))
    model.build()
    assert model.layers[0].kernel is kernel


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 5), r"takes an input .* of shape \(None, 4\) and received shape \(2, 5\)"),
        ((4,), r"the batch axis is missing.*\n.*x\[None\]"),
        ((2, 3, 4), r"lamina.Input\(\(3, 4\)\) as the input of the model"),
    ],
)
def test_data_of_another_shape_is_explained(shape, message):
    model = lamina.Sequential([Input((4,)), Dense(1)])
    with pytest.raises(ValueError, match=message):
        model(np.ones(shape))


def test_the_config_keeps_what_was_frozen():
    model = lamina.Sequential([Input((4,)), Dense(3, name="a"), Dense(2, name="b")])
    model.trainable = False
    model.layers[1].trainable = True
    again = lamina.Sequential.from_config(model.get_config())
    assert not again.trainable
    assert [layer.trainable for layer in again.layers] == [False, True]


def test_an_input_layer_can_be_asked_for_its_shape():
    layer = InputLayer(shape=(28, 28), batch_size=8, dtype="uint8", name="image")
    assert (layer.batch_shape, layer.dtype, layer.output.name) == ((8, 28, 28), "uint8", "image")
    assert InputLayer.from_config(layer.get_config()).get_config() == layer.get_config()
    theirs = keras.layers.InputLayer(shape=(28, 28), batch_size=8, dtype="uint8", name="image")
    assert layer.get_config() == theirs.get_config()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "Input needs the shape of one sample"),
        ({"shape": (3,), "batch_shape": (1, 3)}, ValueError, "either shape or batch_shape"),
        ({"shape": (3,), "sparse": True}, ValueError, "no sparse or ragged inputs"),
        ({"shape": (3,), "dtype": "float31"}, ValueError, "Unknown dtype 'float31'"),
        ({"tensor": np.ones(3)}, TypeError, "tensor must be symbolic"),
    ],
    ids=str,
)
def test_an_input_that_makes_no_sense_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        Input(**arguments)


# -- without an Input ------------------------------------------------------------------------------


def steps(length):
    return np.random.default_rng(seed=length).normal(size=(4, length, 1)).astype("float32")


def of_any_length(K=lamina):
    return K.Sequential(
        [K.layers.Conv1D(2, 3), K.layers.GlobalAveragePooling1D(), K.layers.Dense(1)]
    )


def test_data_of_another_length_than_the_first_gives_what_keras_gives():
    ours, theirs = of_any_length(), of_any_length(keras)
    for length in (8, 20, 5):
        outputs = ours(steps(length)), theirs(steps(length))
        if length == 8:
            theirs.set_weights(ours.get_weights())
            continue
        np.testing.assert_allclose(outputs[0], np.asarray(outputs[1]), atol=1e-5)
    assert ours.input_shape == (None, None, 1)
    assert ours.layers[0].output.shape == (None, None, 2)
    features = lamina.Model(ours.inputs, ours.layers[0].output)
    assert features.predict(steps(9), verbose=0).shape == (4, 7, 2)


def test_a_generator_may_change_its_lengths():
    def batches():
        for length in (8, 20, 8, 5):
            yield steps(length), np.zeros((4, 1), "float32")

    model = of_any_length()
    model.compile("sgd", "mse")
    model.fit(batches(), verbose=0)
    weights = model.get_weights()
    assert [model.predict(steps(n), verbose=0).shape for n in (8, 13)] == [(4, 1)] * 2
    assert all(map(np.array_equal, model.get_weights(), weights))


def test_a_model_read_from_a_file_takes_other_lengths_too(tmp_path):
    model = of_any_length()
    model(steps(8))
    model.save(tmp_path / "model.keras")
    loaded = lamina.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict(steps(13), verbose=0), np.asarray(model(steps(13))), atol=1e-6
    )


def test_layers_that_need_the_first_size_refuse_another():
    model = lamina.Sequential([layers.Flatten(), layers.Dense(2)])
    model(np.zeros((2, 4, 3)))
    with pytest.raises(ValueError, match=r"of shape \(None, 4, 3\) and received shape \(2, 5, 3\)"):
        model(np.zeros((2, 5, 3)))
    assert model(np.zeros((2, 6, 2))).shape == (2, 2)  # as many numbers


def test_an_input_in_front_says_what_the_model_takes():
    model = lamina.Sequential([lamina.Input((8, 1)), *of_any_length().layers])
    with pytest.raises(ValueError, match="received shape"):
        model(steps(20))


class SumOfDict(layers.Layer):
    def call(self, x):
        return x["a"] + x.get("b", 0)


@pytest.mark.parametrize("names", ["ab", "a"])
def test_a_first_layer_that_takes_a_dict_gets_it(names):
    model = lamina.Sequential([SumOfDict(), layers.Dense(1)])
    x = {name: np.ones((4, 3), "float32") for name in names}
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((4, 1)), verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), np.asarray(model(x)), atol=1e-6)


class Untold(layers.Layer):
    """Knows its output only when it computes it."""

    def build(self, input_shape):
        self.factor = self.add_weight((input_shape[-1],))

    def call(self, x):
        return x * self.factor

    def compute_output_spec(self, *args, **kwargs):
        raise NotImplementedError


@pytest.mark.parametrize("entry", [[], [lamina.Input((3,))]], ids=["data", "Input"])
def test_a_layer_that_cannot_tell_its_output_runs(entry):
    model = lamina.Sequential([*entry, Untold(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.zeros((4, 1)), verbose=0)
    assert model.predict(np.ones((5, 3)), verbose=0).shape == (5, 1)
    assert [weight.shape for weight in model.weights] == [(3,), (3, 1), (1,)]
