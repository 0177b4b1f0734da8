"""Confident learning, on probabilities made by hand: expected values follow from the paper."""

import numpy as np
import pytest

from lamina.diagnosis.data_checks.confident_learning import (
    joint_distribution,
    likely_classes,
    rank_suspects,
)

# Mean probabilities of their own class, by given label: 0.7, 0.6 and 0.6.
LABELS = np.array([0, 0, 0, 1, 1, 2, 2])
PROBABILITIES = np.array(
    [
        [0.90, 0.05, 0.05],
        [0.80, 0.10, 0.10],
        [0.40, 0.35, 0.25],
        [0.20, 0.75, 0.05],
        [0.50, 0.45, 0.05],
        [0.05, 0.05, 0.90],
        [0.08, 0.62, 0.30],
    ]
)


def test_a_class_is_likely_from_the_mean_probability_of_its_samples_on():
    assert likely_classes(LABELS, PROBABILITIES).tolist() == [0, 0, -1, 1, -1, 2, 1]


def test_the_most_probable_of_several_confident_classes_is_likely():
    probabilities = np.array([[0.3, 0.7], [0.55, 0.45], [0.6, 0.4]])
    # The thresholds are 0.425 and 0.4, which both columns of the second sample reach.
    assert likely_classes(np.array([0, 0, 1]), probabilities).tolist() == [1, 0, 0]


def test_a_class_without_samples_is_never_likely():
    assert likely_classes(np.array([0, 0]), np.array([[0.1, 0.9], [0.2, 0.8]])).tolist() == [-1, 0]


def test_each_row_of_the_joint_is_scaled_to_the_samples_with_that_label():
    joint = joint_distribution(LABELS, np.array([0, 0, -1, 1, -1, 2, 1]), 3)
    expected = np.array([[3, 0, 0], [0, 2, 0], [0, 1, 1]]) / 7
    np.testing.assert_allclose(joint, expected)


def test_a_label_of_which_no_sample_is_confident_counts_as_right():
    np.testing.assert_allclose(
        joint_distribution(np.array([0, 1]), np.array([0, -1]), 2), np.eye(2) / 2
    )


def test_suspects_are_as_many_as_the_rate_says_and_the_most_doubtful_come_first():
    # Log margins of the last sample and of the fifth: log(0.62 / 0.30) and log(0.50 / 0.45).
    assert rank_suspects(LABELS, PROBABILITIES, 1 / 7).tolist() == [6]
    assert rank_suspects(LABELS, PROBABILITIES, 2 / 7).tolist() == [6, 4]


def test_a_sample_whose_label_is_the_most_probable_is_no_suspect():
    assert rank_suspects(LABELS, PROBABILITIES, 1.0).tolist() == [6, 4]


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2])
def test_the_rate_of_labels_that_were_changed_is_estimated(rng, rate):
    true = rng.integers(0, 5, 4000)
    given = np.where(rng.random(4000) < rate, (true + rng.integers(1, 5, 4000)) % 5, true)
    probabilities = rng.dirichlet(np.full(5, 0.5), 4000) * 0.3
    probabilities[np.arange(4000), true] += 0.7
    joint = joint_distribution(given, likely_classes(given, probabilities), 5)
    assert 1 - np.trace(joint) == pytest.approx((given != true).mean(), abs=0.01)
