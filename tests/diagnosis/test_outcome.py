import numpy as np
import pytest

import lamina
from lamina.core.messages.errors import LaminaWarning
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
    return model, measure(
        model, *data.test, train=data.train, history=history, seconds=1.5, samples_trained=1500
    )


def test_measures_are_those_of_evaluate_and_predict(trained):
    model, outcome = trained
    x, y = outcome.test_data
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert outcome.test == pytest.approx({"loss": loss, "accuracy": accuracy}, rel=1e-5)
    y_pred = model.predict(x, verbose=0).argmax(axis=1)
    assert np.mean(y_pred == y) == pytest.approx(accuracy)
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


def _model(*layers, loss, metrics=()):
    model = lamina.Sequential(list(layers))
    model.compile("sgd", loss, metrics=list(metrics))
    return model


X = np.random.default_rng(0).normal(size=(12, 3))
LABELS = np.arange(12) % 2


@pytest.mark.parametrize(
    ("output", "loss", "y", "kind"),
    [
        (lamina.layers.Dense(2, "softmax"), "sparse_categorical_crossentropy", LABELS, "classes"),
        (lamina.layers.Dense(2), "mse", np.eye(2)[LABELS], "classes"),
        (lamina.layers.Dense(1, "sigmoid"), "binary_crossentropy", LABELS, "classes"),
        (lamina.layers.Dense(1), "mse", X[:, 0], "numbers"),
        (lamina.layers.Dense(2), "mse", X[:, :2], "other"),
    ],
)
def test_what_a_model_says_is_told_from_its_outputs_and_targets(output, loss, y, kind):
    outcome = measure(_model(output, loss=loss), X, y)
    assert outcome.kind == kind
    if kind == "classes":
        assert outcome.y_true.tolist() == LABELS.tolist()
        np.testing.assert_allclose(outcome.probabilities.sum(axis=1), 1, rtol=1e-5)
    assert outcome.verdict.sentence


def test_of_many_training_samples_some_are_measured(monkeypatch):
    monkeypatch.setattr("lamina.diagnosis.outcome._MAX_TRAIN_SAMPLES", 5)
    model = _model(lamina.layers.Dense(2, "softmax"), loss="sparse_categorical_crossentropy")
    outcome = measure(model, X, LABELS, train=(X, LABELS))
    assert (outcome.train_measured, outcome.samples_learnt_from) == (5, 12)


def test_what_is_left_out_by_a_limit_of_steps_is_left_out_of_the_measures():
    model = _model(lamina.layers.Dense(1, "sigmoid"), loss="binary_crossentropy")
    lamina.config.set_max_steps_per_epoch(1)
    try:
        with pytest.warns(LaminaWarning, match="Limited to 1 step"):
            outcome = measure(model, np.tile(X, (4, 1)), np.tile(LABELS, 4), train=(X, LABELS))
    finally:
        lamina.config.set_max_steps_per_epoch(None)
    assert len(outcome.y_true) == len(outcome.probabilities) == 32


def test_names_that_do_not_fit_the_outputs_are_refused():
    model = _model(lamina.layers.Dense(2, "softmax"), loss="sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="3 names, but the model predicts 2 classes"):
        measure(model, X, LABELS, class_names=("a", "b", "c"))
