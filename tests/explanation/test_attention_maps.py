"""Attention maps against a softmax in NumPy."""

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.explanation import attention_maps


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_the_weights_are_the_softmax_of_queries_times_keys(own):
    query, query_bias, key, key_bias, *_ = (w.numpy() for w in own.attention.weights)
    x = own.vectors.embeddings.numpy()[[1, 5, 2, 3]]
    queries = np.einsum("sf,fhd->hsd", x, query) + query_bias[:, None]
    keys = np.einsum("sf,fhd->hsd", x, key) + key_bias[:, None]
    expected = softmax(np.einsum("hqd,hkd->hqk", queries, keys) / np.sqrt(3))
    found = attention_maps(own, [[1, 5, 2, 3]])
    np.testing.assert_allclose(found["attention"], expected, rtol=1e-4, atol=1e-6)


def test_padding_is_not_attended_to(texts):
    maps = attention_maps(texts, "good film")["attention"]
    assert maps.shape == (2, 5, 5)
    np.testing.assert_allclose(maps[:, :2, :2].sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(maps[:, :, 2:], 0)


def test_a_layer_without_heads_has_one_and_a_second_call_has_a_number():
    x = lamina.Input((3, 2))
    layer = layers.Attention(name="look")
    model = lamina.Model(x, layer([layer([x, x]), x]))
    sample = np.random.default_rng(0).random((3, 2)).astype("float32")
    found = attention_maps(model, sample)
    assert {name: maps.shape for name, maps in found.items()} == {
        "look": (1, 3, 3),
        "look (2)": (1, 3, 3),
    }
    np.testing.assert_allclose(found["look"][0], softmax(sample @ sample.T), rtol=1e-4)


def test_a_model_without_attention_says_so(dense):
    with pytest.raises(ValueError, match="'small' has no attention layer"):
        attention_maps(dense, np.ones(3))
