"""Copies of models by `copy` and `pickle`, as parallel tools make them."""

import copy
import pickle

import numpy as np
import pytest

import lamina

X = np.ones((4, 3), "float32")


class Twice(lamina.layers.Layer):
    def call(self, x):
        return 2 * x


@pytest.fixture
def model():
    model = lamina.Sequential([lamina.Input((3,)), Twice(), lamina.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(X, X[:, :1], verbose=0)
    return model


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))],
    ids=["copy", "pickle"],
)
def test_a_trained_model_can_be_copied_and_goes_on_alike(copied, model):
    other = copied(model)
    expected = model.predict(X, verbose=0)
    np.testing.assert_array_equal(other.predict(X, verbose=0), expected)
    one = model.fit(X, X[:, :1], epochs=2, verbose=0, shuffle=False)
    two = other.fit(X, X[:, :1], epochs=2, verbose=0, shuffle=False)
    assert one.history == two.history
    copied(one)  # the history holds the model


def test_a_model_without_weights_can_be_copied():
    model = lamina.Sequential([lamina.layers.Dense(2)])
    assert copy.deepcopy(model)(X).shape == (4, 2)
