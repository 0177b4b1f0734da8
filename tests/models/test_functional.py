"""Functional models: graphs of layers, however they branch, share and nest."""

import itertools
import warnings

import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import lamina
from lamina import Input, Model
from lamina.layers import Activation, Add, Concatenate, Dense, Dropout
from lamina.models import Functional, clone_model

X = np.random.default_rng(seed=0).normal(size=(3, 4)).astype("float32")


def simple():
    x = Input((4,), name="x")
    h = Dense(5, activation="relu", name="hidden")(x)
    return Model(x, Dense(2, name="head")(h), name="simple")


def test_model_of_inputs_and_outputs_is_functional():
    x = Input((4,))
    y = Dense(2)(x)
    for model in (Model(x, y), Model(inputs=x, outputs=y), Model(x, outputs=y), Model(x, y, "m")):
        assert isinstance(model, Functional)
        assert model.built
        assert model(X).shape == (3, 2)
    assert Model(x, y, "m").name == "m"
    assert Model(x, y, name="named").name == "named"


def test_inputs_come_in_any_form_that_fits():
    a, b = Input((4,), name="a"), Input((4,), name="b")
    model = Model([a, b], Add()([Dense(2)(a), Dense(2)(b)]))
    expected = model([X, 2 * X])
    for inputs in ((X, 2 * X), {"a": X, "b": 2 * X}, {"b": 2 * X, "a": X, "other": X}):
        np.testing.assert_array_equal(model(inputs), expected)
        np.testing.assert_allclose(model.predict(inputs, verbose=0), expected, atol=1e-6)
    named = Model({"first": a, "second": b}, Add()([a, b]))
    np.testing.assert_array_equal(named({"first": X, "second": X}), 2 * X)
    np.testing.assert_array_equal(named({"a": X, "b": X}), 2 * X)  # by the names of the inputs
    np.testing.assert_array_equal(named([X, X]), 2 * X)
    alone = simple()
    for inputs in (X, [X], {"x": X}):
        assert alone(inputs).shape == (3, 2)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([X], r"takes 2 inputs \(a, b\) and received 1"),
        ({"a": X}, r"received a dict without \['b'\]"),
        ([X, X[:, :3]], r"takes an input 'b' of shape \(None, 4\) and received shape \(3, 3\)"),
        ([X, None], r"received None for the input 'b'"),
    ],
)
def test_inputs_that_do_not_fit_are_explained(inputs, message):
    a, b = Input((4,), name="a"), Input((4,), name="b")
    model = Model([a, b], Add()([a, b]))
    with pytest.raises(ValueError, match=message):
        model(inputs)


def test_an_optional_input_may_be_missing():
    class MaybeAdd(lamina.Layer):
        def call(self, x, other=None):
            return x if other is None else x + other

    x, other = Input((4,), name="x"), Input((4,), name="other", optional=True)
    model = Model([x, other], MaybeAdd()(x, other))
    np.testing.assert_array_equal(model([X, X]), 2 * X)
    np.testing.assert_array_equal(model([X, None]), X)
    np.testing.assert_array_equal(model({"x": X, "other": None}), X)


def test_a_graph_may_be_deeper_than_pythons_stack():
    x = inputs = Input((2,))
    for _ in range(1500):
        x = x + 1
    model = Model(inputs, x)
    assert model(np.zeros((1, 2))).tolist() == [[1500, 1500]]
    assert len(model.get_config()["layers"]) == 1501


# Models on tensors inside another


def test_features_are_extracted_by_a_model_on_an_inner_output():
    model = simple()
    features = Model(model.inputs, [model.get_layer("hidden").output, model.output])
    hidden, out = features(X)
    np.testing.assert_allclose(hidden, model.get_layer("hidden")(X))
    np.testing.assert_allclose(out, model(X))
    assert features.layers[1] is model.layers[1]
    assert [v.path for v in features.weights] == [v.path for v in model.weights]


