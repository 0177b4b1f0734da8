"""Callbacks as listeners: what happens in a run becomes calls of Keras's hooks."""

from collections.abc import Mapping
from typing import Any

from lamina.training.callbacks.callback_list import CallbackList
from lamina.training.events import Listener


class CallbackEvents(Listener):
    """Tells callbacks of epochs and of the end of training.

    The hooks of batches, which need a call of the program each, are called by the engine.

    Args:
        callbacks: Who is told.
    """

    def __init__(self, callbacks: CallbackList):
        self._callbacks = callbacks

    def on_epoch_begin(
        self, epoch: int | None, epochs: int | None, steps: int | None, resumed: bool = False
    ) -> None:
        if epoch is not None and not resumed:  # an epoch that is gone on with was told of before
            self._callbacks.on_epoch_begin(epoch)

    def on_epoch_end(self, epoch: int | None, logs: dict[str, Any]) -> None:
        if epoch is not None:
            self._callbacks.on_epoch_end(epoch, logs)

    def on_run_end(self, logs: Mapping[str, Any]) -> None:
        self._callbacks.on_train_end(dict(logs))
