"""The simple models that say what can be learned from samples."""

import numpy as np
import pytest

from lamina.diagnosis.experiments.baselines import best_baseline
from lamina.diagnosis.experiments.scores import Task
from lamina.diagnosis.experiments.setup import Samples

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
LABELS = (X[:, 0] > 0).astype("int64")


@pytest.mark.parametrize("y", [LABELS, np.eye(2)[LABELS]], ids=["indices", "one-hot"])
def test_labels_that_follow_from_a_column_are_learned(y):
    found = best_baseline([Task("classes", 2)], Samples(X[:40], y[:40]), Samples(X[40:], y[40:]))
    assert found.score > 0.7


@pytest.mark.parametrize("steps", [3, 7])
def test_a_label_for_each_step_of_a_sequence_has_no_simple_model(steps):
    y = RNG.integers(0, 3, (len(X), steps))
    samples = Samples(X, y)
    assert best_baseline([Task("classes", 3)], samples, samples) is None
