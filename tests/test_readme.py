"""Every command of the README is typed here as it is printed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.removeprefix("$ ")
    for block in CONSOLE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    for line in block.splitlines()
    if line.startswith("$ ")
]
# These make environments out of packages from the network; `.ci/run` does so from a clean clone.
MAKES_AN_ENVIRONMENT = {
    "make quickstart": "make --dry-run quickstart",
    "pip install ./kernels '.[data]'": "true",
}


@pytest.fixture
def clone(tmp_path):
    """What a clone has at the places that the commands name, with this environment in `.venv`."""
    for name in ("README.md", "Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("examples", "kernels", "src", "tools"):
        (tmp_path / name).symlink_to(ROOT / name)
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "activate").write_text(f'export PATH="{binaries}:$PATH"\n')
    for name, line in (("lamina", "-m lamina "), ("python", "")):
        (binaries / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {line}"$@"\n')
        (binaries / name).chmod(0o755)
    return tmp_path


@pytest.mark.extra
def test_every_command_runs_as_printed(clone, real_data):
    assert len(COMMANDS) >= 9
    assert set(MAKES_AN_ENVIRONMENT) <= set(COMMANDS)
    lines = [MAKES_AN_ENVIRONMENT.get(command, command) for command in COMMANDS]
    # Before `activate` the README has an environment of the reader's own.
    script = "\n".join(["set -e", 'PATH="$PWD/.venv/bin:$PATH"', *lines])
    # A few steps of each training are enough to see that the command runs.
    limits = {"KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "4"}
    paths = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        ["bash", "-c", script], cwd=clone, capture_output=True, text=True,
        env={**os.environ, **limits, **paths},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("Report: runs/cnn/report.html", "digit.jpg: ", "The first one is read as"):
        assert said in done.stdout


def test_make_quickstart_installs_what_tables_need(clone):
    done = subprocess.run(
        ["make", "--dry-run", "quickstart"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert "./kernels --editable '.[data]'" in done.stdout


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("lamina")])
def test_every_file_of_a_command_is_there_or_was_made_before(command):
    words = [word for word in command.split()[2:] if "/" in word and not word.startswith("runs/")]
    assert [word for word in words if not (ROOT / word).exists()] == []
