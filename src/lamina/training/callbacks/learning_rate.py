"""Callbacks that change the learning rate between epochs, without recompilation."""

import inspect
from collections.abc import Callable
from typing import Any

from lamina.core import processes
from lamina.core.types import Logs
from lamina.core.user_data.arguments import explain_arguments, is_number
from lamina.training.callbacks.callback import Callback
from lamina.training.callbacks.monitor import MonitorCallback, MonitoredMetric


class LearningRateScheduler(Callback):
    """Sets the learning rate before every epoch to the result of a function.

    Adds `"learning_rate"` to the logs. For a rate that changes at every step, see
    `lamina.optimizers.schedules`. With a `MultiOptimizer`, the function receives and returns the
    rate of the default optimizer; the rates of the others change by the same factor.

    Args:
        schedule: Function of the epoch (from 0) and the current learning rate, or of the epoch
            alone, that returns the new learning rate.
        verbose: 1 prints the rate at every epoch.

    Raises:
        TypeError: If the function returns something other than a number.

    Example:
        >>> halve_after_ten = LearningRateScheduler(
        ...     lambda epoch, rate: rate if epoch < 10 else rate / 2)
    """

    @explain_arguments
    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        if not callable(schedule):
            raise TypeError(
                "LearningRateScheduler needs a function (epoch, learning rate) → learning rate; "
                f"received {schedule!r}."
            )
        self.schedule = schedule
        self.verbose = verbose
        self._rates: LearningRates | None = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self._rates is None or self._rates.optimizer is not self.model.optimizer:
            self._rates = LearningRates(self.model.optimizer)
        arguments = (epoch, self._rates.main)
        rate = self.schedule(*arguments[: _number_of_arguments(self.schedule)])
        try:
            self._rates.set_main(float(rate))
        except TypeError as error:
            if isinstance(rate, (int, float)):
                raise  # the optimizer's error
            raise TypeError(
                f"The function of LearningRateScheduler returned {rate!r} for epoch {epoch}, "
                "expected a number.\n  Likely cause: a return is missing."
            ) from error
        if self.verbose:
            processes.print_from_first(f"Epoch {epoch + 1}: the learning rate is {float(rate):g}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = LearningRates(self.model.optimizer).main


class ReduceLROnPlateau(MonitorCallback, Callback):
    """Lowers the learning rate when a metric has stopped improving.

    Adds `"learning_rate"` to the logs: the rate with which the epoch was trained. With a
    `MultiOptimizer`, the rates of all its optimizers are lowered, and the logs have the rate of the
    default optimizer.

    Args:
        monitor: Name of the metric in the logs.
        factor: The learning rate is multiplied by this factor, above 0 and below 1.
        patience: Number of epochs without improvement after which the rate is lowered.
        verbose: 1 to print a message when the rate is lowered.
        mode: `"min"` if lower is better, `"max"` if higher is, `"auto"` to decide by the metric.
        min_delta: Smallest change that counts as an improvement, in units of the metric.
        cooldown: Number of epochs that are ignored after the rate was lowered.
        min_lr: Lowest learning rate.

    Raises:
        ValueError: If `factor` or `mode` is out of its range, or the logs do not have the metric.
        TypeError: If the learning rate cannot be set (before the first epoch).

    Example:
        >>> from types import SimpleNamespace
        >>> model = SimpleNamespace(optimizer=SimpleNamespace(learning_rate=0.5))
        >>> plateau = ReduceLROnPlateau(monitor="loss", factor=0.5, patience=2)
        >>> plateau.set_model(model)
        >>> plateau.on_train_begin()
        >>> for epoch, loss in enumerate([1.0, 1.0, 1.0]):
        ...     plateau.on_epoch_end(epoch, {"loss": loss})
        >>> model.optimizer.learning_rate
        0.25
    """

    state_names = ("best", "wait", "cooldown_counter")

    @explain_arguments
    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ):
        if not (is_number(factor) and 0 < factor < 1):
            raise ValueError(
                "ReduceLROnPlateau needs a factor above 0 and below 1, which the learning rate is "
                f"multiplied by; received {factor!r}."
            )
        self._monitored = MonitoredMetric("ReduceLROnPlateau", monitor, mode, min_delta)
        self.monitor = monitor
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.mode = mode
        self.min_delta = min_delta
        self.cooldown = cooldown
        self.min_lr = min_lr
        self._reset()

    def _reset(self) -> None:
        self.best: float | None = None
        self.wait = 0
        self.cooldown_counter = 0

    def in_cooldown(self) -> bool:
        """Whether epochs are currently ignored because the rate was lowered recently.

        Returns:
            True or False.
        """
        return self.cooldown_counter > 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._find_direction()
        self._reset()
        # If the rate cannot be set, this raises the error now rather than after `patience` epochs.
        for optimizer in LearningRates(self.model.optimizer).optimizers:
            optimizer.learning_rate = float(optimizer.learning_rate)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = {} if logs is None else logs
        logs["learning_rate"] = LearningRates(self.model.optimizer).main
        current = self._monitored.value(logs, self.params)
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        rates = LearningRates(self.model.optimizer)
        old_rate = rates.main
        # An optimizer stores its rate in float32, which may be slightly above or below min_lr.
        min_rate = self.min_lr * (1 + 1e-6)
        reducible = [o for o in rates.optimizers if float(o.learning_rate) > min_rate]
        if not reducible:
            return
        for optimizer in reducible:
            optimizer.learning_rate = max(float(optimizer.learning_rate) * self.factor, self.min_lr)
        self.cooldown_counter = self.cooldown
        self.wait = 0
        if self.verbose:
            processes.print_from_first(
                f"Epoch {epoch + 1}: {self.monitor} has not improved; the learning rate goes from "
                f"{old_rate:g} to {rates.main:g}."
            )


