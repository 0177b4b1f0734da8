"""Watches one value in the logs, for callbacks: which direction is better, and improvements."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lamina.core.messages.errors import did_you_mean
from lamina.ops import greater, less

if TYPE_CHECKING:
    from lamina.models.model import Model

# Names of Keras's losses and metrics; for other names, the user must give the `mode`.
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


class Watch:
    """Follows one number of the logs for a callback.

    Args:
        owner: Name of the callback's class, for messages.
        monitor: Name of the metric, such as `"val_loss"`.
        mode: `"min"` if lower is better, `"max"` if higher is, `"auto"` to decide by the metric.
        min_delta: Smallest change that counts, in units of the number.

    Example:
        >>> watch = Watch("EarlyStopping", "val_accuracy", min_delta=0.01)
        >>> watch.is_better(0.95, than=0.93), watch.is_better(0.935, than=0.93)
        (True, False)
    """

    def __init__(self, owner: str, monitor: str, mode: str = "auto", min_delta: float = 0):
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"{owner}: mode must be 'auto', 'min' or 'max'; received {mode!r}.")
        self.owner = owner
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.rises = mode == "max" if mode != "auto" else higher_is_better(monitor)
        self.operation: Callable[..., Any] | None = None  # a subclass's own comparison

    def begin(self, model: "Model") -> None:
        """Find the better direction from the model's metrics, if the name is not known.

        Raises:
            ValueError: If it cannot be found.
        """
        if self.mode == "auto":
            rises = _direction_of(self.monitor, getattr(model, "metrics", None) or ())
            self.rises = self.rises if rises is None else rises
        if self.rises is None:
            names = [metric.name for metric in getattr(model, "metrics", None) or ()]
            hint = did_you_mean(self.monitor, [*names, *(f"val_{name}" for name in names)])
            raise ValueError(
                f"{self.owner} cannot tell whether a higher or a lower {self.monitor!r} is "
                f"better.{hint}\n"
                "  Fix: mode='max' if higher is better, mode='min' if lower is."
            )

    def value(self, logs: Mapping[str, Any], params: Mapping[str, Any] | None) -> float | None:
        """The value in the logs; None in an epoch without validation, if other epochs have one.

        There is validation data if the params have `validation_freq`.

        Raises:
            ValueError: If the logs do not have it, or it is not one number.
        """
        value = logs.get(self.monitor)
        if value is None:
            validated = any(name.startswith("val_") for name in logs)
            has_validation = (params or {}).get("validation_freq") is not None
            if self.monitor.startswith("val_") and not validated and has_validation:
                return None
            raise ValueError(self._missing(logs, validated))
        try:
            # F1Score of one class has an axis, of size 1.
            return float(value.item() if getattr(value, "size", 0) == 1 else value)
        except (TypeError, ValueError):
            raise ValueError(
                f"{self.owner} needs {self.monitor!r} to be one number; received {value!r}."
            ) from None

    def _missing(self, logs: Mapping[str, Any], validated: bool) -> str:
        names = ", ".join(logs) or "nothing"
        hint = did_you_mean(self.monitor, logs)
        message = f"{self.owner} watches {self.monitor!r}, and the logs have {names}.{hint}"
        if self.monitor.startswith("val_") and not validated:
            training = self.monitor.removeprefix("val_")
            # For `acc`, propose `accuracy`.
            training = next((name for name in logs if name.startswith(training)), training)
            return (
                f"{message}\n  Likely cause: fit() has nothing to validate on.\n"
                f"  Fix: fit(…, validation_split=0.1), or monitor={training!r}."
            )
        if self.monitor.startswith("val_"):
            return f"{message}\n  Fix: monitor= one of these, or add the metric to compile()."
        return f"{message}\n  Fix: monitor= one of these, or compile(metrics=[{self.monitor!r}])."

    def is_better(self, current: float, than: float | None) -> bool:
        """Whether a number is better than `than` by more than `min_delta`; True if that is None."""
        if math.isnan(current):
            return False
        if than is None:
            return True
        if self.operation is not None:
            delta = self.min_delta if self.operation(1.0, 0.0) else -self.min_delta
            return bool(self.operation(current - delta, than))
        return current - self.min_delta > than if self.rises else current + self.min_delta < than


class Monitoring:
    """Base class of callbacks that watch a value, with the attributes and methods of Keras's."""

    _watch: Watch
    min_delta: float
    model: Any

    @property
    def monitor_op(self) -> Callable[..., Any] | None:
        """`ops.greater` or `ops.less`, whichever is better; None while it is not known.

        Another comparison of two numbers may be assigned.
        """
        if self._watch.operation is not None or self._watch.rises is None:
            return self._watch.operation
        return greater if self._watch.rises else less

    @monitor_op.setter
    def monitor_op(self, operation: Callable[..., Any] | None) -> None:
        self._watch.operation = operation

    def _begin_watching(self) -> None:
        """Find the better direction.

        `min_delta` gets the sign with which `monitor_op(value - min_delta, best)` is true for an
        improvement.
        """
        operation = self._watch.operation
        if operation is None:
            self._watch.begin(self.model)
        rises = self._watch.rises if operation is None else operation(1.0, 0.0)
        self.min_delta = self._watch.min_delta if rises else -self._watch.min_delta

    def _set_monitor_op(self) -> None:
        self._begin_watching()

    def _is_improvement(self, monitor_value: float, reference_value: float | None) -> bool:
        """Whether a number is better than the reference, if there is one; may be overridden."""
        return self._watch.is_better(monitor_value, than=reference_value)


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
    # `auc_1` is the second AUC of a model, `digit_accuracy` that of the output `digit`.
    name = re.sub(r"_\d+$", "", monitor.removeprefix("val_"))
    for names, higher in ((_LOWER_IS_BETTER, False), (_HIGHER_IS_BETTER, True)):
        if name in names or any(name.endswith(f"_{ending}") for ending in names):
            return higher
    return None


def _direction_of(monitor: str, metrics: Iterable[Any]) -> bool | None:
    for metric in metrics:
        if metric.name == monitor.removeprefix("val_"):
            direction = getattr(metric, "direction", None)
            return None if direction is None else direction == "up"
    return None
