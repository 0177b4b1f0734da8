"""What compiles the kernels beside other work waits for nobody, never fails, and says one line."""

import importlib.util
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

FILE = Path(__file__).parents[1] / "tools" / "kernels.py"


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """The tool, for an environment and sources of its own, with a compiler; nothing is started."""
    spec = importlib.util.spec_from_file_location("kernels_tool", FILE)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.FOLDER, tool.LOG = tmp_path / "environment", tmp_path / "environment" / "build.log"
    tool.SOURCES = tmp_path / "sources"
    tool.SOURCES.mkdir()
    (tool.SOURCES / "kernel.cc").write_text("one")
    monkeypatch.setattr(tool, "has_compiler", lambda: True)
    monkeypatch.setattr(tool, "find_spec", lambda name: None)
    tool.begun, tool.run = [], []
    commands = SimpleNamespace(
        Popen=lambda command, **_: tool.begun.append(command),
        run=lambda command, **_: tool.run.append(command) or SimpleNamespace(returncode=0),
        DEVNULL=subprocess.DEVNULL,
    )
    monkeypatch.setattr(tool, "subprocess", commands)
    return tool


def finished(tool, capsys):
    assert tool.main("finish") == 0
    return capsys.readouterr().out.splitlines()


def test_a_build_begins_in_the_background(tool):
    assert tool.main("start") == 0
    assert [command[-1] for command in tool.begun] == ["wheel"]


def test_a_second_build_does_not_begin_beside_the_first(tool):
    tool.FOLDER.mkdir()
    lock = tool.take_lock(wait=False)
    tool.main("start")
    assert lock is not None
    assert tool.begun == []


def test_what_was_built_is_installed_and_not_built_again(tool, capsys):
    tool.FOLDER.mkdir()
    tool.built().mkdir()
    (tool.built() / "lamina_kernels.whl").touch()
    tool.main("start")
    assert tool.begun == []
    assert finished(tool, capsys) == [
        "Kernels  compiled and installed: from now on, training uses them."
    ]
    assert tool.run[-1][-1].endswith("lamina_kernels.whl")


def test_without_a_compiler_one_line_says_that_there_are_no_kernels(tool, capsys, monkeypatch):
    monkeypatch.setattr(tool, "has_compiler", lambda: False)
    tool.main("start")
    (line,) = finished(tool, capsys)
    assert "there is no C++ compiler" in line
    assert tool.begun == tool.run == []


def test_a_failed_build_is_one_line_and_is_not_repeated(tool, capsys):
    tool.FOLDER.mkdir()
    tool.failed().mkdir()
    tool.main("start")
    (line,) = finished(tool, capsys)
    assert "compiling them failed, see" in line
    assert tool.begun == tool.run == []


def test_a_change_in_the_sources_is_built_anew(tool):
    tool.FOLDER.mkdir()
    before = tool.digest()
    tool.failed().mkdir()
    (tool.SOURCES / "kernel.cc").write_text("two")
    assert tool.digest() != before
    tool.main("start")
    assert len(tool.begun) == 1