class LearningRates:
    """The learning rate of an optimizer, or those of the optimizers inside a `MultiOptimizer`.

    Args:
        optimizer: The model's optimizer.

    Example:
        >>> from lamina.optimizers import SGD, MultiOptimizer, OptimizerMap
        >>> multi_optimizer = MultiOptimizer(OptimizerMap(SGD(0.5), {"bias": SGD(0.25)}))
        >>> rates = LearningRates(multi_optimizer)
        >>> rates.set_main(0.25)
        >>> [float(optimizer.learning_rate) for optimizer in multi_optimizer.optimizers]
        [0.125, 0.25]
    """

    def __init__(self, optimizer: Any):
        self.optimizer = optimizer
        self._rates_before_zero: list[float] | None = None

    @property
    def optimizers(self) -> list[Any]:
        """The optimizers that have a rate; the default one of a `MultiOptimizer` comes last."""
        optimizer = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        return list(getattr(optimizer, "optimizers", [optimizer]))

    @property
    def main(self) -> float:
        """The rate of the optimizer, or of the default optimizer of a `MultiOptimizer`."""
        return float(self.optimizers[-1].learning_rate)

    def set_main(self, rate: float) -> None:
        """Set the main rate, and change the other rates by the same factor."""
        *other_optimizers, main = self.optimizers
        old_rates = [float(optimizer.learning_rate) for optimizer in (*other_optimizers, main)]
        if old_rates[-1] == 0 and self._rates_before_zero is not None:
            old_rates = self._rates_before_zero  # the ratio of zeros is undefined
        elif rate == 0:
            self._rates_before_zero = old_rates
        old_main = old_rates[-1]
        for optimizer, old_rate in zip(other_optimizers, old_rates, strict=False):
            optimizer.learning_rate = rate if old_main == 0 else old_rate * rate / old_main
        main.learning_rate = rate


def _number_of_arguments(function: Callable[..., Any]) -> int:
    """The number of arguments of a schedule: 2 for epoch and rate, 1 for the epoch alone."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # written in C
        return 2
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 2
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return min(2, sum(p.kind in positional for p in parameters))
