"""Models with a call() of their own: how they get weights, shapes, files and steps."""

import keras
import numpy as np
import pytest

import lamina
from lamina.layers import Dense, Dropout

X = np.random.default_rng(seed=0).normal(size=(6, 4)).astype("float32")
Y = X[:, :2]


def net(K):
    class Net(K.Model):
        def __init__(self, units=3, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.blocks = [K.layers.Dense(units, activation="relu"), K.layers.BatchNormalization()]
            self.towers = {"left": K.layers.Dense(2), "right": K.layers.Dense(2)}

        def call(self, x, training=False):
            for block in self.blocks:
                x = block(x)
            return self.towers["left"](x) + self.towers["right"](x)

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return Net


Net = net(lamina)


def made(K, how, make=net):
    model = make(K)(name="net")
    if how == "call":
        model(X)
    elif how == "build":
        model.build((None, 4))
    elif how == "predict":
        model.predict(X, verbose=0)
    elif how == "fit":
        model.compile("sgd", "mse")
        model.fit(X, Y, verbose=0)
    elif how == "evaluate":
        model.compile("sgd", "mse")
        model.evaluate(X, Y, verbose=0)
    elif how == "symbolic":
        model(K.Input((4,)))
    return model


@pytest.mark.parametrize("how", ["call", "build", "predict", "fit", "evaluate", "symbolic"])
def test_weights_are_made_by_whatever_comes_first_as_in_keras(how):
    # Keras's own build() cannot follow the call of a model.
    ours, theirs = made(lamina, how), made(keras, "call" if how == "build" else how)
    assert ours.built
    assert [v.path for v in ours.weights] == [v.path for v in theirs.weights]
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert ours.count_params() == theirs.count_params()
    values = [np.random.default_rng(seed=2).uniform(0.5, 1, size=v.shape) for v in ours.weights]
    ours.set_weights(values)
    theirs.set_weights(values)
    np.testing.assert_allclose(ours(X), theirs(X), atol=1e-5)


def test_a_build_of_ones_own_is_used():
    def make(K):
        class Own(K.Model):
            def build(self, input_shape):
                self.kernel = self.add_weight(shape=(input_shape[-1], 2), name="kernel")
                self.built = True

            def call(self, x):
                return x @ self.kernel

        return Own

    for how in ("call", "build", "fit", "symbolic"):
        ours, theirs = made(lamina, how, make), made(keras, how, make)
        assert [v.path for v in ours.weights] == [v.path for v in theirs.weights]
        assert ours(X).shape == (6, 2)


def test_several_inputs_and_outputs_of_any_structure():
    class Both(lamina.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = Dense(2), Dense(3)

        def call(self, inputs):
            return {"a": self.a(inputs["a"]), "b": self.b(inputs["b"])}

    model = Both()
    model.build({"a": (None, 4), "b": (None, 5)})
    assert model.b.kernel.shape == (5, 3)
    model.compile("sgd", "mse")
    data = {"a": X, "b": np.ones((6, 5))}
    history = model.fit(data, {"a": Y, "b": np.zeros((6, 3))}, verbose=0)
    assert set(history.history) == {"loss", "a_loss", "b_loss"}
    assert {k: v.shape for k, v in model.predict(data, verbose=0).items()} == {
        "a": (6, 2),
        "b": (6, 3),
    }


def test_a_model_whose_call_takes_several_tensors():
    class Pair(lamina.Model):
        def __init__(self):
            super().__init__()
            self.dense = Dense(2)

        def call(self, query, value, scale=1.0):
            return self.dense(query) * scale + value

    model = Pair()
    assert model(X, value=Y, scale=2.0).shape == (6, 2)
    a, b = lamina.Input((4,)), lamina.Input((2,))
    outer = lamina.Model([a, b], Pair()(a, b))
    assert outer([X, Y]).shape == (6, 2)


def test_models_inside_models_inside_layers():
    class Wrap(lamina.Layer):
        def __init__(self):
            super().__init__()
            self.net = Net(units=2)

        def call(self, x):
            return self.net(x)

    model = lamina.Sequential([lamina.Input((4,)), Wrap(), Dense(1)])
    assert model.count_params() == 10 + 8 + 6 + 6 + 3
    model.compile("sgd", "mse")
    model.fit(X, Y[:, :1], verbose=0)


def test_a_saved_model_comes_back_with_its_class(tmp_path):
    model = made(lamina, "fit")
    model.save(tmp_path / "net.keras")
    again = lamina.models.load_model(tmp_path / "net.keras", custom_objects={"Net": Net})
    assert type(again) is Net
    np.testing.assert_allclose(again(X), model(X), rtol=1e-6)
    assert again.train_on_batch(X, Y) == pytest.approx(model.train_on_batch(X, Y), rel=1e-5)


def test_files_of_a_class_that_both_libraries_know_go_both_ways(tmp_path):
    ours, theirs = made(lamina, "fit"), made(keras, "fit")
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    read = keras.models.load_model(tmp_path / "ours.keras", custom_objects={"Net": net(keras)})
    np.testing.assert_allclose(read(X), ours(X), atol=1e-5)
    read = lamina.models.load_model(tmp_path / "theirs.keras", custom_objects={"Net": Net})
    np.testing.assert_allclose(read(X), theirs(X), atol=1e-5)


def test_weights_alone_go_into_another_instance(tmp_path):
    model, twin = made(lamina, "call"), made(lamina, "build")
    model.save_weights(tmp_path / "net.weights.h5")
    twin.load_weights(tmp_path / "net.weights.h5")
    np.testing.assert_allclose(twin(X), model(X), rtol=1e-6)


def test_a_model_without_a_get_config_is_written_by_its_arguments(tmp_path):
    class Plain(lamina.Model):
        def __init__(self, units, rate=0.5):
            super().__init__()
            self.dense, self.drop = Dense(units), Dropout(rate)

        def call(self, x):
            return self.drop(self.dense(x))

    model = Plain(3, rate=0.25)
    model(X)
    model.trainable = False
    model.save(tmp_path / "plain.keras")
    again = lamina.models.load_model(tmp_path / "plain.keras", custom_objects={"Plain": Plain})
    assert (again.dense.units, again.drop.rate, again.trainable) == (3, 0.25, False)
    assert again.name == model.name
    np.testing.assert_allclose(again(X), model(X))


# Steps of one's own


def test_a_train_step_of_ones_own_learns_as_the_usual_one():
    class Own(Net):
        def train_step(self, data):
            x, y = data

            def loss():
                prediction = self(x, training=True)
                return self.compute_loss(x, y, prediction)

            value, gradients = lamina.value_and_grad(loss, self.trainable_variables)()
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"loss": value}

    usual, own = Net(name="a"), Own(name="b")
    for model in (usual, own):
        model.build((None, 4))
    own.set_weights(usual.get_weights())
    for model in (usual, own):
        model.compile(lamina.optimizers.Adam(0.01), "mse")
        model.fit(X, Y, epochs=3, batch_size=2, shuffle=False, verbose=0)
    for one, other in zip(usual.weights, own.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_loss_of_ones_own_is_minimised():
    class Own(Net):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            usual = super().compute_loss(x, y, y_pred, sample_weight, training)
            return usual + 10 * (y_pred**2).mean()

    model = Own()
    model.compile(lamina.optimizers.Adam(0.05), "mse")
    first = model.fit(X, Y + 5, epochs=1, verbose=0).history["loss"][0]
    last = model.fit(X, Y + 5, epochs=60, verbose=0).history["loss"][-1]
    assert last < first
    assert np.abs(model.predict(X, verbose=0)).mean() < 1.5


# What goes wrong


def without_call():
    return type("Empty", (lamina.Model,), {})()(X)


def without_super():
    class Forgot(lamina.Model):
        def __init__(self):
            self.dense = Dense(1)

    return Forgot()(X)


def wrong_shape():
    model = Net()
    model.build((None, 4))
    return model(np.ones((2, 5)))


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (without_call, NotImplementedError, r"Empty has no call\(\) method"),
        (without_super, RuntimeError, r"does not call super\(\).__init__"),
        (wrong_shape, ValueError, "was built for 4 features and received 5"),
        (lambda: Net(unit=3), TypeError, r"Net has no argument 'unit'. Did you mean 'units'"),
        (lambda: Net().summary() or Net().count_params(), ValueError, "no weights yet"),
        (lambda: Net().get_layer("x"), ValueError, "has no layer 'x'"),
    ],
)
def test_what_goes_wrong_is_explained(use, error, message):
    with pytest.raises(error, match=message):
        use()


def test_an_error_in_a_nested_layer_names_model_and_layer():
    with pytest.raises(ValueError, match="was built for 4 features") as caught:
        wrong_shape()
    notes = "\n".join(caught.value.__notes__)
    assert "In Dense 'dense', called on shape (2, 5)." in notes
    assert "In Net 'net', called on shape (2, 5)." in notes