def test_a_model_may_start_inside_another():
    model = simple()
    head = Model(model.get_layer("hidden").output, model.output)
    np.testing.assert_allclose(head(model.get_layer("hidden")(X)), model(X), rtol=1e-6)
    assert head.input_names == ["hidden_output"]
    assert [layer.name for layer in head.layers] == ["hidden_output", "head"]
    assert [v.path for v in head.weights] == [v.path for v in model.get_layer("head").weights]
    # The first model and the layer are as they were.
    assert model.get_layer("head").output is model.output
    assert clone_model(head).count_params() == head.count_params()
    again = lamina.models.model_from_json(head.to_json())
    again.set_weights(head.get_weights())
    x = np.ones((2, 5), "float32")
    np.testing.assert_allclose(again(x), head(x))


def test_a_model_may_span_from_several_inner_tensors():
    x, y = Input((4,)), Input((4,))
    a, b = Dense(3, name="a")(x), Dense(3, name="b")(y)
    total = a + b * 2
    model = Model([x, y], Dense(1)(total))
    part = Model([a, y], total)
    np.testing.assert_allclose(
        part([np.ones((2, 3)), np.zeros((2, 4))]), np.ones((2, 3)), rtol=1e-6
    )
    assert {layer.name for layer in part.layers} == {"input_layer_1", "a_output", "b"}
    assert model.count_params() == 15 + 15 + 4


def test_a_layer_used_in_two_models_has_the_same_weights():
    shared = Dense(4, name="shared")
    one = Model(x := Input((4,)), shared(x))
    other = Model(y := Input((4,)), Activation("relu")(shared(y)))
    one.compile("sgd", "mse")
    one.fit(X, X, verbose=0)
    np.testing.assert_allclose(other(X), np.maximum(one(X), 0), rtol=1e-6)
    for model in (one, other):
        again = lamina.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        np.testing.assert_allclose(again(X), model(X), rtol=1e-6)


def test_output_and_input_of_a_layer_are_those_of_its_first_call():
    x, y = Input((4,)), Input((4,))
    shared = Dense(2)
    first, _ = shared(x), shared(y)
    assert shared.output is first
    assert shared.input is x
    with pytest.raises(AttributeError, match="has no output yet: it has not been called"):
        Dense(2).output  # noqa: B018


def test_several_outputs_of_a_layer_are_a_list():
    lstm = lamina.layers.LSTM(2, return_state=True)
    outputs = lstm(Input((3, 4)))
    assert lstm.output == list(outputs)


# Modes and freezing


def test_a_mode_given_in_the_graph_holds_whatever_the_model_does():
    x = Input((100,))
    always, never = Dropout(0.5)(x, training=True), Dropout(0.5)(x, training=False)
    model = Model(x, [always, never, Dropout(0.5)(x)])
    ones = np.ones((2, 100))
    dropped, kept, usual = model.predict(ones, verbose=0)
    assert 0 in dropped
    assert (kept == 1).all()
    assert (usual == 1).all()
    dropped, kept, usual = model(ones, training=True)
    assert 0 in np.asarray(dropped)
    assert (np.asarray(kept) == 1).all()
    assert 0 in np.asarray(usual)
    again = lamina.models.model_from_json(model.to_json())
    for one, other in zip(again(ones, training=True), model(ones, training=True), strict=True):
        assert (0 in np.asarray(one)) == (0 in np.asarray(other))


def test_the_default_mode_that_keras_writes_down_is_not_taken_for_a_wish():
    x = keras.Input((100,))
    theirs = keras.Model(x, keras.layers.Dropout(0.5)(x))
    assert '"training": false' in theirs.to_json()
    ours = lamina.models.model_from_json(theirs.to_json())
    assert 0 in np.asarray(ours(np.ones((2, 100)), training=True))


def test_a_frozen_model_freezes_its_layers():
    x = Input((4,))
    model = Model(x, Dense(2)(x), trainable=False)
    assert not model.trainable_weights
    assert not model.layers[1].trainable


# Subclasses of Model that are made of a graph


