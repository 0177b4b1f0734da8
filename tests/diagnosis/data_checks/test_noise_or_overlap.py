"""Wrong labels by accident are told from classes that overlap."""

import numpy as np
import pytest

from lamina.diagnosis.data_checks.noise_or_overlap import noise_rate


def logistic(rng, count, steepness):
    """Labels of two classes, drawn with the probabilities that are returned."""
    second = 1 / (1 + np.exp(-steepness * rng.normal(size=count)))
    return (rng.random(count) < second).astype(int), np.stack([1 - second, second], axis=1)


def flipped(rng, labels, rate, classes):
    other = (labels + rng.integers(1, classes, len(labels))) % classes
    return np.where(rng.random(len(labels)) < rate, other, labels)


def sharp(rng, count, classes):
    """Classes and probabilities that are nearly always right."""
    labels = rng.integers(0, classes, count)
    probabilities = rng.dirichlet(np.ones(classes), count) * rng.uniform(0.05, 0.4, (count, 1))
    probabilities[np.arange(count), labels] += 1 - probabilities.sum(axis=1)
    return labels, probabilities


@pytest.mark.parametrize("steepness", [1.0, 2.0, 4.0])
def test_two_classes_that_overlap_are_no_label_noise(rng, steepness):
    assert noise_rate(*logistic(rng, 3000, steepness)) is None


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_labels_that_were_changed_at_random_are(rng, classes):
    labels, probabilities = sharp(rng, 3000, classes)
    given = flipped(rng, labels, 0.1, classes)
    assert noise_rate(given, probabilities) == pytest.approx(0.1, abs=0.025)


def test_right_labels_are_not(rng):
    assert noise_rate(*sharp(rng, 1000, 10)) is None


def test_a_class_that_is_taken_for_its_neighbour_is_no_accident(rng):
    labels, probabilities = sharp(rng, 3000, 10)
    second = np.argsort(-probabilities, axis=1)[:, 1]
    given = np.where(rng.random(3000) < 0.1, second, labels)
    assert noise_rate(given, probabilities) is None


def test_few_samples_cannot_tell(rng):
    labels, probabilities = sharp(rng, 60, 2)
    assert noise_rate(flipped(rng, labels, 0.1, 2), probabilities) is None
