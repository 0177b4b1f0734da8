"""Scores: 0 is guessing, 1 is perfect, whatever the outputs and the targets are."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, r2_score

from lamina.diagnosis.experiments.scores import Task, format_score, sample_scores, score_of, task_of

RNG = np.random.default_rng(0)


def score(task, predictions, y):
    return float(sample_scores(task, predictions, y).mean())


def test_the_score_of_classes_is_the_adjusted_balanced_accuracy():
    labels = RNG.integers(0, 4, 300)
    answers = np.where(RNG.random(300) < 0.6, labels, RNG.integers(0, 4, 300))
    expected = balanced_accuracy_score(labels, answers, adjusted=True)
    assert score(Task("classes", 4), np.eye(4)[answers], labels) == pytest.approx(expected)


def test_the_score_of_numbers_is_the_explained_variance():
    y = RNG.normal(size=200)
    predictions = y + RNG.normal(0, 0.3, size=200)
    assert score(Task("numbers"), predictions[:, None], y) == pytest.approx(
        r2_score(y, predictions)
    )


@pytest.mark.parametrize(
    ("task", "y", "constant"),
    [
        (Task("classes", 3), np.array([0, 0, 0, 1, 2, 2]), np.tile([1.0, 0, 0], (6, 1))),
        (Task("classes", 2), np.array([0, 0, 0, 1, 1]), np.full((5, 1), 0.1)),
        (Task("numbers"), np.array([1.0, 2.0, 3.0]), np.full((3, 1), 2.0)),
        (Task("several classes", 2), np.array([[1, 0], [0, 1], [1, 1], [0, 0]]), np.ones((4, 2))),
    ],
)
def test_a_constant_answer_scores_zero(task, y, constant):
    assert score(task, constant, y) == pytest.approx(0.0)


@pytest.mark.parametrize("shape", ["labels", "one-hot", "one unit", "logits of one unit"])
def test_perfect_classes_score_one_in_every_form(shape):
    labels = np.array([0, 1, 1, 0])
    y = np.eye(2)[labels] if shape == "one-hot" else labels
    predictions = {
        "one unit": labels[:, None] * 0.9,
        "logits of one unit": labels[:, None] * 4.0 - 2.0,
    }.get(shape, np.eye(2)[labels])
    assert score(Task("classes", 2), predictions, y) == pytest.approx(1.0)


def test_predictions_that_are_not_finite_are_wrong():
    y = np.array([0, 1, 0, 1])
    assert score(Task("classes", 2), np.full((4, 2), np.nan), y) <= 0
    assert score(Task("numbers"), np.full((4, 1), np.inf), y.astype(float)) < 0


@pytest.mark.parametrize(
    ("y", "loss", "expected"),
    [
        (np.array([0, 1, 2, 1]), "sparse_categorical_crossentropy", Task("classes", 3)),
        (np.array([[0.0], [1.0], [1.0]]), "binary_crossentropy", Task("classes", 2)),
        (np.eye(3)[[0, 1, 2, 1]], "categorical_crossentropy", Task("classes", 3)),
        (np.array([[1.0, 1], [0, 1]]), "binary_crossentropy", Task("several classes", 2)),
        (np.array([0, 1, 2, 1]), "mean_squared_error", Task("classes", 3)),
        (np.array([0.5, 1.5, 2.0]), "mean_squared_error", Task("numbers")),
        (np.arange(50) * 3, "mean_squared_error", Task("numbers")),
        (np.zeros((4, 8, 8, 1)), "mean_squared_error", Task("numbers")),
    ],
)
def test_targets_say_what_is_predicted(y, loss, expected):
    assert task_of(y, loss) == expected


def test_outputs_are_averaged():
    tasks = [Task("classes", 2), Task("numbers")]
    y = [np.array([0, 1, 0, 1]), np.array([1.0, 2, 3, 4])]
    predictions = [np.eye(2)[y[0]], np.full((4, 1), 2.5)]
    assert score_of(tasks, predictions, y).mean() == pytest.approx(0.5)


def test_scores_are_shown_as_the_measure_that_users_know():
    assert format_score(0.0, Task("classes", 10)) == "10.0%"
    assert format_score(1.0, Task("classes", 2)) == "100.0%"
    assert format_score(0.8123, Task("numbers")) == "0.81"
