"""Handles Ctrl-C while a job trains and while it writes files."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lamina.callbacks import LambdaCallback


class Stopping:
    """Handles Ctrl-C so that the model is saved.

    The first Ctrl-C stops `fit` after the current steps. The second only prints a message. The
    third raises `KeyboardInterrupt`.

    Args:
        tell: Called with a message for the user.

    `count` is the number of times that Ctrl-C was pressed.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.count = 0
        self._tell = tell
        self._handler_of_fit: Any = None

    def callback(self) -> Any:
        """A callback for `fit`, which wraps the signal handler of `fit`."""
        return LambdaCallback(on_train_begin=lambda logs=None: self._replace_handler())

    def _replace_handler(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self._handler_of_fit = signal.getsignal(signal.SIGINT)
        if (
            callable(self._handler_of_fit)
            and self._handler_of_fit is not signal.default_int_handler
        ):
            signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, *args: Any) -> None:
        self.count += 1
        if self.count == 1:
            self._handler_of_fit(*args)
            self._tell("Stopping: the steps under way are finished, then the model is saved.")
        elif self.count == 2:
            self._tell("The model will be saved. Press Ctrl-C once more to exit at once.")
        else:
            raise KeyboardInterrupt

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Context manager in which Ctrl-C is only counted, for writing files."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def count_signal(*args: Any) -> None:
            self.count += 1

        previous_handler = signal.signal(signal.SIGINT, count_signal)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous_handler)
