"""Single neurons against NumPy, and their table."""

import numpy as np
import pandas as pd
import pytest

import lamina
from lamina import layers
from lamina.explanation import neuron

X = np.array([0.5, -1.0, 2.0], "float32")


def test_the_sum_and_the_activation_are_those_of_numpy(dense):
    kernel, bias, *_ = dense.get_weights()
    found = neuron(dense, X, unit=2, layer=dense.layers[0].name)
    np.testing.assert_allclose(found.products, X * kernel[:, 2], rtol=1e-6)
    assert found.total == pytest.approx(X @ kernel[:, 2] + bias[2], rel=1e-5)
    assert found.output == pytest.approx(np.tanh(found.total), rel=1e-5)


def test_the_likeliest_class_is_the_unit_of_the_last_layer(dense):
    found = neuron(dense, X)
    assert found.unit == int(dense.predict(X[None]).argmax())
    assert found.output == pytest.approx(float(dense.predict(X[None]).max()), rel=1e-5)


def test_columns_of_a_table_have_their_names():
    frame = pd.DataFrame({"size": [1.0, 2.0], "age": [3.0, 4.0]})
    model = lamina.Sequential([lamina.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(frame, np.ones(2), verbose=0)
    assert neuron(model, frame.iloc[[0]]).names == ("size", "age")


def test_of_many_inputs_the_largest_are_shown_and_the_rest_is_added_up():
    model = lamina.Sequential([lamina.Input((30,)), layers.Dense(1, name="sum")])
    found = neuron(model, np.arange(30) / 10)
    lines = str(found).splitlines()
    assert len(lines) == 2 + 10 + 1 + 3
    assert lines[12].split()[:2] == ["20", "others"]
    printed = [float(line.split()[-1]) for line in lines[2:14]]
    assert sum(printed) == pytest.approx(found.total, abs=1e-3)


def test_a_layer_of_every_step_takes_a_position():
    model = lamina.Sequential([lamina.Input((4, 3)), layers.Dense(2)])
    x = np.random.default_rng(0).random((4, 3)).astype("float32")
    np.testing.assert_array_equal(neuron(model, x, position=2).inputs, x[2])
    with pytest.raises(ValueError, match="position=9 is not a position"):
        neuron(model, x, position=9)


def test_html_escapes_names(pictures, picture):
    found = neuron(pictures, picture, unit="cross")
    assert (found.unit, found.name) == (1, "cross")
    assert "Unit 1 (cross) of &#x27;head&#x27;" in found._repr_html_()


def test_bars_end_at_the_sum(dense):
    found = neuron(dense, X)
    (axes,) = found.plot().axes
    *_, before, total = axes.patches
    assert total.get_width() == pytest.approx(found.total, abs=1e-4)
    assert before.get_x() + before.get_width() == pytest.approx(found.total, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": "haed"}, "no layer 'haed'.*Did you mean 'head'"),
        ({"unit": 5}, "has the units 0 to 1; received unit=5"),
        ({"unit": "cat"}, "received unit='cat'"),
    ],
)
def test_what_is_not_there_is_named(dense, arguments, message):
    with pytest.raises(ValueError, match=message):
        neuron(dense, X, **arguments)
