"""inference_function: what predict computes, as a pure function with all that it needs."""

import jax
import numpy as np
import pytest

import lamina
from lamina import layers
from small_models import classifier

X = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)


def text_model():
    words = layers.TextVectorization(output_sequence_length=4)
    words.adapt(["good bad fine"])
    start = lamina.Input((), dtype="string", name="text")
    means = layers.GlobalAveragePooling1D(name="mean")(layers.Embedding(9, 4)(words(start)))
    return lamina.Model(start, means)


def two_inputs():
    left, right = lamina.Input((4,), name="left"), lamina.Input((4,), name="right")
    return lamina.Model(
        {"b": right, "a": left},
        {"sum": layers.Add(name="add")([left, right]), "one": layers.Dense(2, name="dense")(left)},
    )


class Undrawn(lamina.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, x):
        return {"first": self.dense(x["p"]), "second": self.dense(x["q"])}


class Likeliest(lamina.Model):
    def predict_step(self, data):
        return super().predict_step(data).argmax(axis=-1)


def likeliest():
    x = lamina.Input((4,))
    return Likeliest(x, layers.Dense(3)(x))


CASES = {
    "a stack": (lambda: classifier(dropout=0.5), X, None),
    "a dict of inputs": (two_inputs, {"a": X, "b": 2 * X}, None),
    "text": (text_model, ["good", "bad fine", ""], None),
    "a subclass": (Undrawn, {"p": X, "q": 2 * X}, {"p": X[:1], "q": X[:1]}),
    "a predict_step of one's own": (likeliest, X, None),
    "a batch of its own size": (
        lambda: lamina.Sequential([lamina.Input(batch_shape=(3, 4)), layers.Dense(2)]),
        X,
        None,
    ),
}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def case(request):
    make, x, example = request.param
    model = make()
    return model, x, model.inference_function(example)


def test_it_computes_what_predict_does(case):
    model, x, function = case
    outputs = jax.jit(function)(function.parameters, function.on_host(x))
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, atol=1e-6),
        outputs,
        model.predict(x),
    )


def test_its_specs_are_those_of_what_comes_out(case):
    model, x, function = case
    outputs = function(function.parameters, function.on_host(x))
    found = jax.tree.map(lambda a: (*a.shape[1:], str(a.dtype)), outputs)
    said = jax.tree.map(lambda spec: (*spec.shape[1:], spec.dtype), function.outputs)
    assert said == found


def test_its_specs_have_the_names_of_inputs_and_outputs():
    function = two_inputs().inference_function()
    assert {k: s.name for k, s in function.inputs.items()} == {"a": "left", "b": "right"}
    assert {k: s.name for k, s in function.outputs.items()} == {"one": "dense", "sum": "add"}
    example = {"p": X, "q": X}
    function = Undrawn().inference_function(example)
    assert [s.name for s in function.inputs.values()] == ["p", "q"]
    assert [s.name for s in function.outputs.values()] == ["first", "second"]


def test_an_axis_that_may_have_any_size_is_none():
    model = lamina.Sequential([lamina.Input((None, 4)), layers.Dense(2)])
    function = model.inference_function()
    assert (function.inputs.shape, function.outputs.shape) == ((None, None, 4), (None, None, 2))


def test_text_is_among_the_inputs_and_numbers_go_into_the_function():
    function = text_model().inference_function()
    assert (function.inputs.dtype, function.inputs.name) == ("string", "text")
    given = jax.tree.leaves(function.on_host(["good", "bad"]))
    assert [a.dtype.kind for a in given] == ["i"]


def test_lower_precision_is_told_in_the_dtype():
    model = lamina.Sequential([lamina.Input((4,)), layers.Dense(2, dtype="mixed_bfloat16")])
    function = model.inference_function()
    outputs = function(function.parameters, X)
    assert function.outputs.dtype == str(outputs.dtype) == "bfloat16"


def test_it_keeps_its_parameters_while_the_model_goes_on_learning():
    model = classifier()
    function = model.inference_function()
    before = np.asarray(function(function.parameters, X))
    model.fit(X, np.array([0, 1, 2]), epochs=2, verbose=0)
    np.testing.assert_array_equal(function(function.parameters, X), before)
    assert np.abs(model.predict(X) - before).max() > 1e-4
    now = model.inference_function().parameters
    np.testing.assert_allclose(function(now, X), model.predict(X), atol=1e-6)


def test_parameters_may_be_numpy_arrays_and_have_gradients():
    function = classifier().inference_function()
    parameters = jax.tree.map(np.asarray, function.parameters)
    gradients = jax.grad(lambda p: (function(p, X) ** 2).sum())(parameters)
    assert gradients.keys() == function.parameters.keys()


def test_a_step_gives_the_state_that_a_forward_pass_changes():
    model = lamina.Sequential(
        [lamina.Input(batch_shape=(3, 2, 2)), layers.SimpleRNN(2, stateful=True)]
    )
    function = model.inference_function()
    x = X.reshape(3, 2, 2)
    first, state = function.step(function.parameters, x)
    second, _ = function.step(state, x)
    np.testing.assert_array_equal(function(function.parameters, x), first)
    np.testing.assert_allclose(model.predict(x), first, atol=1e-6)
    np.testing.assert_allclose(model.predict(x), second, atol=1e-6)
    assert np.abs(first - second).max() > 1e-4


def test_variables_with_one_path_are_told_apart():
    model = lamina.Sequential([lamina.Input((4,)), layers.Dense(4), layers.Dense(4)])
    for layer in model.layers:
        layer.kernel.path = "kernel"
    function = model.inference_function()
    assert {"kernel", "kernel#2"} < set(function.parameters)
    np.testing.assert_allclose(function(function.parameters, X), model.predict(X), atol=1e-6)


def test_a_model_that_says_nothing_of_its_inputs_asks_for_some():
    with pytest.raises(ValueError, match=r"Fix: .*inference_function\(x\[:1\]\)"):
        Undrawn().inference_function()
