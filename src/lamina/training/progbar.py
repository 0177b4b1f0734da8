"""Progbar: a bar for loops of one's own; `fit` has its own, see `progress`."""

import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from lamina.core.config import is_interactive_logging_enabled
from lamina.core.messages import show


class Progbar:
    """Shows how far a loop is, how long it will take, and what was measured.

    A terminal gets one line that is rewritten; a file or pipe one line at the end.

    Args:
        target: Number of steps, or None if it is not known.
        width: Of the bar, in characters.
        verbose: 0 silent, 1 a bar, 2 one line at the end.
        interval: Least time between two updates, in seconds.
        stateful_metrics: Names of values that are shown as they are; all others are averaged
            over the steps.
        stateless_metrics: The other way round: names of the only values that are averaged.
        unit_name: What is counted: `"step"` or `"sample"`.

    Raises:
        ValueError: If both lists of names are given.

    Example:
        >>> bar = Progbar(target=2, verbose=2)
        >>> bar.update(1, [("loss", 1.0)])
        >>> bar.update(2, [("loss", 0.5)])  # doctest: +ELLIPSIS
        2/2 - 0s ... - loss: 0.5000
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Progbar takes either stateful_metrics or stateless_metrics, and received both."
            )
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self._as_they_are = set(stateful_metrics or ())
        self._averaged = None if stateless_metrics is None else set(stateless_metrics)
        self._sums: dict[str, tuple[float, float]] = {}  # name → sum and number of steps
        self._began = time.perf_counter()
        self._first_step_done: float | None = None
        self._shown_at = 0.0
        self._seen = 0
        self._width_shown = 0

    def update(
        self,
        current: int,
        values: Iterable[tuple[str, Any]] | None = None,
        finalize: bool | None = None,
    ) -> None:
        """Say that `current` steps are done.

        Args:
            current: Number of steps done.
            values: Pairs of a name and what was measured in the last step.
            finalize: Whether this is the last update; None: if the target is reached.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            self._note(name, float(np.mean(value)), current, finalize)
        self._seen = current
        now = time.perf_counter()
        seconds_each = self._seconds_each(current, now)
        if self.verbose == 1:
            self._show_bar(current, now, seconds_each, finalize)
        elif self.verbose == 2 and finalize and self.target:
            spent = f"{now - self._began:.0f}s"
            show(f"{current}/{self.target} - {spent} - {self._pace(seconds_each)}{self._measured}")

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Say that `n` more steps are done."""
        self.update(self._seen + n, values)

    def _note(self, name: str, value: float, current: int, finalize: bool) -> None:
        averaged = name not in self._as_they_are
        if self._averaged is not None:
            averaged = name in self._averaged
        if not averaged or finalize:
            self._sums[name] = (value, 1)
            return
        steps = max(current - self._seen, 1)
        total, count = self._sums.get(name, (0.0, 0))
        self._sums[name] = (total + value * steps, count + steps)

    def _seconds_each(self, current: int, now: float) -> float:
        """Time a step takes; the first, which may compile, does not count if there are others."""
        if current == 0:
            return 0.0
        if current > 1 and self._first_step_done is not None:
            return (now - self._first_step_done) / (current - 1)
        if current == 1:
            self._first_step_done = now
        return (now - self._began) / current

    def _show_bar(self, current: int, now: float, seconds_each: float, finalize: bool) -> None:
        live = sys.stdout.isatty() and is_interactive_logging_enabled()
        if not finalize and (not live or now - self._shown_at < self.interval):
            return
        self._shown_at = now
        text = f"{current}/{self.target or 'Unknown'}"
        if self.target:
            done = min(self.width, int(self.width * current / self.target))
            text += f" {'━' * done}{'─' * (self.width - done)}"
        waiting = seconds_each * (self.target - current) if self.target and not finalize else None
        text += f" {_clock(now - self._began if waiting is None else waiting)}"
        text += f" {self._pace(seconds_each)}{self._measured}"
        text = text.encode(sys.stdout.encoding or "utf-8", "replace").decode(
            sys.stdout.encoding or "utf-8"
        )
        padding = " " * (self._width_shown - len(text))
        self._width_shown = len(text)
        show(f"\r{text}{padding}" if live else text, end="\n" if finalize else "")

    def _pace(self, seconds: float) -> str:
        if seconds >= 1 or seconds == 0:
            return f"{seconds:.0f}s/{self.unit_name}"
        if seconds >= 1e-3:
            return f"{seconds * 1e3:.0f}ms/{self.unit_name}"
        return f"{seconds * 1e6:.0f}us/{self.unit_name}"

    @property
    def _measured(self) -> str:
        means = {name: total / count for name, (total, count) in self._sums.items()}
        return "".join(
            f" - {name}: {mean:.4f}" if abs(mean) > 1e-3 else f" - {name}: {mean:.4e}"
            for name, mean in means.items()
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if minutes else f"{rest}s"
