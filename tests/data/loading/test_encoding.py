"""Preprocessing is part of the model: what was seen in training is used for whatever comes."""

import numpy as np
import pandas as pd
import pytest

import lamina
from lamina.data import load


def quiet(*args, **kwargs):
    return load(*args, verbose=False, **kwargs)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    n = 80
    frame = pd.DataFrame(
        {
            "size": rng.normal(50, 10, n),
            "my place (km)": rng.choice(["Oslo", "Rome", None], n),
            "price": rng.normal(1000, 100, n),
        }
    )
    frame.loc[::7, "size"] = None
    return frame


@pytest.fixture(scope="module")
def features_of(table):
    data = quiet(table, target="price", validation=0.2, test=0.2)
    inputs, features = data.encoded()
    return data, lamina.Model(inputs, features)


def test_numbers_have_mean_0_and_spread_1_and_missing_ones_are_marked(features_of):
    data, model = features_of
    made = model.predict(data.train.x, verbose=0)
    size = data.train.x["size"]
    known = ~np.isnan(size)
    expected = (size - np.nanmean(size)) / np.nanstd(size)
    np.testing.assert_allclose(made[known, 0], expected[known], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(made[~known, 0], 0)
    np.testing.assert_array_equal(made[:, 1], ~known)


def test_categories_are_one_hot_and_unknown_ones_share_a_value(features_of):
    _, model = features_of
    places = np.array(["Oslo", "Rome", "Bonn", ""], dtype=object)
    rows = {"size": np.zeros(4, "float32"), "my place (km)": places}
    made = model.predict(rows, verbose=0)
    np.testing.assert_array_equal(made[:, 2:], [[0, 1, 0], [0, 0, 1], [1, 0, 0], [1, 0, 0]])


def test_words_of_a_column_weigh_no_more_than_a_number():
    texts = [f"a film of {i} good parts" for i in range(40)]
    table = pd.DataFrame({"size": range(3, 43), "plot": texts, "y": np.arange(40) / 7})
    data = quiet(table, target="y", columns=["size", "plot"], validation=0, test=0)
    model = lamina.Model(*data.encoded())
    plots = np.array([texts[0], "unknown"], dtype=object)
    made = model.predict({"size": np.zeros(2, "float32"), "plot": plots}, verbose=0)
    np.testing.assert_allclose(np.linalg.norm(made[:, 1:], axis=1), [1, 0], atol=1e-6)


def test_a_number_comes_out_in_its_units(table):
    data = quiet(table, target="price", validation=0, test=0)
    inputs, features = data.encoded()
    zeros = lamina.layers.Dense(1, kernel_initializer="zeros")(features)
    model = lamina.Model(inputs, data.decoded(zeros, inputs))
    said = model.predict(data.train.x, verbose=0)
    np.testing.assert_allclose(said, data.train.y.mean(), rtol=1e-5)


def test_forecasts_follow_the_level_of_their_window():
    data = quiet(pd.DataFrame({"v": np.arange(100.0)}), target="v", forecast=2, window=4)
    inputs, features = data.encoded()
    flat = lamina.layers.Flatten()(features)
    zeros = lamina.layers.Dense(2, kernel_initializer="zeros")(flat)
    model = lamina.Model(inputs, data.decoded(zeros, inputs))
    np.testing.assert_allclose(
        model.predict(data.test.x, verbose=0)[:, 0], data.test.x[..., 0].mean(axis=1), rtol=1e-5
    )


def test_a_class_is_not_decoded(table):
    data = quiet(table.dropna(), target="my place (km)")
    with pytest.raises(ValueError, match="use softmax"):
        data.decoded(None, None)


def test_columns_whose_names_are_alike_as_layers_can_be_used():
    names = ["a b", "a_b", "€", "$", "features", "numbers", "scaled", "units"]
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.normal(size=30) for name in names})
    table["y"] = rng.normal(size=30)
    data = quiet(table, target="y")
    inputs, features = data.encoded()
    model = lamina.Model(inputs, data.decoded(lamina.layers.Dense(1)(features), inputs))
    assert np.isfinite(model.predict(data.test.x, verbose=0)).all()


def test_a_column_without_a_value_in_training_does_no_harm():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"n": rng.normal(size=40), "k": ["p", "q"] * 20, "x": range(40)})
    table.loc[:33, ["n", "k"]] = None
    data = quiet(table, target="x", split="tail", task="number")
    inputs, features = data.encoded()
    model = lamina.Model(inputs, features)
    assert np.isfinite(model.predict(data.test.x, verbose=0)).all()
