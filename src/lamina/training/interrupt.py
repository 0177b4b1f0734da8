"""Handles Ctrl-C, and SIGTERM from a scheduler, while a model trains."""

import signal
import threading
from typing import Any

# The exit code that shells report for a process ended by SIGTERM.
_EXIT_CODE = 128 + signal.SIGTERM


class Interrupt:
    """Context manager in which Ctrl-C or SIGTERM requests a stop; a second one raises.

    A handler that the user has installed is not replaced.
    """

    _DEFAULT_HANDLERS = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
    }

    def __init__(self) -> None:
        self.requested = False
        self.terminated = False  # whether by SIGTERM: the process is to end
        self._before: list[tuple[signal.Signals, Any]] = []

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            for number, usual in self._DEFAULT_HANDLERS.items():
                if signal.getsignal(number) is usual:
                    self._before.append((number, usual))
                    signal.signal(number, self._ask)
        return self

    def __exit__(self, *error: Any) -> None:
        for number, usual in self._before:
            signal.signal(number, usual)

    def is_requested(self) -> bool:
        return self.requested

    @property
    def by(self) -> str:
        """Name of the signal that requested the stop."""
        return "SIGTERM" if self.terminated else "Ctrl-C"

    def end_process(self) -> None:
        """After SIGTERM, end the process with its exit code, 143.

        Raises:
            SystemExit: After SIGTERM.
        """
        if self.terminated:
            raise SystemExit(_EXIT_CODE)

    def _ask(self, number: int, _: Any) -> None:
        again, self.requested = self.requested, True
        self.terminated = self.terminated or number == signal.SIGTERM
        if again:
            self.end_process()
            raise KeyboardInterrupt
