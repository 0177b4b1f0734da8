"""Calibration, compared with a plain loop over the bins."""

import numpy as np
import pytest

from lamina.diagnosis.calibration import calibration


@pytest.fixture
def answers(rng):
    probabilities = rng.dirichlet(np.ones(4), 500)
    return rng.integers(0, 4, 500), probabilities


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_expected_error_is_the_mean_gap_of_the_bins(answers, bins):
    y_true, probabilities = answers
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y_true
    expected = 0.0
    for number in range(bins):
        inside = (confidence > number / bins) & (confidence <= (number + 1) / bins)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    found = calibration(y_true, probabilities, bins)
    assert found.expected_error == pytest.approx(expected)
    assert found.counts.sum() == 500


def test_certain_answers_are_in_the_last_bin():
    found = calibration(np.array([0, 1]), np.eye(2))
    assert found.counts.tolist() == [0] * 14 + [2]
    assert found.expected_error == 0


@pytest.mark.parametrize(
    ("probability", "right", "words"),
    [
        (0.9, 6, "too sure: its probabilities are 30.0 points too high"),
        (0.6, 9, "too unsure: its probabilities are 30.0 points too low"),
        (0.8, 8, "can be taken as they are"),
    ],
)
def test_what_it_means_is_said(probability, right, words):
    y_true = np.array([0] * right + [1] * (10 - right))
    probabilities = np.array([[probability, 1 - probability]] * 10)
    assert words in calibration(y_true, probabilities).sentence


def test_errors_in_both_directions_do_not_cancel():
    probabilities = np.array([[0.9, 0.1]] * 10 + [[0.6, 0.4]] * 10)
    y_true = np.array([0] * 6 + [1] * 4 + [0] * 9 + [1])
    found = calibration(y_true, probabilities)
    assert found.overconfidence == pytest.approx(0)
    assert found.expected_error == pytest.approx(0.3)
    assert "too sure of some answers and too unsure of others" in found.sentence
