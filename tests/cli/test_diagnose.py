import json

import pytest

from lamina import layers
from lamina.diagnosis import examination


@pytest.fixture(autouse=True)
def no_trials(monkeypatch):
    monkeypatch.setattr(examination, "_SECONDS", 0.0)


def test_findings_of_a_saved_model_are_shown(run, save):
    path = save(
        layers.Input((8, 8)),
        layers.Flatten(),
        layers.Dense(10, "sigmoid"),
        compiled=True,
    )
    code, out, err = run("diagnose", path, "digits", "--epochs", "1")
    assert code == 0
    assert "output-activation" in out
    assert "Fix: activation='softmax' on the last layer" in out
    assert "Copies of the model are trained" in err


def test_findings_are_written_as_json(run, model_file):
    code, out, _ = run("diagnose", model_file, "digits", "--epochs", "1", "--json")
    assert code == 0
    assert {"findings", "unchecked", "remarks"} <= set(json.loads(out))


def test_data_that_are_not_there_are_named(run, model_file):
    code, _, err = run("diagnose", model_file, "digit")
    assert code == 1
    assert "digits" in err
