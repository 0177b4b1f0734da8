"""Display of progress in training: a live line, a plain line per epoch, or nothing.

In a terminal, one line is rewritten. In a pipe or file, there is one plain line per epoch without
control codes. In a notebook, one output is updated.
"""

import html
import sys
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lamina.core import processes
from lamina.core.configuration.config import is_interactive_logging_enabled
from lamina.core.messages.messages import show
from lamina.core.types import Logs
from lamina.training.events import ChunkDone, Listener
from lamina.training.progress.line import Status, live_line, wrap_parts, wrap_words

_NOTEBOOK_WIDTH = 100


class Progress(Listener):
    """Base class of progress displays; shows nothing."""

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: Any) -> None:
        pass


class PlainProgress(Progress):
    """One line per epoch."""

    def __init__(self, labels: dict[str, str]):
        self.labels = labels
        self.title = ""
        self.start_time = 0.0
        self.samples = 0
        self.training_seconds = 0.0
        self.last_step = 0
        self.steps: int | None = None
        self.seconds_per_step: float | None = None

    def on_epoch_begin(
        self, epoch: int | None, epochs: int | None, steps: int | None, resumed: bool = False
    ) -> None:
        self.title = "Evaluation" if epoch is None else f"Epoch {epoch + 1}/{epochs}"
        self.start_time = time.perf_counter()
        self.samples = self.last_step = 0
        self.training_seconds = 0.0
        self.seconds_per_step = None
        self.steps = steps

    def on_chunk(self, done: ChunkDone) -> None:
        count = done.step - self.last_step
        self.samples += count * done.batch_size
        self.last_step = done.step
        self.training_seconds += done.seconds
        latest = done.seconds / max(count, 1)
        # A decaying average, so that the first call, which may have compiled, soon has little
        # weight.
        average = latest if self.seconds_per_step is None else self.seconds_per_step
        self.seconds_per_step = (average + latest) / 2

    def on_epoch_end(self, epoch: int | None, logs: Logs) -> None:
        self.on_message(f"{self.title}: {', '.join(self.parts(logs))}")
        self.labels = {}  # the type of accuracy is shown only in the first epoch

    def on_message(self, text: str) -> None:
        show(text)

    def parts(self, logs: Logs) -> list[str]:
        """The parts of the line for a finished epoch: loss and metrics, time and speed."""
        parts = [
            *format_metrics(logs, self.labels),
            f"{time.perf_counter() - self.start_time:.1f} s",
        ]
        return [*parts, self.speed()] if self.speed() else parts

    def speed(self) -> str:
        if not self.samples or self.training_seconds <= 0:
            return ""
        return f"{self.samples / self.training_seconds:,.0f} samples/s"

    def status(self, logs: Logs) -> Status:
        """The current state of the epoch."""
        seconds_left = None
        if self.steps is not None and self.seconds_per_step is not None:
            seconds_left = (self.steps - self.last_step) * self.seconds_per_step
        return Status(
            title=self.title,
            step=self.last_step,
            steps=self.steps,
            metrics=format_metrics(logs),
            speed=self.speed(),
            seconds_left=seconds_left,
        )


