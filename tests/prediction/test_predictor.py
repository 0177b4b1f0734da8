"""Predictor: class names, probabilities, and programs that are there before they are needed."""

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.prediction import InputDescription
from programs import counted_compilations

X = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)


def logits_of(*biases, name=None):
    """A model that gives these numbers for whatever it is asked."""
    layer = layers.Dense(len(biases), kernel_initializer="zeros")
    model = lamina.Sequential([lamina.Input((4,)), layer], name=name)
    layer.bias.assign(np.array(biases, "float32"))
    return model


def test_outputs_are_those_of_the_model_whatever_the_size_of_batches():
    model = lamina.Sequential([lamina.Input((4,)), layers.Dense(2)])
    predictor = lamina.Predictor(model, batch_size=2)
    np.testing.assert_allclose(predictor.predict(X), model.predict(X), atol=1e-6)


def test_logits_become_probabilities():
    expected = np.exp([2, 0, -1]) / np.exp([2, 0, -1]).sum()
    found = lamina.Predictor(logits_of(2, 0, -1)).probabilities(X)
    np.testing.assert_allclose(found, [expected] * 3, rtol=1e-6)


def test_independent_classes_have_a_sigmoid_each():
    predictor = lamina.Predictor(logits_of(2, -2), independent=True)
    expected = 1 / (1 + np.exp([-2, 2]))
    np.testing.assert_allclose(predictor.probabilities(X[:1]), [expected], rtol=1e-6)


def test_the_likeliest_classes_come_first_by_name():
    known = InputDescription(class_names=("cat", "dog", "bird"))
    predictor = lamina.Predictor(logits_of(0, 2, 1), known)
    (said,) = predictor.classify(X[:1], top_k=2)
    assert said.class_name == "dog"
    assert [name for name, _ in said.top] == ["dog", "bird"]
    assert said.probability == said.top[0][1] == pytest.approx(np.exp(2) / np.exp([0, 2, 1]).sum())


def test_classes_without_names_are_numbered():
    assert lamina.Predictor(logits_of(0, 2, 1)).classify(X[:1])[0].class_name == "1"


def test_a_model_named_after_a_set_has_its_classes():
    model = logits_of(9, *[0] * 9, name="fashion_mnist_small")
    assert lamina.Predictor(model).classify(X[:1])[0].class_name == "T-shirt/top"


@pytest.mark.parametrize("top_k", [0, -1])
def test_no_classes_at_all_are_refused(top_k):
    with pytest.raises(ValueError, match="top_k must be 1 or more"):
        lamina.Predictor(logits_of(0, 1)).classify(X, top_k=top_k)


def test_names_that_do_not_fit_are_refused():
    predictor = lamina.Predictor(logits_of(0, 1), InputDescription(class_names=("a", "b", "c")))
    with pytest.raises(ValueError, match="3 class names, but model .* predicts 2 classes"):
        predictor.classify(X)


def test_after_warming_up_nothing_is_compiled():
    predictor = lamina.Predictor(lamina.Sequential([lamina.Input((4,)), layers.Dense(2)]))
    predictor.warm_up([1, 3])
    with counted_compilations() as compilations:
        predictor.predict(X[:1])
        predictor.predict(X)
    assert compilations.names == []


def test_warming_up_leaves_the_states_of_a_model_as_they_were():
    rnn = layers.SimpleRNN(2, stateful=True, bias_initializer="ones")
    model = lamina.Sequential([lamina.Input(batch_shape=(3, 2, 2)), rnn])
    lamina.Predictor(model, batch_size=3).warm_up([3])
    assert not np.any(rnn.states[0])


def test_text_is_warmed_up_by_an_empty_one():
    words = layers.TextVectorization(output_sequence_length=3)
    words.adapt(["good bad"])
    model = lamina.Sequential([lamina.Input((), dtype="string"), words, layers.Embedding(5, 2)])
    predictor = lamina.Predictor(model)
    predictor.warm_up()
    predictor.warm_up([2], ["good", "bad"])
    assert predictor.predict(["good bad"]).shape == (1, 3, 2)


def test_an_open_axis_needs_an_example():
    model = lamina.Sequential([lamina.Input((None, 4)), layers.GlobalAveragePooling1D()])
    predictor = lamina.Predictor(model)
    with pytest.raises(ValueError, match=r"Fix: .*warm_up\(\[1\], x\[:1\]\)"):
        predictor.warm_up()
    predictor.warm_up([2], np.zeros((1, 7, 4), "float32"))
