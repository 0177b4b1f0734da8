"""Handles Ctrl-C, and SIGTERM from a scheduler, while a model trains."""

import signal
import threading
from typing import Any

from lamina.core import processes

# The exit code that shells report for a process ended by SIGTERM.
_EXIT_CODE = 128 + signal.SIGTERM


class Interrupt:
    """Context manager in which Ctrl-C or SIGTERM requests a stop; a second signal raises an error.

    A handler that the user has installed is not replaced. Of several processes, all stop at the
    same step, after one has received the signal: see `agree`.
    """

    _DEFAULT_HANDLERS = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
    }

    def __init__(self) -> None:
        self.requested = False
        self.terminated = False  # whether SIGTERM was received, so that the process must end
        self._received = 0  # the signal that this process has received, of several processes
        self._replaced: list[tuple[signal.Signals, Any]] = []

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._DEFAULT_HANDLERS.items():
                if signal.getsignal(number) is handler:
                    self._replaced.append((number, handler))
                    signal.signal(number, self._request_stop)
        return self

    def __exit__(self, *error: Any) -> None:
        for number, handler in self._replaced:
            signal.signal(number, handler)

    def agree(self) -> None:
        """Take over a request that any process has received; every process calls it."""
        (received,) = processes.max_over_processes(self._received)
        self.requested = self.requested or received > 0
        self.terminated = self.terminated or int(received) == signal.SIGTERM

    def is_requested(self) -> bool:
        return self.requested

    @property
    def signal_name(self) -> str:
        """Name of the signal that requested the stop."""
        return "SIGTERM" if self.terminated else "Ctrl-C"

    def end_process(self) -> None:
        """After SIGTERM, end the process with its exit code, 143.

        Raises:
            SystemExit: After SIGTERM.
        """
        if self.terminated:
            raise SystemExit(_EXIT_CODE)

    def _request_stop(self, number: int, _: Any) -> None:
        if processes.is_multi_process():
            is_second, self._received = self._received > 0, max(self._received, number)
            if is_second:
                raise KeyboardInterrupt
            return
        is_second, self.requested = self.requested, True
        self.terminated = self.terminated or number == signal.SIGTERM
        if is_second:
            self.end_process()
            raise KeyboardInterrupt