class TerminalProgress(PlainProgress):
    """One live line in a terminal, drawn by rich when a call of the program returns.

    Args:
        labels: The result of `metric_labels`.
        console: Where to draw; standard output if None.
    """

    def __init__(self, labels: dict[str, str], console: Any = None):
        super().__init__(labels)
        from rich.console import Console
        from rich.live import Live

        self.console = console or Console()
        # Drawn after each call of a program, without a thread.
        self.live = Live(console=self.console, auto_refresh=False, transient=True)

    def __enter__(self) -> "TerminalProgress":
        self.live.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.live.update("", refresh=True)
        self.live.stop()

    def on_epoch_begin(
        self, epoch: int | None, epochs: int | None, steps: int | None, resumed: bool = False
    ) -> None:
        super().on_epoch_begin(epoch, epochs, steps)
        placeholder = "" if epoch is None else "compiling …"
        self._draw(Status(title=self.title, steps=steps, placeholder=placeholder))

    def on_chunk(self, done: ChunkDone) -> None:
        super().on_chunk(done)
        self._draw(self.status(done.logs))

    def on_epoch_end(self, epoch: int | None, logs: Logs) -> None:
        parts = self.parts(logs)
        if len(f"{self.title}: {', '.join(parts)}") > self.console.width and self.speed():
            parts = parts[:-1]  # the speed is the least important
        self._print(wrap_parts(self.title, parts, self.console.width))
        self.labels = {}

    def on_message(self, text: str) -> None:
        self._print(wrap_words(text, self.console.width))

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _draw(self, status: Status) -> None:
        from rich.text import Text

        # One column less: some terminals begin a new line when the last one is filled.
        ascii_only = self.console.options.ascii_only
        text = Text(live_line(status, self.console.width - 1, ascii_only), no_wrap=True)
        text.highlight_regex("━+|#+", "green")
        text.highlight_regex("─+|[0-9,]+ samples/s", "dim")
        self.live.update(text, refresh=True)


class NotebookProgress(PlainProgress):
    """One output cell that is updated; needs no widgets."""

    def __init__(self, labels: dict[str, str]):
        super().__init__(labels)
        self.lines: list[str] = []
        self.handle: Any = None

    def on_chunk(self, done: ChunkDone) -> None:
        super().on_chunk(done)
        self._show(live_line(self.status(done.logs), _NOTEBOOK_WIDTH))

    def on_epoch_end(self, epoch: int | None, logs: Logs) -> None:
        self.lines.append(wrap_parts(self.title, self.parts(logs), _NOTEBOOK_WIDTH))
        self.labels = {}
        self._show("")

    def on_message(self, text: str) -> None:
        self.lines.append(wrap_words(text, _NOTEBOOK_WIDTH))
        self._show("")

    def _show(self, live: str) -> None:
        from IPython.display import display

        text = "\n".join([*self.lines, live]).rstrip()
        # Also as HTML, because notebooks break plain text inside words in narrow cells.
        style = "white-space: pre-wrap; overflow-wrap: normal; word-break: normal"
        content = {
            "text/plain": text,
            "text/html": f'<pre style="{style}">{html.escape(text)}</pre>',
        }
        if self.handle is None:
            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)


def choose_progress(verbose: Any, model: Any) -> Progress:
    """The display for `verbose` (0, 1, 2 or `"auto"`), and for a terminal, notebook or file."""
    if verbose not in (0, 1, 2, "auto"):
        raise ValueError(f"verbose must be 0, 1, 2 or 'auto'; received {verbose!r}.")
    if not verbose or not processes.is_first():
        return Progress()
    labels = metric_labels(model)
    if verbose != 2 and is_interactive_logging_enabled():
        if _in_notebook():
            return NotebookProgress(labels)
        if sys.stdout.isatty():
            return TerminalProgress(labels)
    return PlainProgress(labels)


def metric_labels(model: Any) -> dict[str, str]:
    """Labels of metrics in the first epoch; that of `"accuracy"` says which one was chosen."""
    labels = {}
    for metric in model.metrics:
        resolved = getattr(metric, "resolved_name", None)
        is_ambiguous = metric.name.rpartition("_")[2] in ("accuracy", "acc", "crossentropy", "ce")
        if is_ambiguous and resolved and resolved != metric.name:
            resolved_type = resolved.removesuffix("_accuracy").removesuffix("_crossentropy")
            labels[metric.name] = f"{metric.name} ({resolved_type})"
    return labels


def format_metrics(logs: Logs, labels: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """`["loss 0.2631", "accuracy (sparse_categorical) 0.9231"]`, the loss first."""
    names = sorted(logs, key=lambda n: (n.startswith("val_"), n.removeprefix("val_") != "loss"))
    texts = []
    for name in names:
        value = logs[name]
        if isinstance(value, (int, float)):
            label = name if name.startswith("val_") else labels.get(name, name)
            has_usual_size = 1e-3 <= abs(value) < 1e5 or not value
            texts.append(f"{label} {value:.4f}" if has_usual_size else f"{label} {value:.3g}")
    return texts


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"
