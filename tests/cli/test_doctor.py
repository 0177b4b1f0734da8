"""lamina doctor: what is found is shown, and told to machines."""

import json
import subprocess
import sys

import pytest

from lamina import installation


def test_all_is_well_here(run):
    code, out, _ = run("doctor")
    assert code == 0
    assert "Everything works." in out
    for subject in ("Python", "Lamina", "Packages", "JAX", "Devices", "Cache", "Disk", "Data"):
        assert subject in out


def test_machines_get_json(run):
    code, out, _ = run("doctor", "--json")
    result = json.loads(out)
    assert (code, result["ok"]) == (0, True)
    assert {"subject", "state", "text", "remedy"} == set(result["findings"][0])


def test_something_broken_leaves_with_1_and_the_line_to_type(run, monkeypatch):
    broken = installation.Finding("Thing", "broken", "it is [broken]", "pip install thing")
    monkeypatch.setattr(installation, "CHECKS", (lambda: [broken],))
    code, out, _ = run("doctor")
    assert code == 1
    assert "✗ Thing  it is [broken]" in out
    assert "→ pip install thing" in out
    assert "1 thing does not work." in out
    assert run("doctor", "--json")[0] == 1


def test_a_job_is_checked_as_far_as_one_process_can(run, tmp_path):
    (tmp_path / "train.py").write_text("keras.utils.set_random_seed(3)")
    code, out, _ = run("doctor", "--distributed", "train.py")
    assert code == 0
    assert "one process" in out
    assert "set_random_seed(3)" in out
    assert "Everything works." in out


def test_wrong_variables_of_a_job_leave_with_1_and_what_to_type(run, monkeypatch):
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "2")
    code, out, _ = run("doctor", "--distributed", "--json")
    result = json.loads(out)
    assert (code, result["ok"]) == (1, False)
    assert "export KERAS_DISTRIBUTION_PROCESS_ID=0" in result["findings"][0]["remedy"]


@pytest.mark.parametrize("options", [("train.py",), ("--processes", "2")])
def test_options_for_a_job_ask_for_distributed(run, options):
    code, _, err = run("doctor", *options)
    assert code == 2
    assert "--distributed" in err


@pytest.mark.extra
def test_several_processes_are_connected_and_compared(tmp_path):
    (tmp_path / "train.py").write_text("keras.utils.set_random_seed(3)")
    done = subprocess.run(
        [sys.executable, "-m", "lamina", "doctor", "--distributed", "--processes", "2", "train.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "in all 2 processes: Python, Lamina, jax" in done.stdout
    assert "2 processes with 2 devices" in done.stdout
    assert "Everything works." in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["train.py"]
