import io
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import lamina
from lamina.cli import console
from lamina.cli.app import _take_debug

pytestmark = pytest.mark.quick

COMMANDS = ["quickstart", "run", "train", "evaluate", "predict", "explain", "summary", "doctor"]


def test_the_version_is_printed(run):
    assert run("--version") == (0, f"lamina {lamina.__version__}\n", "")


def test_help_lists_every_command(run):
    code, out, _ = run("--help")
    assert code == 0
    assert all(command in out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert out.count(f"lamina {command}") >= 2  # the usage line, and an example at least


def test_without_a_command_the_help_is_shown(run):
    assert "Usage: lamina" in "".join(run()[1:])


@pytest.mark.parametrize(
    "arguments",
    [("trian", "mnist"), ("train",), ("train", "mnist", "--epochs", "0"), ("evaluate", "m.keras"),
     ("train", "mnist", "--modle", "cnn"), ("train", "mnist", "--model", "rnn")],
)  # fmt: skip
def test_what_is_typed_wrongly_leaves_with_2(run, arguments):
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert "Usage: lamina" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("trian", "mnist"), "There is no command 'trian'. Did you mean 'train'?"),
        (("train", "mnist", "--epochz", "3"), "no option --epochz. Did you mean '--epochs'?"),
        (("train", "mnist", "--epochs", "x"), "--epochs: it must be a whole number. Received 'x'."),
        (("train", "mnist", "--epochs=x"), "--epochs: it must be a whole number. Received 'x'."),
        (("train", "mnist", "--lr", "x"), "--learning-rate: it must be a number. Received 'x'."),
        (
            ("train", "mnist", "--model", "resnet"),
            "--model: 'resnet' is not one of 'auto', 'mlp', 'cnn'.",
        ),
    ],
)
def test_what_is_typed_wrongly_is_said_in_plain_words(run, arguments, message):
    code, _, err = run(*arguments)
    assert code == 2
    assert message in err


def test_a_network_in_the_place_of_the_data_set_is_put_right(run):
    code, _, err = run("train", "cnn")
    assert code == 1
    assert "Fix: lamina train mnist --model cnn" in err


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii"])
def test_every_character_finds_a_plain_one_where_an_encoding_lacks_it(monkeypatch, encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    monkeypatch.setattr("sys.stdout", stream)
    console.print_anything()
    console.say("[blue]█▌[/blue] ✓ → 95 % ± 3, naïve, 日")
    assert "?" in stream.buffer.getvalue().decode(encoding)
    assert stream.buffer.getvalue().decode(encoding).startswith("#= + -> 95 % ")


def test_an_error_handler_that_the_user_chose_stays(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="xmlcharrefreplace")
    monkeypatch.setattr("sys.stdout", stream)
    console.print_anything()
    assert stream.errors == "xmlcharrefreplace"


def test_a_character_on_screen_is_missing_from_no_encoding():
    source = "".join(p.read_text("utf-8") for p in Path(console.__file__).parent.glob("*.py"))
    printed = {c for c in source if ord(c) > 255}
    assert printed <= set(console._PLAIN) | set("▉▊▋")


def test_an_error_is_its_message_on_stderr_and_1(run):
    code, out, err = run("train", "mnst")
    assert (code, out) == (1, "")
    assert err.startswith("Error: Unknown data set 'mnst'. Did you mean 'mnist'?")
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [("--debug", "train", "mnst"), ("train", "mnst", "--debug")])
def test_debug_shows_the_traceback_wherever_it_stands(arguments):
    with pytest.raises(ValueError, match="mnst") as caught:
        lamina.cli.main(arguments)
    assert caught.traceback[-1].name == "load"


def test_an_error_that_nobody_foresaw_names_its_kind_and_the_way_to_more(run, monkeypatch):
    def fail(name):
        raise KeyError("lost")

    monkeypatch.setattr("lamina.datasets.load", fail)
    code, _, err = run("train", "mnist")
    assert code == 1
    assert "Error: KeyError: 'lost'" in err
    assert "--debug" in err


@pytest.mark.parametrize(
    ("typed", "debug", "rest"),
    [
        (["run", "a.py", "--debug"], False, ["run", "a.py", "--debug"]),
        (["run", "--debug", "a.py", "--debug"], True, ["run", "a.py", "--debug"]),
        (["--debug", "run", "a.py"], True, ["run", "a.py"]),
        (["train", "mnist", "--debug"], True, ["train", "mnist"]),
        ([], False, []),
    ],
)
def test_a_scripts_own_debug_is_left_to_it(typed, debug, rest):
    assert _take_debug(typed) == (debug, rest)


def test_help_does_not_import_jax_or_numpy():
    code = (
        "import sys\nfrom lamina.cli import main\ntry:\n    main(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'jax', 'numpy', 'matplotlib', 'sklearn', 'PIL', 'h5py'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_help_is_quick():
    def seconds():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "lamina", "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Processor time and the best of three: a busy machine must not fail the test.
    assert min(seconds() for _ in range(3)) < 0.3


def test_the_module_can_be_run_as_a_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "lamina", "--version"], capture_output=True, text=True,
        check=True, cwd=tmp_path, env=dict(os.environ),
    )  # fmt: skip
    assert done.stdout == f"lamina {lamina.__version__}\n"
