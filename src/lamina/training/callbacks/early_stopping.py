"""Callbacks that stop training early: without improvement, or if the loss is not finite."""

import math
from typing import Any

from lamina.core import processes
from lamina.core.types import Logs
from lamina.core.user_data.arguments import explain_arguments
from lamina.training.callbacks.callback import Callback, mark_as_no_op
from lamina.training.callbacks.monitor import MonitorCallback, MonitoredMetric


class EarlyStopping(MonitorCallback, Callback):
    """Stops training when a metric has stopped improving.

    Args:
        monitor: Name of the metric in the logs.
        min_delta: Smallest change that counts as an improvement, in units of the metric.
        patience: Number of epochs without improvement after which training stops.
        verbose: 1 to print a message when training is stopped.
        mode: `"min"` if lower is better, `"max"` if higher is, `"auto"` to decide by the metric.
        baseline: The metric must also be better than this for `patience` to be counted anew.
        restore_best_weights: Restore the weights of the best epoch when training ends, whether or
            not it was stopped early.
        start_from_epoch: Number of first epochs that are ignored.

    Raises:
        ValueError: If `mode` is unknown or `"auto"` cannot decide (before the first epoch), or the
            logs do not have the metric (after it).

    Example:
        >>> class Model:
        ...     stop_training = False
        >>> stopping = EarlyStopping(monitor="loss", patience=2)
        >>> stopping.set_model(Model())
        >>> stopping.on_train_begin()
        >>> for epoch, loss in enumerate([3.0, 1.0, 2.0, 2.0]):
        ...     stopping.on_epoch_end(epoch, {"loss": loss})
        >>> stopping.model.stop_training, stopping.best, stopping.best_epoch
        (True, 1.0, 1)
    """

    state_names = ("wait", "stopped_epoch", "best", "best_epoch", "best_weights")

    @explain_arguments
    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ):
        self._monitored = MonitoredMetric("EarlyStopping", monitor, mode, min_delta)
        self.monitor = monitor
        self.min_delta = min_delta
        self.patience = patience
        self.verbose = verbose
        self.mode = mode
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._find_direction()
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        current = self._monitored.value(logs or {}, self.params)
        if current is None or epoch < self.start_from_epoch:
            return
        improved = self._is_improvement(current, self.best)
        if self.restore_best_weights and (improved or self.best_weights is None):
            self.best_weights = self.model.get_weights()
            self.best_epoch = epoch
        self.wait += 1
        if improved:
            self.best = current
            self.best_epoch = epoch
            if self.baseline is None or self._is_improvement(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            processes.print_from_first(
                f"Epoch {self.stopped_epoch + 1}: training ends, {self.monitor} has not improved "
                f"since epoch {self.best_epoch + 1}."
            )
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
            if self.verbose:
                processes.print_from_first(f"The weights are those of epoch {self.best_epoch + 1}.")


class TerminateOnNaN(Callback):
    """Stops training without an error when the loss is not finite.

    Without this callback, such a loss is an error.

    Args:
        raise_error: Raise a RuntimeError instead.
    """

    @explain_arguments
    def __init__(self, raise_error: bool = False):
        self.raise_error = raise_error
        self.stops_on_nan = not raise_error
        self._warned = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._warned = False

    # The compiled loop checks every loss itself; this hook is for a user's own training loop.
    @mark_as_no_op
    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._check(logs, f"batch {batch}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._check(logs, f"epoch {epoch + 1}")

    def _check(self, logs: Logs | None, where: str) -> None:
        loss: Any = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss) or self._warned:
            return
        if self.raise_error:
            raise RuntimeError(f"The loss is {loss} in {where}.")
        self._warned = True
        self.model.stop_training = True
        processes.print_from_first(f"Training ends: the loss is {loss} in {where}.")
