"""What a person sees while a model trains, on screens of any width."""

import io
import re
import sys
import types

import pytest
from rich.console import Console

import lamina
from lamina.training.events import ChunkDone
from lamina.training.progress import display as progress
from lamina.training.progress.line import Status, duration, live_line, wrap_parts, wrap_words
from small_models import classifier

WIDTHS = (20, 40, 80, 200)
LOGS = {"loss": 0.2631, "accuracy": 0.9123}
MEASURED = {**LOGS, "val_loss": 0.3, "val_accuracy": 0.9}


def status(**changes):
    known = {"step": 400, "steps": 1000, "seconds_left": 12, "speed": "45,678 samples/s"}
    metrics = ["loss 0.2631", "accuracy 0.9123"]
    return Status(**{"title": "Epoch 3/10", "metrics": metrics, **known, **changes})


@pytest.mark.parametrize("width", [*range(1, 120, 7), 200])
def test_a_live_line_is_never_longer_than_the_screen(width):
    assert len(live_line(status(), width)) <= width


@pytest.mark.parametrize(
    ("width", "parts"),
    [
        (20, ["Epoch 3/10 ━"]),
        (40, ["Epoch 3/10 ━", "0:12", "loss 0.2631"]),
        (60, ["Epoch 3/10 ━", "0:12", "loss 0.2631", "400/1000"]),
        (80, ["━", "0:12", "loss 0.2631", "400/1000", "accuracy 0.9123"]),
        (200, ["━", "0:12", "loss", "400/1000", "accuracy 0.9123", "45,678 samples/s"]),
    ],
)
def test_what_matters_most_comes_first_onto_a_narrow_screen(width, parts):
    line = live_line(status(), width)
    for part in parts:
        assert part in line


@pytest.mark.parametrize("width", WIDTHS)
def test_no_part_of_a_live_line_is_cut_off(width):
    words = set(live_line(status(), width).replace(",", "").split())
    whole = set(live_line(status(), 200).replace(",", "").split())
    assert {word for word in words if not set(word) <= {"━", "─"}} <= whole


@pytest.mark.parametrize(("step", "full"), [(0, 0), (250, 6), (1000, 24), (1100, 24)])
def test_the_bar_grows_with_the_steps(step, full):
    assert live_line(status(step=step), 200).count("━") == full


def test_without_a_number_of_steps_there_is_neither_bar_nor_time_left():
    line = live_line(status(steps=None, step=7, seconds_left=None), 80)
    assert line.startswith("Epoch 3/10 step 7 loss 0.2631")


def test_a_screen_without_unicode_gets_a_bar_of_ascii():
    assert live_line(status(), 80, ascii_only=True).isascii()


@pytest.mark.parametrize("width", WIDTHS)
def test_finished_lines_break_between_their_parts(width):
    parts = ["loss 0.2631", "accuracy (sparse_categorical) 0.9123", "1.2 s"]
    lines = wrap_parts("Epoch 3/10", parts, width).splitlines()
    for part in parts:
        assert any(part in line for line in lines)
    assert max(map(len, lines)) <= max(width, len("  accuracy (sparse_categorical) 0.9123,"))


def test_a_sentence_breaks_between_words():
    assert wrap_words("The model keeps what it has learned.", 20).splitlines() == [
        "The model keeps what",
        "  it has learned.",
    ]


def test_hours_are_shown_where_there_are_any():
    assert [duration(s) for s in (0.4, 61, 3600)] == ["0:00", "1:01", "1:00:00"]


def screen_of(width):
    """What a terminal of this width is sent for an epoch, with the progress that wrote it."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, color_system=None)
    live = progress.TerminalProgress({"accuracy": "accuracy (sparse_categorical)"}, console)
    with live:
        for epoch in range(2):
            live.on_epoch_begin(epoch, 3, 100)
            live.on_chunk(ChunkDone(40, 32, LOGS, 0.5))
            live.on_epoch_end(epoch, MEASURED)
    return file.getvalue()


@pytest.mark.parametrize("width", WIDTHS[1:])
def test_a_terminal_gets_one_live_line_with_a_bar_and_the_time_left(width):
    shown = screen_of(width)
    drawn = [line for line in shown.replace("\x1b[2K", "\n").split("\n") if "━" in line]
    assert drawn
    for line in drawn:
        assert len(line.strip("\r")) < width
        assert "0:01" in line
        assert "loss 0.2631" in line


@pytest.mark.parametrize("width", WIDTHS[1:])
def test_no_finished_line_is_wider_than_the_terminal(width):
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen_of(width))
    lines = [line for line in re.split(r"[\r\n]+", plain) if "val_" in line]
    assert lines
    assert max(len(line) for line in lines) <= width


def test_which_accuracy_it_is_is_said_once():
    assert screen_of(200).count("(sparse_categorical)") == 1


def test_lines_in_a_pipe_name_the_accuracy_once(capsys, rng):
    model = classifier(lamina)
    model.fit(rng.normal(size=(8, 4)), [0, 1] * 4, epochs=2, verbose=2)
    first, second = capsys.readouterr().out.splitlines()
    assert "accuracy (sparse_categorical) " in first
    assert ", accuracy " in second


class Handle:
    """What IPython's `display` gives; keeps what it was last told."""

    def __init__(self, content):
        self.content = content

    def update(self, content, raw):
        self.content = content


def test_a_notebook_gets_a_bar_the_time_left_and_lines_that_break_between_words(monkeypatch):
    module = types.ModuleType("IPython.display")
    module.display = lambda content, raw, display_id: Handle(content)
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    shown = progress.NotebookProgress({"accuracy": "accuracy (sparse_categorical)"})
    with shown:
        shown.on_epoch_begin(0, 3, 100)
        shown.on_chunk(ChunkDone(40, 32, LOGS, 0.5))
        live = shown.handle.content
        shown.on_epoch_end(0, MEASURED)
    assert "━" in live["text/plain"]
    assert "0:01" in live["text/plain"]
    assert "word-break: normal" in live["text/html"]
    done = shown.handle.content["text/plain"]
    assert done.startswith("Epoch 1/3: loss 0.2631, accuracy (sparse_categorical) 0.9123")
    assert "━" not in done
