"""Where layers that compute on the host leave their results."""

import jax
import numpy as np
import pytest

import lamina
from lamina import layers

NUMBERS = {
    "Discretization": (layers.Discretization, {"bin_boundaries": [1.0, 2.0]}),
    "Hashing": (layers.Hashing, {"num_bins": 3}),
    "IntegerLookup": (layers.IntegerLookup, {"vocabulary": [1, 2]}),
    "CategoryEncoding": (layers.CategoryEncoding, {"num_tokens": 4}),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_layer_called_on_numpy_gives_a_tensor(kind):
    layer = NUMBERS[kind][0](**NUMBERS[kind][1])
    for given in (np.array([1, 2, 3]), [1, 2, 3]):
        assert lamina.ops.is_tensor(layer(given))


def test_numbers_for_text_are_a_tensor_and_text_is_not():
    lookup = layers.StringLookup(vocabulary=["a", "b"])
    assert isinstance(lookup(["b", "a"]), jax.Array)
    inverse = layers.StringLookup(vocabulary=["a", "b"], invert=True)
    assert inverse([1, 2]).tolist() == ["a", "b"]


def test_results_stay_in_numpy_within_a_data_set():
    lookup = layers.StringLookup(vocabulary=["a", "b"])
    dataset = lamina.data.Dataset.from_tensor_slices(["b", "a"]).batch(2).map(lookup)
    assert isinstance(next(iter(dataset)), np.ndarray)
