import numpy as np
import pytest

from lamina.diagnosis import Outcome


@pytest.fixture(scope="session")
def make_outcome():
    """Builds the outcome of an invented training on 6×6 images of three classes."""

    def make(wrong=5, names=("circle", "square", "<b>&star"), epochs=3):
        rng = np.random.default_rng(seed=0)

        def samples(count):
            labels = np.arange(count, dtype="uint8") % 3
            return rng.integers(0, 17, (count, 6, 6), dtype="uint8"), labels

        x_train, y_train = samples(90)
        x_test, y_test = samples(60)
        probabilities = np.full((60, 3), 0.1)
        said = y_test.copy()
        said[:wrong] = (said[:wrong] + 1) % 3
        probabilities[np.arange(60), said] = 0.8
        probabilities[0, said[0]] += 0.1
        history = {
            "loss": [1.0, 0.5, 0.4][:epochs],
            "accuracy": [0.5, 0.8, 0.9][:epochs],
            "val_loss": [1.1, 0.6, 0.5][:epochs],
            "val_accuracy": [0.4, 0.7, 0.8][:epochs],
        }
        return Outcome(
            kind="classes",
            title="Shapes",
            class_names=names,
            noun="images",
            history=history,
            train={"loss": 0.3, "accuracy": 0.93},
            test={"loss": 0.4, "accuracy": 1 - wrong / 60},
            train_data=(x_train, y_train),
            train_measured=90,
            test_data=(x_test, y_test),
            probabilities=probabilities,
            seconds=2.0,
            samples_trained=270,
            samples_learnt_from=90,
        )

    return make
