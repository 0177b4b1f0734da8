"""Ctrl-C, and the SIGTERM of a scheduler, while a model trains."""

import signal
import threading
from typing import Any

# What a shell says of a process that SIGTERM ended.
_EXIT_CODE = 128 + signal.SIGTERM


class Interrupt:
    """Ctrl-C or SIGTERM during training asks it to stop at the next opportunity; a second raises.

    What the user has set for a signal himself is left alone.
    """

    _OURS_TO_SET = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
    }

    def __init__(self) -> None:
        self.requested = False
        self.terminated = False  # whether by SIGTERM: the process is to end
        self._before: list[tuple[signal.Signals, Any]] = []

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            for number, usual in self._OURS_TO_SET.items():
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
        """What asked."""
        return "SIGTERM" if self.terminated else "Ctrl-C"

    def end_process(self) -> None:
        """After SIGTERM, when everything is in order: end with its exit code, 143.

        Raises:
            SystemExit: If it was SIGTERM that asked.
        """
        if self.terminated:
            raise SystemExit(_EXIT_CODE)

    def _ask(self, number: int, _: Any) -> None:
        again, self.requested = self.requested, True
        self.terminated = self.terminated or number == signal.SIGTERM
        if again:
            self.end_process()
            raise KeyboardInterrupt
