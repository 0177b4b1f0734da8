"""`lamina run --diagnose`: what is wrong with each training of a script, and with its error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lamina
from lamina.cli.run import own_and_script_arguments
from lamina.compat.diagnosed_run import DiagnosedRun
from lamina.findings import Change, Finding, Findings
from lamina.layers import Dense
from lamina.training.events import add_listeners

X = np.random.default_rng(0).normal(size=(200, 3)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")


@pytest.fixture
def run(tmp_path):
    """A run during which one model is trained whose rate is far too low."""
    run = DiagnosedRun(Path("script.py"), tmp_path / "findings.json")
    model = lamina.Sequential([Dense(8, "relu"), Dense(2, "softmax")])
    model.compile(lamina.optimizers.Adam(1e-7), "sparse_categorical_crossentropy")
    with add_listeners(run):
        model.fit(X, Y, epochs=3, verbose=0)
    return run


def test_the_findings_of_a_fit_are_written_with_its_line(run, tmp_path, capsys):
    run.finish()
    written = json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))
    assert written["findings"][0]["code"] == "learning-rate-too-low"
    (fit,) = written["fits"]
    assert Path(fit["called_from"].rpartition(":")[0]).name == "test_diagnosed_run.py"
    assert (fit["ended"], len(fit["epochs"])) == ("finished", 3)
    assert "learning-rate-too-low" in capsys.readouterr().out


def test_a_change_is_applied_and_what_it_did_is_said(run):
    change = Change("fit", "epochs", 3)
    finding = Finding("too-few-epochs", "warning", "Few.", "epochs=3.", change=change)
    run.apply = True
    run.on_findings(
        run.fits[0][0], Findings([finding], apply=lambda change: f"{change.name} helped")
    )
    assert "Applied: epochs helped" in run.report()
    assert run.to_json()["fits"][1]["applied"] == "epochs helped"


def test_an_error_becomes_a_finding(run):
    run.on_error(ValueError("x holds 3 numbers that are NaN or infinite.\n  Fix: leave them out."))
    assert run.error.code == "missing-values"
    assert run.error.fix == "leave them out."
    assert run.findings.codes == ["missing-values", "learning-rate-too-low"]


def test_any_error_becomes_a_finding(run):
    run.on_error(FileNotFoundError("there is none"))
    assert run.error.code == "refused"


def test_ctrl_c_is_no_finding(run):
    run.on_error(KeyboardInterrupt())
    assert run.error is None


def test_a_script_without_fit_says_so(tmp_path, capsys):
    DiagnosedRun(Path("script.py"), tmp_path / "findings.json").finish()
    assert "never called fit" in capsys.readouterr().out


def test_the_command_writes_the_file_although_the_script_fails(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import keras\nkeras.layers.Dense(0)\n", encoding="utf-8")
    command = [sys.executable, "-m", "lamina", "run", "script.py", "--diagnose", "--json", "f.json"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    written = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert written["findings"][0]["code"] == "refused"
    assert "The script ended with an error" in done.stdout


@pytest.mark.parametrize(
    ("typed", "own", "scripts"),
    [
        ("run a.py --diagnose", "run --diagnose a.py", ""),
        ("run a.py --diagnose --apply 3", "run --diagnose --apply a.py", "3"),
        ("run a.py --diagnose --json f.json -x", "run --diagnose --json f.json a.py", "-x"),
        ("run --diagnose --json f a.py --json g", "run --diagnose --json f a.py", "--json g"),
        ("run a.py --json f.json", "run a.py", "--json f.json"),
        ("run a.py -- --diagnose", "run a.py", "-- --diagnose"),
        ("train mnist --diagnose", "train mnist --diagnose", ""),
    ],
)
def test_options_may_follow_the_script(typed, own, scripts):
    assert own_and_script_arguments(typed.split()) == (own.split(), scripts.split())
