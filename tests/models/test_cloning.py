"""Copies of models: the same architecture, weights of their own."""

import keras
import numpy as np
import pytest

import lamina
from lamina.layers import Dense, Dropout, Input
from lamina.models import clone_model

pytestmark = pytest.mark.quick

X = np.ones((3, 4), "float32")


def shared():
    x = Input((4,))
    dense = Dense(4, name="shared")
    return lamina.Model(x, dense(dense(x)) + dense(x), name="model")


def nested():
    inner = lamina.Sequential([Input((4,)), Dense(4, name="deep")], name="inner")
    x = Input((4,))
    return lamina.Model(x, Dense(1, name="head")(inner(inner(x))), name="outer")


def test_a_layer_used_twice_is_one_layer_in_the_copy():
    model = shared()
    copy = clone_model(model)
    assert len(copy.weights) == 2
    copy.set_weights(model.get_weights())
    np.testing.assert_allclose(copy(X), model(X), rtol=1e-6)
    stack = lamina.Sequential([Input((4,)), d := Dense(4), Dropout(0.1), d])
    twin = clone_model(stack)
    assert twin.layers[0] is twin.layers[2]
    assert twin.layers[0] is not d


def test_a_function_makes_each_layer_of_the_copy():
    def narrower(layer):
        if isinstance(layer, Dense):
            return Dense(2, name=layer.name)
        return type(layer).from_config(layer.get_config())

    model = lamina.Sequential([Input((4,)), Dense(8, name="a"), Dropout(0.5), Dense(8, name="b")])
    copy = clone_model(model, clone_function=narrower)
    assert copy.output_shape == (None, 2)
    assert [layer.name for layer in copy.layers] == ["a", "dropout", "b"]
    x = Input((4,))
    functional = lamina.Model(x, Dense(8, name="a")(x))
    assert clone_model(functional, clone_function=narrower).output_shape == (None, 2)


@pytest.mark.parametrize("recursive", [False, True])
def test_the_function_reaches_nested_models_when_asked(recursive):
    met = []

    def note(layer):
        met.append(layer.name)
        return type(layer).from_config(layer.get_config())

    copy = clone_model(nested(), clone_function=note, recursive=recursive)
    assert met == (["deep", "head"] if recursive else ["inner", "head"])
    assert [v.shape for v in copy.weights] == [(4, 4), (4,), (4, 1), (1,)]


def test_a_function_may_call_the_layers():
    def doubled(layer, *args, **kwargs):
        return layer(*args, **kwargs) * 2

    x = Input((4,))
    model = lamina.Model(x, Dropout(0.5)(x))
    np.testing.assert_array_equal(clone_model(model, call_function=doubled)(X), 2 * X)


def test_a_copy_may_start_from_other_inputs():
    for make in (shared, lambda: lamina.Sequential([Input((4,)), Dense(4)])):
        model = make()
        start = Input((4,), name="mine")
        copy = clone_model(model, input_tensors=start)
        assert copy.inputs[0] is start
        assert copy.input_names == ["mine"]
        assert clone_model(model, input_tensors=[Input((4,))])(X).shape == (3, 4)


def test_a_copy_may_start_from_the_output_of_another_layer():
    inner = Dense(4)(Input((3,)))
    copy = clone_model(lamina.Sequential([Input((4,)), Dense(2)]), input_tensors=inner)
    assert copy(X).shape == (3, 2)
    assert copy.count_params() == 10


def test_a_compiled_model_gives_a_compiled_copy_as_in_keras():
    def compiled(K):
        model = K.Sequential([K.Input((4,)), K.layers.Dense(1)])
        model.compile(K.optimizers.SGD(0.25), "mse", metrics=["mae"])
        return model

    ours, theirs = clone_model(compiled(lamina)), keras.models.clone_model(compiled(keras))
    assert ours.compiled == theirs.compiled
    assert float(ours.optimizer.learning_rate) == float(theirs.optimizer.learning_rate)
    ours.fit(X, X[:, :1], verbose=0)
    assert not clone_model(shared()).compiled


def test_a_deferred_model_gives_a_deferred_copy():
    copy = clone_model(lamina.Sequential([Dense(3)]))
    assert not copy.built
    assert copy(X).shape == (3, 3)


def test_a_subclass_is_made_again_from_its_config():
    class Own(lamina.Model):
        def __init__(self, units):
            super().__init__()
            self.dense = Dense(units)

        def call(self, x):
            return self.dense(x)

    model = Own(3)
    model(X)
    copy = clone_model(model)
    assert type(copy) is Own
    assert [v.shape for v in copy.weights] == [(4, 3), (3,)]
    with pytest.raises(ValueError, match="has its own call\\(\\)"):
        clone_model(model, clone_function=lambda layer: layer)


def test_freezing_is_copied():
    model = lamina.Sequential([Input((4,)), Dense(3, name="a"), Dense(2, name="b")])
    model.layers[0].trainable = False
    assert [v.path for v in clone_model(model).trainable_weights] == [
        "sequential/b/kernel",
        "sequential/b/bias",
    ]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": Dense(1)}, TypeError, "takes a model"),
        ({"input_tensors": X}, TypeError, "must be made by lamina.Input"),
        ({"input_tensors": [Input((4,)), Input((4,))]}, ValueError, "has 1 inputs, and input_ten"),
        ({"wrong": 1}, TypeError, "no argument 'wrong'"),
    ],
    ids=str,
)
def test_what_cannot_be_copied_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        clone_model(**{"model": shared(), **arguments})


def test_calls_of_a_stack_cannot_be_exchanged():
    with pytest.raises(ValueError, match="call_function is for functional models"):
        clone_model(lamina.Sequential([Dense(1)]), call_function=lambda layer, x: layer(x))


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize("kind", ["Sequential", "Functional"])
def test_a_recursive_clone_function_sees_the_layers_inside_and_not_the_models(drawn, kind):
    seen = []

    def record(layer):
        seen.append(type(layer).__name__)
        return type(layer).from_config(layer.get_config())

    layers = [Input((4,)), Dense(4)] if drawn or kind == "Functional" else [Dense(4)]
    inner = lamina.Sequential(layers)
    if kind == "Functional":
        x = Input((4,))
        inner = lamina.Model(x, Dense(4)(x))
    outer = lamina.Sequential([inner, Dense(1)])
    clone_model(outer, clone_function=record, recursive=True)
    assert seen == ["Dense", "Dense"]
    seen.clear()
    clone_model(outer, clone_function=record)
    assert seen == [kind, "Dense"]