class Doubling(Model):
    """Says twice what the graph says."""

    def predict_step(self, data):
        return 2 * super().predict_step(data)


class FromInside(Model):
    def __init__(self, units=2, **kwargs):
        x = Input((4,))
        super().__init__(x, Dense(units)(x), **kwargs)
        self.extra = Dense(1)


@pytest.mark.parametrize(
    "make",
    [lambda: Doubling(x := Input((4,)), Dense(2)(x)), lambda: FromInside(3, name="inside")],
)
def test_a_subclass_may_be_made_of_a_graph(make, tmp_path):
    model = make()
    expected = model.predict(X, verbose=0)
    assert type(clone_model(model)) in (type(model), Functional)
    model.save(tmp_path / "model.keras")
    known = {"Doubling": Doubling, "FromInside": FromInside}
    again = lamina.models.load_model(tmp_path / "model.keras", custom_objects=known)
    assert type(again) is type(model)
    np.testing.assert_allclose(again.predict(X, verbose=0), expected, rtol=1e-6)


# Errors


def disconnected():
    a, b = Input((4,)), Input((4,), name="forgotten")
    Model(a, Dense(2)(a + b))


def twins():
    x = Input((4,))
    Model(x, Dense(2, name="twin")(Dense(2, name="twin")(x)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (disconnected, r"depend on <KerasTensor .*name=forgotten>, which is not among its inputs"),
        (twins, "has 2 layers named 'twin'; names must be unique"),
        (lambda: Model([], []), "needs at least one input and one output"),
        (lambda: Model(X, X), "made of symbolic tensors; received"),
        (lambda: Model(Input((4,)), Dense(2)), "made of symbolic tensors; received <Dense"),
    ],
)
def test_a_graph_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("find", "message"),
    [
        (lambda m: m.get_layer("hiden"), r"has no layer 'hiden'. Did you mean 'hidden'\?\n"),
        (lambda m: m.get_layer(index=9), "has 3 layers; there is no layer 9"),
        (lambda m: m.get_layer(), "either a name or an index"),
        (lambda m: m.get_layer("head", 1), "either a name or an index"),
    ],
)
def test_a_layer_that_is_not_there_gets_the_nearest_name(find, message):
    with pytest.raises(ValueError, match=message):
        find(simple())


def test_layers_are_found_by_name_and_place():
    model = simple()
    assert model.get_layer("hidden") is model.get_layer(index=1) is model.layers[-2]
    assert model.get_layer(index=-1).name == "head"


def test_positional_arguments_that_mean_nothing_are_refused():
    with pytest.raises(TypeError, match=r"takes Model\(inputs, outputs\) or no positional"):
        Model("name")


def test_dictionary_keys_need_not_be_the_names_of_inputs():
    x = Input((4,), name="other")
    model = Model({"key": x}, Dense(1)(x))
    assert model({"key": X}).shape == model({"other": X}).shape == (3, 1)


# The order of layers and weights, for any graph


@st.composite
def graphs(draw):
    """A recipe: for each layer, a unary or binary one, and which tensors it takes."""
    inputs = draw(st.integers(1, 2))
    steps = []
    for number in range(draw(st.integers(1, 7))):
        known = inputs + number
        kind = draw(st.sampled_from(["dense", "shared", "add", "plus"]))
        steps.append((kind, *(draw(st.integers(0, known - 1)) for _ in range(2))))
    outputs = draw(st.lists(st.integers(0, inputs + len(steps) - 1), min_size=1, max_size=2))
    return inputs, steps, outputs


def drawn(K, recipe):
    count, steps, outputs = recipe
    tensors = [K.Input((2,), name=f"input_{i}") for i in range(count)]
    inputs = list(tensors)
    numbers = itertools.count()
    shared = K.layers.Dense(2, name="shared")
    for kind, one, other in steps:
        a, b = tensors[one], tensors[other]
        if kind == "dense":
            tensors.append(K.layers.Dense(2, name=f"dense_{next(numbers)}")(a))
        elif kind == "shared":
            tensors.append(shared(a))
        elif kind == "add":
            tensors.append(K.layers.Add(name=f"sum_{next(numbers)}")([a, b]))
        else:
            tensors.append(a + b)
    return K.Model(inputs, [tensors[i] for i in outputs], name="model")


