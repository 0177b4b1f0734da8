"""`Diagnose` says while a model trains what is wrong, and may end the training."""

import numpy as np
import pytest

import lamina
from lamina.callbacks import Diagnose
from lamina.layers import Dense

X = np.random.default_rng(0).normal(size=(200, 3)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")


def epochs_of(rate, **settings):
    model = lamina.Sequential([Dense(4, "relu"), Dense(2, "softmax")])
    model.compile(lamina.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    return len(model.fit(X, Y, epochs=6, verbose=0, callbacks=[Diagnose(**settings)]).epoch)


def test_a_finding_is_said_once_with_its_epoch(capsys):
    assert epochs_of(1e-7) == 6
    out = capsys.readouterr().out
    assert out.count("learning-rate-too-low") == 1
    assert out.startswith("Epoch 2: problem")


def test_training_ends_at_a_problem():
    assert epochs_of(1e-7, stop_on="problem", verbose=0) == 2
    assert epochs_of(1e-7, stop_on="warning", every=4, verbose=0) == 4


def test_a_healthy_training_goes_on_in_silence(capsys):
    assert epochs_of(0.01, stop_on="problem") == 6
    assert not capsys.readouterr().out


def test_it_says_that_diagnosis_is_off():
    lamina.config.set_diagnosis("off")
    try:
        with pytest.warns(lamina.LaminaWarning, match="switched off"):
            epochs_of(1e-7)
    finally:
        lamina.config.set_diagnosis("notes")


@pytest.mark.parametrize("settings", [{"every": 0}, {"stop_on": "everything"}])
def test_wrong_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        Diagnose(**settings)
