import numpy as np
import pytest

import lamina
from lamina.diagnosis import measure


@pytest.fixture
def trained():
    data = lamina.datasets.load("digits")
    model = lamina.Sequential(
        [
            lamina.layers.Input((8, 8)),
            lamina.layers.Rescaling(1 / 16),
            lamina.layers.Flatten(),
            lamina.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(*data.train, epochs=1, verbose=0)
    return model, measure(model, data, history, seconds=1.5)


def test_measures_are_those_of_evaluate_and_predict(trained):
    model, outcome = trained
    data = outcome.dataset
    loss, accuracy = model.evaluate(*data.test, verbose=0)
    assert outcome.test == pytest.approx({"loss": loss, "accuracy": accuracy}, rel=1e-5)
    y_pred = model.predict(data.test[0], verbose=0).argmax(axis=1)
    assert np.mean(y_pred == data.test[1]) == pytest.approx(accuracy)
    assert np.trace(outcome.confusion) / outcome.confusion.sum() == pytest.approx(accuracy)
    assert sum(c.samples for c in outcome.per_class) == 297


def test_numbers_are_plain_so_that_they_can_be_written_as_json(trained):
    _, outcome = trained
    assert {type(v) for v in (*outcome.train.values(), *outcome.test.values())} == {float}
    assert [len(v) for v in outcome.history.values()] == [1, 1]
    assert outcome.samples_per_second == 1500 / 1.5


def test_the_verdict_knows_what_chance_would_give(make_outcome):
    outcome = make_outcome(wrong=40)
    assert outcome.verdict.kind == "memorises"
    assert make_outcome(wrong=2).verdict.is_good