@given(graphs())
@settings(max_examples=8)
def test_any_graph_has_the_order_the_weights_and_the_outputs_of_keras(recipe):
    for K in (lamina, keras):
        K.utils.clear_session()
    ours, theirs = drawn(lamina, recipe), drawn(keras, recipe)
    assert [o.name for o in ours._graph.operations] == [o.name for o in theirs.operations]
    assert [v.path for v in ours.weights] == [v.path for v in theirs.weights]
    rng = np.random.default_rng(seed=1)
    values = [rng.normal(size=v.shape) for v in ours.weights]
    ours.set_weights(values)
    theirs.set_weights(values)
    x = [rng.normal(size=(2, 2)).astype("float32") for _ in ours.inputs]
    again = lamina.models.model_from_json(ours.to_json())
    again.set_weights(values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = theirs(x)
    for found in (ours(x), again(x), clone_with(ours, values)(x)):
        for one, other in zip(listed(found), listed(expected), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-4)


def clone_with(model, values):
    copy = clone_model(model)
    copy.set_weights(values)
    return copy


def listed(value):
    return value if isinstance(value, list) else [value]


def test_concatenated_branches_of_a_nested_model_keep_their_order():
    i = Input((4,))
    inner = Model(i, [Dense(1, name="one")(i), Dense(2, name="two")(i)], name="inner")
    x = Input((4,))
    one, two = inner(x)
    model = Model(x, Concatenate()([two, one]))
    expected = np.concatenate([inner(X)[1], inner(X)[0]], axis=1)
    np.testing.assert_allclose(model(X), expected, rtol=1e-6)


def test_tuples_stay_tuples_in_a_config():
    x, z = Input((4,)), Input((4,))
    pair = Model((x, z), (Dense(2)(x), {"z": (Dense(2)(z),)}))
    for model in (Model.from_config(pair.get_config()), clone_model(pair)):
        first, rest = outputs = model((X, X))
        assert isinstance(outputs, tuple)
        assert isinstance(rest["z"], tuple)
        assert isinstance(model.input, tuple)
    zoom = lamina.layers.RandomZoom((0.1, 0.2), (0.3, 0.4))
    image = Input((8, 8, 3))
    again = Model.from_config(Model(image, zoom(image)).get_config()).layers[-1]
    assert (again.height_factor, again.width_factor) == ((0.1, 0.2), (0.3, 0.4))


def test_operations_are_layers_and_functions_in_the_order_of_keras():
    def operations(K):
        x = K.Input((4,))
        return [type(o).__name__ for o in K.Model(x, K.layers.Dense(2)(x) + 1).operations]

    assert operations(lamina) == operations(keras) == ["InputLayer", "Dense", "Add"]


def test_a_users_class_made_of_a_graph_is_functional():
    class Own(Model):
        pass

    x = Input((4,))
    assert isinstance(Own(x, Dense(2)(x)), Functional)
    for other in (Own(), lamina.Sequential([Input((4,)), Dense(2)]), Dense(2)):
        assert not isinstance(other, Functional)


@pytest.mark.parametrize("name", ["inputs", "outputs", "operations", "input_shape", "output"])
@pytest.mark.parametrize("make", [lamina.Sequential, type("Own", (Model,), {})])
def test_a_model_that_is_not_drawn_has_no_inputs(make, name):
    assert not hasattr(make(), name)
    assert hasattr(lamina.Sequential([Input((4,)), Dense(1)]), name)


def test_a_mask_may_be_an_output(tmp_path):
    tokens = Input((None,), dtype="int32")
    embedding = lamina.layers.Embedding(5, 2, mask_zero=True)
    y = embedding(tokens)
    joined = Concatenate(axis=1)([y, y])
    added = Add()([y, y])
    steps = lamina.layers.Masking()(y)
    of_call = embedding.compute_mask(tokens)
    tensors = [t._keras_mask for t in (y, joined, added, steps)]
    model = Model(tokens, [*tensors, of_call, lamina.ops.cast(of_call, "float32")])
    model.save(tmp_path / "model.keras")
    for one in (model, lamina.models.load_model(tmp_path / "model.keras")):
        found = [np.asarray(m).tolist() for m in one(np.array([[1, 0, 2]]))]
        assert found[0] == found[2] == found[4] == [[True, False, True]]
        assert found[1] == [[True, False, True, True, False, True]]
        assert found[5] == [[1, 0, 1]]
    with_keras = keras.models.load_model(tmp_path / "model.keras")(np.array([[1, 0, 2]]))
    assert [np.asarray(m).tolist() for m in with_keras] == found


def test_a_config_may_list_its_layers_in_any_order():
    x = Input((4,))
    shared = Dense(4)
    h = shared(Activation("relu")(shared(x)))
    model = Model(x, Add()([h, Dense(4)(h)]))
    config = model.get_config()
    for layers in (config["layers"][::-1], sorted(config["layers"], key=lambda r: r["name"])):
        again = Model.from_config({**config, "layers": layers})
        again.set_weights(model.get_weights())
        np.testing.assert_allclose(again(X), model(X), rtol=1e-6)


@pytest.mark.parametrize("history", [["nowhere", 0, 0], ["hidden", 3, 0], ["x", 0, 1]])
def test_a_graph_that_refers_to_nothing_is_refused(history):
    config = simple().get_config()
    config["layers"][-1]["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = history
    with pytest.raises(ValueError, match="graph"):
        Model.from_config(config)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"shape": (2, 4)}, r"shape=\(2, 4\) contradicts the tensor, which has shape \(3,\)"),
        ({"batch_shape": (2, 4)}, r"batch_shape=\(2, 4\) contradicts"),
        ({"batch_size": 5}, "batch_size=5 contradicts the tensor, which has batch_size 2"),
        ({"dtype": "float16"}, "dtype='float16' contradicts"),
    ],
)
def test_an_input_that_contradicts_its_tensor_is_refused(given, words):
    tensor = lamina.KerasTensor((2, 3))
    same = lamina.layers.InputLayer((3,), batch_size=2, dtype="float32", input_tensor=tensor)
    assert same.output is tensor
    with pytest.raises(ValueError, match=words):
        lamina.layers.InputLayer(**given, input_tensor=tensor)


