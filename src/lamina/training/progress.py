"""What a person sees while a model trains: a live line, a plain line an epoch, or nothing.

A terminal gets one line that is rewritten, a pipe or file one plain line an epoch without control
codes, a notebook one output that is updated.
"""

import sys
import time
from typing import Any

from lamina.core.config import is_interactive_logging_enabled
from lamina.core.messages import show


class Progress:
    """Shows nothing; the base of those that do."""

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: Any) -> None:
        pass

    def epoch_begins(self, epoch: int | None, epochs: int | None, steps: int | None) -> None:
        """An epoch begins; `epoch` is None for a measurement by `evaluate`."""

    def steps_done(self, step: int, batch_size: int, logs: dict, seconds: float) -> None:
        """Steps up to `step` are done; the call took `seconds`."""

    def epoch_ends(self, logs: dict) -> None:
        """The epoch is over, validation included."""

    def say(self, text: str) -> None:
        """Show a line of text."""


class PlainProgress(Progress):
    """One line an epoch."""

    def __init__(self, labels: dict[str, str]):
        self.labels = labels
        self.title = ""
        self.began = 0.0
        self.samples = 0
        self.training_seconds = 0.0
        self.last_step = 0
        self.steps: int | None = None

    def epoch_begins(self, epoch: int | None, epochs: int | None, steps: int | None) -> None:
        self.title = "Evaluation" if epoch is None else f"Epoch {epoch + 1}/{epochs}"
        self.began = time.perf_counter()
        self.samples = self.last_step = 0
        self.training_seconds = 0.0
        self.steps = steps

    def steps_done(self, step: int, batch_size: int, logs: dict, seconds: float) -> None:
        self.samples += (step - self.last_step) * batch_size
        self.last_step = step
        self.training_seconds += seconds

    def epoch_ends(self, logs: dict) -> None:
        self.say(self.summary(logs))

    def say(self, text: str) -> None:
        show(text)

    def summary(self, logs: dict) -> str:
        parts = [measures(logs, self.labels)]
        parts.append(f"{time.perf_counter() - self.began:.1f} s")
        if self.samples and self.training_seconds > 0:
            parts.append(f"{self.samples / self.training_seconds:,.0f} samples/s")
        return f"{self.title}: {', '.join(p for p in parts if p)}"


class TerminalProgress(PlainProgress):
    """One live line in a terminal, drawn by rich when a call of the program returns."""

    def __init__(self, labels: dict[str, str]):
        super().__init__(labels)
        from rich.progress import BarColumn, Progress as Bar, TextColumn, TimeRemainingColumn

        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[done]}"),
            TextColumn("{task.fields[measures]}", markup=False),
            TextColumn("[dim]{task.fields[speed]}"),
            TimeRemainingColumn(compact=True),
            auto_refresh=False,  # it is drawn when there is news; no thread beside the training
            transient=True,
        )
        self.task: Any = None

    def __enter__(self) -> "TerminalProgress":
        self.bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.bar.stop()

    def epoch_begins(self, epoch: int | None, epochs: int | None, steps: int | None) -> None:
        super().epoch_begins(epoch, epochs, steps)
        if self.task is not None:
            self.bar.remove_task(self.task)
        waiting = "" if epoch is None else "compiling …"
        self.task = self.bar.add_task(self.title, total=steps, done="", measures=waiting, speed="")
        self.bar.refresh()

    def steps_done(self, step: int, batch_size: int, logs: dict, seconds: float) -> None:
        super().steps_done(step, batch_size, logs, seconds)
        of = "" if self.steps is None else f"/{self.steps}"
        self.bar.update(
            self.task,
            completed=step,
            done=f"{step}{of}",
            measures=measures(logs, self.labels),
            speed=f"{self.samples / max(self.training_seconds, 1e-9):,.0f} samples/s",
            refresh=True,
        )

    def say(self, text: str) -> None:
        self.bar.console.print(text, markup=False, highlight=False, soft_wrap=True)


class NotebookProgress(PlainProgress):
    """One output cell that is updated; needs no widgets."""

    def __init__(self, labels: dict[str, str]):
        super().__init__(labels)
        self.lines: list[str] = []
        self.handle: Any = None

    def steps_done(self, step: int, batch_size: int, logs: dict, seconds: float) -> None:
        super().steps_done(step, batch_size, logs, seconds)
        of = "" if self.steps is None else f"/{self.steps}"
        self._show(f"{self.title}: step {step}{of}, {measures(logs, self.labels)}")

    def say(self, text: str) -> None:
        self.lines.append(text)
        self._show("")

    def _show(self, live: str) -> None:
        from IPython.display import display

        text = "\n".join([*self.lines, live]).rstrip()
        content = {"text/plain": text}
        if self.handle is None:
            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)


def choose_progress(verbose: Any, model: Any) -> Progress:
    """The progress for `verbose` (0, 1, 2 or `"auto"`) and for where output goes."""
    if verbose not in (0, 1, 2, "auto"):
        raise ValueError(f"verbose must be 0, 1, 2 or 'auto'; received {verbose!r}.")
    if not verbose:
        return Progress()
    labels = labels_of(model)
    if verbose != 2 and is_interactive_logging_enabled():
        if _in_notebook():
            return NotebookProgress(labels)
        if sys.stdout.isatty():
            return TerminalProgress(labels)
    return PlainProgress(labels)


def labels_of(model: Any) -> dict[str, str]:
    """How metrics are shown: `"accuracy"` says which accuracy it was taken to be."""
    labels = {}
    for metric in model.metrics:
        resolved = getattr(metric, "resolved_name", None)
        guessed = metric.name.rpartition("_")[2] in ("accuracy", "acc", "crossentropy", "ce")
        if guessed and resolved and resolved != metric.name:
            kind = resolved.removesuffix("_accuracy").removesuffix("_crossentropy")
            labels[metric.name] = f"{metric.name} ({kind})"
    return labels


def measures(logs: dict, labels: dict[str, str]) -> str:
    """`loss 0.2631, accuracy (sparse_categorical) 0.9231`, the loss first."""
    names = sorted(logs, key=lambda n: (n.startswith("val_"), n.removeprefix("val_") != "loss"))
    shown = []
    for name in names:
        value = logs[name]
        if isinstance(value, (int, float)):
            bare = name.removeprefix("val_")
            label = name if name != bare else labels.get(bare, bare)
            shown.append(f"{label} {value:.4f}" if 1e-3 <= abs(value) < 1e5 or not value else
                         f"{label} {value:.3g}")  # fmt: skip
    return ", ".join(shown)


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"
