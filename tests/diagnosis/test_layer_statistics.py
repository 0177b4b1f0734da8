"""Statistics of layers, compared with what NumPy gives for the same weights."""

import numpy as np
import pytest

import lamina
from lamina.callbacks import LambdaCallback
from lamina.diagnosis import examiner
from lamina.diagnosis.effective_rank import effective_rank
from lamina.diagnosis.layer_statistics import LayerProbe
from lamina.findings import Findings

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X[:, :1]


@pytest.fixture
def model():
    lamina.utils.set_random_seed(0)
    model = lamina.Sequential([lamina.Input((3,)), lamina.layers.Dense(8, "relu", name="hidden")])
    model.add(lamina.layers.Dense(1, name="last"))
    model.compile(lamina.optimizers.SGD(0.1), "mse")
    return model


def test_a_layer_is_measured_between_two_moments(model):
    hidden = model.layers[0]
    kernel, bias = hidden.get_weights()
    kernel[:, :2], bias[:2] = 0, -1  # two units that are always 0
    hidden.set_weights([kernel, bias])
    probe = LayerProbe(model, X, Y)
    first = probe.measure(0)[0]
    assert (first.layer, first.dead, first.update) == ("hidden", 2 / 8, None)
    assert first.rank == pytest.approx(float(effective_rank(kernel)), rel=1e-5)
    assert first.largest_rank == 3
    hidden.set_weights([kernel * 1.5, bias])
    assert probe.measure(5, steps=5)[0].update == pytest.approx(0.5 / 5, rel=1e-5)


def test_a_column_has_no_rank(model):
    assert LayerProbe(model, X, Y).measure(0)[-1].rank is None


def test_callbacks_see_the_statistics_while_the_model_trains(model, monkeypatch):
    monkeypatch.setattr(examiner, "examine", lambda *arguments: Findings())
    seen = []
    watch = LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(model.history.record.statistics[-1].step)
    )
    lamina.config.set_diagnosis("full")
    try:
        model.fit(X, Y, epochs=3, batch_size=20, verbose=0, callbacks=[watch])
    finally:
        lamina.config.set_diagnosis("notes")
    assert seen == [2, 4, 4]  # after 1, 2, 4 … epochs
