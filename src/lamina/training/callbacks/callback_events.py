"""CallbackEvents: a listener that calls Keras's hooks of callbacks."""

from collections.abc import Mapping
from typing import Any

from lamina.training.callbacks.callback import Callback
from lamina.training.callbacks.callback_list import CallbackList
from lamina.training.events import Listener


class CallbackEvents(Listener):
    """Calls the hooks for epochs and for the end of training.

    The engine calls the batch hooks itself, since each batch needs a separate call of the program.

    Args:
        callbacks: The callbacks.
    """

    def __init__(self, callbacks: CallbackList):
        self._callbacks = callbacks

    def on_epoch_begin(
        self, epoch: int | None, epochs: int | None, steps: int | None, resumed: bool = False
    ) -> None:
        if epoch is not None and not resumed:  # for a resumed epoch, the hook was called before
            self._callbacks.on_epoch_begin(epoch)

    def on_epoch_end(self, epoch: int | None, logs: dict[str, Any]) -> None:
        if epoch is not None:
            self._callbacks.on_epoch_end(epoch, logs)

    def on_run_end(self, logs: Mapping[str, Any]) -> None:
        self._callbacks.on_train_end(dict(logs))

    def on_findings(self, record: Any, findings: Any) -> None:
        for callback in self._callbacks.callbacks:
            if isinstance(callback, Callback):
                callback._on_findings(record, findings)
