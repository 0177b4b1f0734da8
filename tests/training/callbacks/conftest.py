"""A model with just what callbacks may use."""

from types import SimpleNamespace

import pytest


class FakeModel:
    def __init__(self):
        self.stop_training = False
        self.optimizer = SimpleNamespace(learning_rate=0.5)
        self.weights = ["weights of epoch 0"]
        self.saved = []
        self.history = None

    def get_weights(self):
        return list(self.weights)

    def set_weights(self, weights):
        self.weights = list(weights)

    def save(self, filepath, overwrite=False):
        assert overwrite
        self.saved.append(str(filepath))

    def save_weights(self, filepath, overwrite=False):
        assert overwrite
        self.saved.append(f"weights:{filepath}")


@pytest.fixture
def model():
    return FakeModel()


@pytest.fixture
def train():
    """Run callbacks through epochs with given logs, as a training loop does."""

    def run(callbacks, model, epochs, batches=0, params=None):
        model.stop_training = False
        for callback in callbacks:
            callback.set_model(model)
            callback.set_params(params or {"epochs": len(epochs), "steps": batches, "verbose": 0})
            callback.on_train_begin()
        ran = 0
        for epoch, logs in enumerate(epochs):
            logs = dict(logs)
            model.weights = [f"weights of epoch {epoch}"]
            for callback in callbacks:
                callback.on_epoch_begin(epoch)
            for batch in range(batches):
                for callback in callbacks:
                    callback.on_train_batch_end(batch, dict(logs))
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs)
            ran += 1
            if model.stop_training:
                break
        for callback in callbacks:
            callback.on_train_end()
        return ran

    return run
