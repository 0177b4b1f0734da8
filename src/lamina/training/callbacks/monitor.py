"""Monitors a metric in the logs, for callbacks: whether higher is better, and improvements."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lamina.core.messages.errors import did_you_mean
from lamina.ops import greater, less

if TYPE_CHECKING:
    from lamina.models.model import Model

# Names of Keras's losses and metrics; for other names, the user must pass `mode`.
_HIGHER_IS_BETTER = {
    "acc", "accuracy", "binary_accuracy", "categorical_accuracy", "auc", "precision", "recall",
    "sparse_categorical_accuracy", "top_k_categorical_accuracy", "f1_score", "fbeta_score",
    "sparse_top_k_categorical_accuracy", "precision_at_recall", "recall_at_precision",
    "sensitivity_at_specificity", "specificity_at_sensitivity", "cosine_similarity", "r2_score",
    "iou", "io_u", "binary_io_u", "mean_io_u", "one_hot_io_u", "one_hot_mean_io_u",
    "pearson_correlation", "concordance_correlation",
}  # fmt: skip
_LOWER_IS_BETTER = {
    "loss", "mean_squared_error", "mse", "root_mean_squared_error", "rmse", "log_cosh",
    "mean_absolute_error", "mae", "mean_absolute_percentage_error", "mape", "logcosh",
    "mean_squared_logarithmic_error", "msle", "huber", "hinge", "squared_hinge",
    "categorical_hinge", "binary_crossentropy", "categorical_crossentropy", "crossentropy",
    "sparse_categorical_crossentropy", "kl_divergence", "kullback_leibler_divergence", "kld",
    "poisson",
}  # fmt: skip


class MonitoredMetric:
    """A metric in the logs that a callback monitors.

    Args:
        owner: Name of the callback's class, for messages.
        monitor: Name of the metric, such as `"val_loss"`.
        mode: `"min"` if lower is better, `"max"` if higher is, `"auto"` to decide by the metric.
        min_delta: Smallest change that counts as an improvement, in units of the metric.

    Example:
        >>> metric = MonitoredMetric("EarlyStopping", "val_accuracy", min_delta=0.01)
        >>> metric.is_better(0.95, than=0.93), metric.is_better(0.935, than=0.93)
        (True, False)
    """

    def __init__(self, owner: str, monitor: str, mode: str = "auto", min_delta: float = 0):
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"{owner}: mode must be 'auto', 'min' or 'max'; received {mode!r}.")
        self.owner = owner
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.maximize = mode == "max" if mode != "auto" else higher_is_better(monitor)
        self.comparison: Callable[..., Any] | None = None  # a subclass's own comparison

    def find_direction(self, model: "Model") -> None:
        """Find out from the model's metrics whether higher is better, if the name does not say it.

        Raises:
            ValueError: If no metric says it either.
        """
        if self.mode == "auto":
            maximize = _direction_of(self.monitor, getattr(model, "metrics", None) or ())
            self.maximize = self.maximize if maximize is None else maximize
        if self.maximize is None:
            names = [metric.name for metric in getattr(model, "metrics", None) or ()]
            hint = did_you_mean(self.monitor, [*names, *(f"val_{name}" for name in names)])
            raise ValueError(
                f"{self.owner} cannot tell whether a higher or a lower {self.monitor!r} is "
                f"better.{hint}\n"
                "  Fix: mode='max' if higher is better, mode='min' if lower is."
            )

    def value(self, logs: Mapping[str, Any], params: Mapping[str, Any] | None) -> float | None:
        """The value in the logs; None in an epoch without validation, if other epochs have it.

        There is validation data if the params have `validation_freq`.

        Raises:
            ValueError: If the logs do not have the value, or it is not a single number.
        """
        value = logs.get(self.monitor)
        if value is None:
            validated = any(name.startswith("val_") for name in logs)
            has_validation = (params or {}).get("validation_freq") is not None
            if self.monitor.startswith("val_") and not validated and has_validation:
                return None
            raise ValueError(self._missing_message(logs, validated))
        try:
            # F1Score of one class has an axis, of size 1.
            return float(value.item() if getattr(value, "size", 0) == 1 else value)
        except (TypeError, ValueError):
            raise ValueError(
                f"{self.owner} needs {self.monitor!r} to be one number; received {value!r}."
            ) from None

    def _missing_message(self, logs: Mapping[str, Any], validated: bool) -> str:
        names = ", ".join(logs) or "nothing"
        hint = did_you_mean(self.monitor, logs)
        message = f"{self.owner} monitors {self.monitor!r}, but the logs have {names}.{hint}"
        if self.monitor.startswith("val_") and not validated:
            training_name = self.monitor.removeprefix("val_")
            # For `acc`, propose `accuracy`.
            training_name = next(
                (name for name in logs if name.startswith(training_name)), training_name
            )
            return (
                f"{message}\n  Likely cause: fit() has no validation data.\n"
                f"  Fix: fit(…, validation_split=0.1), or monitor={training_name!r}."
            )
        if self.monitor.startswith("val_"):
            return (
                f"{message}\n  Fix: set monitor= to one of these, or add the metric to compile()."
            )
        return (
            f"{message}\n"
            f"  Fix: set monitor= to one of these, or compile(metrics=[{self.monitor!r}])."
        )

    def is_better(self, current: float, than: float | None) -> bool:
        """Whether a value is better than `than` by more than `min_delta`, or `than` is None."""
        if math.isnan(current):
            return False
        if than is None:
            return True
        if self.comparison is not None:
            delta = self.min_delta if self.comparison(1.0, 0.0) else -self.min_delta
            return bool(self.comparison(current - delta, than))
        return current - self.min_delta > than if self.maximize else current + self.min_delta < than


class MonitorCallback:
    """Base class of callbacks that monitor a metric, with the attributes and methods of Keras's."""

    _monitored: MonitoredMetric
    min_delta: float
    model: Any

    @property
    def monitor_op(self) -> Callable[..., Any] | None:
        """`ops.greater` if higher is better, else `ops.less`; None if that is not known yet.

        Another function that compares two numbers may be assigned.
        """
        if self._monitored.comparison is not None or self._monitored.maximize is None:
            return self._monitored.comparison
        return greater if self._monitored.maximize else less

    @monitor_op.setter
    def monitor_op(self, operation: Callable[..., Any] | None) -> None:
        self._monitored.comparison = operation

    def _find_direction(self) -> None:
        """Find out whether higher or lower values are better.

        `min_delta` gets the sign with which `monitor_op(value - min_delta, best)` is true for an
        improvement.
        """
        operation = self._monitored.comparison
        if operation is None:
            self._monitored.find_direction(self.model)
        maximize = self._monitored.maximize if operation is None else operation(1.0, 0.0)
        self.min_delta = self._monitored.min_delta if maximize else -self._monitored.min_delta

    def _set_monitor_op(self) -> None:
        self._find_direction()

    def _is_improvement(self, monitor_value: float, reference_value: float | None) -> bool:
        """Whether a value is better than the reference, or there is none; may be overridden."""
        return self._monitored.is_better(monitor_value, than=reference_value)


def higher_is_better(monitor: str) -> bool | None:
    """Whether higher values of a metric are better, by its name; None if it is unknown.

    Example:
        >>> higher_is_better("val_accuracy"), higher_is_better("digit_loss")
        (True, False)
        >>> higher_is_better("my_metric") is None
        True
    """
    if not isinstance(monitor, str):
        raise TypeError(f"monitor is the name of a loss or metric; received {monitor!r}.")
    # `auc_1` is the second AUC of a model, `digit_accuracy` the accuracy of the output `digit`.
    name = re.sub(r"_\d+$", "", monitor.removeprefix("val_"))
    for names, is_higher_better in ((_LOWER_IS_BETTER, False), (_HIGHER_IS_BETTER, True)):
        if name in names or any(name.endswith(f"_{ending}") for ending in names):
            return is_higher_better
    return None


def _direction_of(monitor: str, metrics: Iterable[Any]) -> bool | None:
    for metric in metrics:
        if metric.name == monitor.removeprefix("val_"):
            direction = getattr(metric, "direction", None)
            return None if direction is None else direction == "up"
    return None
