"""`lamina run --diagnose`: what is wrong with each training of a script, and with its error."""

import json

import pytest

from lamina import config
from lamina.cli.run import own_and_script_arguments
from lamina.compat.run_script import run_script
from lamina.diagnosis import examination

SCRIPT = """
import numpy as np
from tensorflow import keras

x = np.random.default_rng(0).normal(size=(200, 3)).astype("float32")
y = (x[:, 0] > 0).astype("int64")
model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "softmax")])
model.compile("adam", "binary_crossentropy")
model.fit(x, y, epochs=20, verbose=0)
"""


@pytest.fixture
def report(tmp_path, monkeypatch, capsys):
    """Runs a script; returns its exit code, the JSON and what was printed."""
    monkeypatch.setattr(examination, "_SECONDS", 60.0)
    monkeypatch.chdir(tmp_path)

    def run(text):
        script = tmp_path / "script.py"
        script.write_text(text, encoding="utf-8")
        with pytest.raises(SystemExit) as leaving:
            run_script(script, [], diagnose=True, json_file=tmp_path / "findings.json")
        written = json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))
        return leaving.value.code, written, capsys.readouterr().out

    yield run
    config.set_diagnosis("notes")


@pytest.mark.filterwarnings("ignore")
def test_the_findings_of_a_fit_are_written_with_its_line(report):
    code, written, printed = report(SCRIPT)
    assert code == 0
    assert written["findings"][0]["code"] == "output-activation"
    (fit,) = written["fits"]
    assert fit["called_from"].endswith("script.py:9")
    assert (fit["ended"], len(fit["epochs"])) == ("finished", 20)
    assert "output-activation" in printed


def test_an_error_becomes_a_finding(report):
    code, written, _ = report(SCRIPT.replace("y = (", "x[0] = np.nan; y = ("))
    assert code == 1
    assert written["findings"][0]["code"] == "missing-values"
    assert "numpy.isfinite" in written["findings"][0]["fix"]


def test_an_error_before_any_training_becomes_a_finding(report):
    code, written, printed = report("open('there is none')")
    assert code == 1
    assert [found["code"] for found in written["findings"]] == ["refused"]
    assert "there is none" in printed


def test_a_folder_that_is_not_there_is_named(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match="mkdir -p"):
        run_script(script, [], diagnose=True, json_file=tmp_path / "none" / "findings.json")


@pytest.mark.parametrize(
    ("typed", "own", "scripts"),
    [
        ("run a.py --diagnose", "run --diagnose a.py", ""),
        ("run a.py --diagnose --json f.json -x", "run --diagnose --json f.json a.py", "-x"),
        ("run --diagnose --json f a.py --json g", "run --diagnose --json f a.py", "--json g"),
        ("run a.py --json f.json", "run a.py", "--json f.json"),
        ("run a.py -- --diagnose", "run a.py", "-- --diagnose"),
        ("train mnist --diagnose", "train mnist --diagnose", ""),
    ],
)  # fmt: skip
def test_options_may_follow_the_script(typed, own, scripts):
    assert own_and_script_arguments(typed.split()) == (own.split(), scripts.split())
