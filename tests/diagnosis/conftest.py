import numpy as np
import pytest

from lamina.datasets import Dataset
from lamina.diagnosis import Outcome


@pytest.fixture
def make_outcome():
    """Builds the outcome of an invented training on 6×6 images of three classes."""

    def make(wrong=5, names=("circle", "square", "<b>&star"), epochs=3):
        rng = np.random.default_rng(seed=0)

        def samples(count):
            labels = np.arange(count, dtype="uint8") % 3
            return rng.integers(0, 17, (count, 6, 6), dtype="uint8"), labels

        data = Dataset("shapes", "Shapes", samples(90), samples(60), names)
        probabilities = np.full((60, 3), 0.1)
        said = data.test[1].copy()
        said[:wrong] = (said[:wrong] + 1) % 3
        probabilities[np.arange(60), said] = 0.8
        probabilities[0, said[0]] += 0.1
        accuracy = 1 - wrong / 60
        return Outcome(
            data,
            {"loss": [1.0, 0.5, 0.4][:epochs], "accuracy": [0.5, 0.8, 0.9][:epochs]},
            train={"loss": 0.3, "accuracy": 0.93},
            test={"loss": 0.4, "accuracy": accuracy},
            probabilities=probabilities,
            seconds=2.0,
        )

    return make
