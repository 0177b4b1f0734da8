"""From outputs to probabilities."""

import numpy as np
import pytest

from lamina.prediction.probabilities import as_probabilities


def test_logits_and_single_outputs_become_probabilities():
    logits = np.array([[2.0, 0.0, -1.0]])
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(as_probabilities(logits), expected)
    np.testing.assert_allclose(as_probabilities(np.array([[0.8]])), [[0.2, 0.8]])
    yes = 1 / (1 + np.exp(-3))
    np.testing.assert_allclose(as_probabilities(np.array([[3.0]])), [[1 - yes, yes]])
    with pytest.raises(ValueError, match=r"shape \(4, 4\)"):
        as_probabilities(np.zeros((1, 4, 4)))


def test_classes_that_may_hold_together_keep_their_own_probabilities():
    both = np.array([[0.9, 0.8, 0.1]])
    np.testing.assert_array_equal(as_probabilities(both, independent=True), both)
    logits = np.array([[3.0, -3.0]])
    np.testing.assert_allclose(
        as_probabilities(logits, independent=True), 1 / (1 + np.exp(-logits))
    )
