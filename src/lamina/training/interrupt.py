"""Ctrl-C while a model trains."""

import signal
import threading
from typing import Any


class Interrupt:
    """Ctrl-C during training asks it to stop at the next opportunity; a second one raises."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            self._before = signal.getsignal(signal.SIGINT)
            if self._before is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *error: Any) -> None:
        if self._before is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._before)

    def is_asked(self) -> bool:
        return self.asked

    def _ask(self, *args: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
