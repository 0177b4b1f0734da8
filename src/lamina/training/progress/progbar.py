"""`Progbar`: a progress bar for your own loops."""

import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from lamina.core.configuration.config import is_interactive_logging_enabled
from lamina.core.messages.messages import show
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods


@filter_tracebacks_of_methods
class Progbar:
    """Shows finished steps, time and metrics in one line that is rewritten in place.

    If the output is not a terminal, only the finished line is printed.

    Args:
        target: Number of steps; None if unknown.
        width: Width of the bar in characters.
        verbose: 0 to show nothing, 1 for a live line, 2 for one line at the end.
        interval: Minimum time between updates of the line, in seconds.
        stateful_metrics: Metrics shown without averaging; others are averaged over the steps.
        stateless_metrics: Alternatively, the metrics that are averaged; others are not.
        unit_name: The name of a step.

    Example:
        >>> bar = Progbar(target=2, verbose=2)
        >>> bar.update(1, [("loss", 3.0)])
        >>> bar.update(2, [("loss", 1.0)])
        2/2 - ...s - ...s/step - loss: 2.0000
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
                "Progbar takes stateful_metrics or stateless_metrics, and received both."
            )
        if target is not None and (not isinstance(target, (int, np.integer)) or target < 0):
            raise ValueError(f"target must be a number of steps or None; received {target!r}.")
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self._not_averaged = set(stateful_metrics or ())
        self._averaged = None if stateless_metrics is None else set(stateless_metrics)
        self._steps_done = 0
        # For every metric, the sum over the steps and the number of steps.
        self._values: dict[str, tuple[float, float]] = {}
        self._start_time = time.perf_counter()
        self._first_step_time: float | None = None
        self._last_shown_time = -float("inf")
        self._last_line = ""

    def update(
        self,
        current: int,
        values: Iterable[tuple[str, Any]] | None = None,
        finalize: bool | None = None,
    ) -> None:
        """Update the progress.

        Args:
            current: Number of finished steps.
            values: Pairs of a metric's name and its value in the last step.
            finalize: Whether this is the last update; None means when all steps are finished.
        """
        steps = max(current - self._steps_done, 1)
        for name, value in values or ():
            value = float(np.mean(value))
            if not self._is_averaged(name):
                self._values[name] = (value, 1)
            else:
                total, count = self._values.get(name, (0.0, 0))
                self._values[name] = (total + value * steps, count + steps)
        self._steps_done = current
        now = time.perf_counter()
        if current == 1 and self._first_step_time is None:
            self._first_step_time = now
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        self._show(now, finalize)

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Update the progress after `n` more steps.

        Args:
            n: Number of steps.
            values: Pairs of a metric's name and its value, as for `update`.
        """
        self.update(self._steps_done + n, values)

    def _is_averaged(self, name: str) -> bool:
        return name not in self._not_averaged if self._averaged is None else name in self._averaged

    def _show(self, now: float, final: bool) -> None:
        if self.verbose == 2 and final:
            show(self._line(now, final, bar=False))
        if self.verbose != 1 or (now - self._last_shown_time < self.interval and not final):
            return
        line = self._line(now, final, bar=True)
        if sys.stdout.isatty() and is_interactive_logging_enabled():
            spaces = " " * max(
                0, len(self._last_line) - len(line)
            )  # to overwrite a longer previous line
            show(f"\r{line}{spaces}", end="\n" if final else "")
        elif final:
            show(line)
        self._last_line, self._last_shown_time = line, now

    def _line(self, now: float, final: bool, bar: bool) -> str:
        line = f"{self._steps_done}/{self.target if self.target else 'Unknown'}"
        if bar and self.target:
            full = min(self.width, self.width * self._steps_done // self.target)
            line += f" {'━' * full}{'─' * (self.width - full)}"
        step_seconds = self._seconds_per_step(now)
        left = (self.target or 0) - self._steps_done
        seconds = now - self._start_time if final or not self.target else step_seconds * left
        parts = [
            f"{line} - {_format_duration(seconds)}",
            f"{_duration(step_seconds)}/{self.unit_name}",
        ]
        for name, (total, count) in self._values.items():
            mean = total / max(count, 1)
            parts.append(f"{name}: {mean:.4f}" if abs(mean) > 1e-3 else f"{name}: {mean:.4e}")
        return " - ".join(parts)

    def _seconds_per_step(self, now: float) -> float:
        # The first step includes compilation, so its time is not counted.
        if self._first_step_time is not None and self._steps_done > 1:
            return (now - self._first_step_time) / (self._steps_done - 1)
        return (now - self._start_time) / max(self._steps_done, 1)


def _format_duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f}s"
    minutes, whole_seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole_seconds:02}" if hours else f"{minutes}:{whole_seconds:02}"


def _duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"
