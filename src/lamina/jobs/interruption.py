"""Ctrl-C while a job trains, and while it writes what was learnt."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lamina.callbacks import LambdaCallback


class Stopping:
    """Hears Ctrl-C so that what was learnt is written, however often it is pressed.

    The first one lets `fit` end after the steps under way. The second one is only answered. The
    third one raises `KeyboardInterrupt`.

    Args:
        tell: Called with what is to be said to whoever pressed it.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.heard = 0
        self._tell = tell
        self._fits: Any = None

    def callback(self) -> Any:
        """For `fit`: takes over the handler that `fit` has set."""
        return LambdaCallback(on_train_begin=lambda logs=None: self._take_over())

    def _take_over(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self._fits = signal.getsignal(signal.SIGINT)
        if callable(self._fits) and self._fits is not signal.default_int_handler:
            signal.signal(signal.SIGINT, self._hear)

    def _hear(self, *args: Any) -> None:
        self.heard += 1
        if self.heard == 1:
            self._fits(*args)
            self._tell("Stopping: the steps under way are finished, then the model is saved.")
        elif self.heard == 2:
            self._tell("It was heard, and the model will be saved. Once more: leave at once.")
        else:
            raise KeyboardInterrupt

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """While something is written, Ctrl-C is only noted."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(*args: Any) -> None:
            self.heard += 1

        before = signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
