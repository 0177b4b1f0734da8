"""ProgbarLogger: a progress bar as a callback."""

from collections.abc import Mapping
from typing import Any

from lamina.core.messages.messages import show
from lamina.core.types import Logs
from lamina.training.callbacks.callback import Callback
from lamina.training.progress.progbar import Progbar


class ProgbarLogger(Callback):
    """Shows a progress bar, for your own training loop with a `CallbackList`.

    `fit` has its own progress display, which is faster, since this callback is called after every
    batch. If this callback is passed to `fit`, it replaces that display.

    Example:
        >>> bar = ProgbarLogger()
        >>> bar.set_params({"epochs": 1, "steps": 2, "verbose": 2})
        >>> bar.on_epoch_begin(0)
        >>> bar.on_train_batch_end(1, {"loss": 0.5})
        >>> bar.on_epoch_end(0, {"loss": 0.5})  # doctest: +ELLIPSIS
        2/2 - 0s ... - loss: 0.5000
    """

    def __init__(self) -> None:
        self.seen = 0
        self.progbar: Progbar | None = None
        self.target: int | None = None
        self.verbose = 1
        self.epochs = 1
        self._in_fit = False

    def set_params(self, params: Mapping[str, Any]) -> None:
        super().set_params(params)
        verbose = params.get("verbose", 1)
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self.epochs = params.get("epochs", 1)
        self.target = params.get("steps")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._in_fit = True  # then validation has no progress bar

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._in_fit = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.verbose and self.epochs > 1:
            show(f"Epoch {epoch + 1}/{self.epochs}")
        self._start()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._step(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._finish(logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._start()

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._step(batch, logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._finish(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._start()

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._step(batch, None)  # the logs are the predictions

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._finish(None)

    def _start(self) -> None:
        self.seen = 0
        self.progbar = Progbar(self.target, verbose=self.verbose, stateless_metrics=())

    def _step(self, batch: int, logs: Logs | None) -> None:
        if self.progbar is None:
            self._start()
        self.seen = batch + 1
        assert self.progbar is not None
        self.progbar.update(self.seen, (logs or {}).items(), finalize=False)

    def _finish(self, logs: Logs | None) -> None:
        if self.progbar is None:
            self._start()
        assert self.progbar is not None
        if self.progbar.target is None:
            self.target = self.progbar.target = self.seen
        self.progbar.update(self.progbar.target, (logs or {}).items(), finalize=True)