def test_an_input_takes_one_batch_size():
    with pytest.raises(ValueError, match="either batch_size or batch_shape"):
        lamina.Input(batch_size=4, batch_shape=(2, 3))


@pytest.mark.parametrize("declared", [True, False], ids=["with Input", "without"])
@pytest.mark.parametrize("outer", ["functional", "sequential"])
def test_the_output_of_a_model_inside_is_what_it_gives_in_the_model_around_it(declared, outer):
    start = [Input((4,))] if declared else []
    inner = lamina.Sequential([*start, Dense(3), Dense(2)])
    if outer == "functional":
        inputs = Input((4,))
        around = lamina.Model(inputs, Dense(1)(inner(inputs * 2)))
        seen = 2
    else:
        around = lamina.Sequential([Input((4,)), inner, Dense(1)])
        seen = 1
    both = lamina.Model(around.inputs, [inner.output, around.output])
    x = np.arange(8.0).reshape(2, 4)
    features, result = both(x)
    np.testing.assert_allclose(features, inner(seen * x), rtol=1e-6)
    np.testing.assert_allclose(result, around(x), rtol=1e-6)


def test_the_output_of_a_model_is_still_that_of_its_own_graph():
    inner = lamina.Sequential([Input((4,)), Dense(2)])
    lamina.Sequential([Input((4,)), inner, Dense(1)])
    x = np.ones((2, 4))
    np.testing.assert_array_equal(lamina.Model(inner.inputs, inner.output)(x), inner(x))
