"""Saliency and integrated gradients against NumPy's derivatives, and completeness."""

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.explanation import integrated_gradients, saliency
from lamina.explanation.gradients import baselines_of, compute_attributions, evaluate_sample

X = np.array([0.5, -1.0, 2.0], "float32")


def derivative(model, x, target_index):
    """Of a score before softmax by the inputs of a network with one hidden layer of tanh."""
    first, bias, second, _ = (w.astype("float64") for w in model.get_weights())
    hidden = np.tanh(x @ first + bias)
    return first @ ((1 - hidden**2) * second[:, target_index])


@pytest.mark.parametrize("target_index", [0, 1])
def test_saliency_is_the_size_of_the_derivative_of_the_score(dense, target_index):
    expected = np.abs(derivative(dense, X, target_index))
    np.testing.assert_allclose(saliency(dense, X, target=target_index), expected, rtol=1e-4)


def test_integrated_gradients_are_the_mean_derivative_on_the_way_from_the_baseline(dense):
    baseline = np.array([0.1, 0.2, 0.3], "float32")
    fractions = (np.arange(400) + 0.5) / 400
    line = [derivative(dense, baseline + f * (X - baseline), 1) for f in fractions]
    found = integrated_gradients(dense, X, target=1, baseline=baseline, steps=400)
    np.testing.assert_allclose(found, np.mean(line, axis=0) * (X - baseline), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["dense", "pictures", "texts", "own"])
def test_attributions_add_up_to_the_difference_of_the_scores(name, request, picture):
    samples = {"dense": X, "pictures": picture, "texts": "good bad film", "own": [[1, 2, 3, 4]]}
    evaluation = evaluate_sample(request.getfixturevalue(name), samples[name])
    target_index = evaluation.interpretation.find_target(None, evaluation.values)
    attributions = compute_attributions(
        evaluation, target_index, baselines_of(evaluation), steps=256
    )
    assert attributions.score != attributions.baseline_score
    assert (
        abs(attributions.gap) < 0.02 * abs(attributions.score - attributions.baseline_score) + 1e-5
    )


def test_the_score_is_that_before_softmax_whatever_layer_computes_it(dense):
    score = score_of(dense)
    split = lamina.Sequential(
        [lamina.Input((3,)), layers.Dense(5, "tanh"), layers.Dense(2), layers.Softmax()]
    )
    split.set_weights(dense.get_weights())
    assert score_of(split) == pytest.approx(score, rel=1e-5)
    first, bias, second, last = dense.get_weights()
    expected = np.tanh(X @ first + bias) @ second + last
    assert score == pytest.approx(expected[0], rel=1e-5)


def score_of(model):
    evaluation = evaluate_sample(model, X)
    return compute_attributions(evaluation, 0, baselines_of(evaluation), steps=1).score


def test_the_second_class_of_a_sigmoid_is_explained_by_its_negative():
    model = lamina.Sequential([lamina.Input((3,)), layers.Dense(1, "sigmoid")])
    kernel = model.get_weights()[0][:, 0]
    np.testing.assert_allclose(integrated_gradients(model, X, target=1), X * kernel, rtol=1e-5)
    np.testing.assert_allclose(integrated_gradients(model, X, target=0), -X * kernel, rtol=1e-5)


def test_one_value_for_each_word_and_none_for_padding(texts):
    found = integrated_gradients(texts, "good film")
    assert found.shape == (5,)
    assert (found[:2] != 0).all()
    np.testing.assert_array_equal(found[2:], 0)


def test_words_of_a_normalized_vector_are_attributed_to():
    words = layers.TextVectorization(vocabulary=["good", "bad"], output_mode="count")
    text = lamina.Input((), dtype="string")
    x = layers.UnitNormalization()(words(text)[:, 1:])
    model = lamina.Model(text, layers.Dense(1)(x))
    kernel = model.get_weights()[0][:, 0]
    found = integrated_gradients(model, "good good bad")
    np.testing.assert_allclose(found, kernel * np.array([2, 1]) / np.sqrt(5), rtol=1e-4)
    names = {amount.name: amount.amount for amount in model.explain("good good bad").in_order}
    assert names == pytest.approx({"good": found[0], "bad": found[1]})


def test_several_inputs_give_a_dict():
    a, b = lamina.Input((2,), name="a"), lamina.Input((1,), name="b")
    model = lamina.Model([a, b], layers.Dense(1)(layers.Concatenate()([a, b])))
    kernel = model.get_weights()[0][:, 0]
    found = integrated_gradients(model, [np.array([1.0, 2.0]), np.array([3.0])])
    np.testing.assert_allclose(found["a"], kernel[:2] * [1, 2], rtol=1e-5)
    np.testing.assert_allclose(found["b"], kernel[2:] * 3, rtol=1e-5)


def test_the_mean_of_a_normalization_is_the_baseline():
    model = lamina.Sequential(
        [lamina.Input((2,)), layers.Normalization(mean=[10.0, 20.0], variance=[1.0, 4.0]),
         layers.Dense(1)]
    )  # fmt: skip
    kernel = model.get_weights()[0][:, 0]
    found = integrated_gradients(model, np.array([11.0, 24.0]))
    np.testing.assert_allclose(found, kernel * [1, 2], rtol=1e-4)


def test_saliency_of_a_coloured_picture_is_the_largest_of_its_channels():
    model = lamina.Sequential([lamina.Input((2, 2, 3)), layers.Flatten(), layers.Dense(1)])
    kernel = np.abs(model.get_weights()[0][:, 0]).reshape(2, 2, 3)
    found = saliency(model, np.ones((2, 2, 3)))
    np.testing.assert_allclose(found, kernel.max(axis=-1), rtol=1e-5)


def test_mixed_precision_gives_nearly_the_same(dense):
    half = lamina.Sequential(
        [lamina.Input((3,)), layers.Dense(5, "tanh", dtype="mixed_bfloat16"),
         layers.Dense(2, "softmax", dtype="mixed_bfloat16")]
    )  # fmt: skip
    half.set_weights(dense.get_weights())
    expected = integrated_gradients(dense, X, target=0)
    found = integrated_gradients(half, X, target=0)
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_the_model_stays_as_it_is(pictures, picture):
    weights = pictures.get_weights()
    layer = pictures.get_layer("convolution")
    before = set(vars(layer))
    pictures.explain(picture)
    assert set(vars(layer)) == before
    assert all(np.array_equal(a, b) for a, b in zip(weights, pictures.get_weights(), strict=True))
