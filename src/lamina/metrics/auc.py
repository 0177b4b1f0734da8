"""AUC: area under the ROC or precision-recall curve."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration import config
from lamina.core.messages.errors import did_you_mean
from lamina.core.types import ArrayLike, DTypePolicyLike
from lamina.core.user_data.arguments import is_number
from lamina.core.variable.variable import Variable
from lamina.losses.loss import divide_no_nan
from lamina.losses.shapes import to_array
from lamina.metrics.confusion import ConfusionCountsMixin, Rates, add_counts
from lamina.metrics.confusion_counts import Counts, confusion_counts, even_thresholds
from lamina.metrics.metric import Metric

CURVES = ("ROC", "PR", "PRGAIN")
SUMMATIONS = ("interpolation", "minoring", "majoring")


class AUC(ConfusionCountsMixin, Metric):
    """Area under the ROC or the precision-recall curve, from counts at many thresholds.

    For ROC it is the probability that a random positive has a higher score than a random negative.

    Args:
        num_thresholds: Number of thresholds; ignored if `thresholds` are given.
        curve: `"ROC"`, `"PR"` or `"PRGAIN"`.
        summation_method: `"interpolation"` between the points of the curve (for PR the non-linear
            one), `"minoring"` below or `"majoring"` above it.
        name, dtype: See `Metric`.
        thresholds: Thresholds to use instead, between 0 and 1.
        multi_label: Whether each column of `(batch, labels)` has its own curve; areas are averaged.
        num_labels: Number of columns, if it must be known before the first batch.
        label_weights: One weight per column.
        from_logits: Whether predictions are logits, before the sigmoid.

    Source: Fawcett, 2006, "An introduction to ROC analysis"; Davis and Goadrich, 2006, "The
    Relationship Between Precision-Recall and ROC Curves"; Flach and Kull, 2015,
    "Precision-Recall-Gain Curves".

    Example:
        >>> float(AUC(num_thresholds=3)([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]))
        0.75
    """

    direction = "up"

    def __init__(
        self,
        num_thresholds: int | None = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: DTypePolicyLike = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ):
        super().__init__(name=name, dtype=dtype)
        self.curve = _check_choice(curve, CURVES, "curve")
        self.summation_method = _check_choice(summation_method, SUMMATIONS, "summation_method")
        if thresholds is None and (
            num_thresholds is None or not is_number(num_thresholds) or num_thresholds <= 1
        ):
            raise ValueError(f"AUC needs num_thresholds of 2 or more; received {num_thresholds!r}.")
        if num_labels and not multi_label:
            raise ValueError(
                "AUC's num_labels is only for separate curves for each label.\n"
                "  Fix: AUC(multi_label=True, …)."
            )
        self._init_thresholds = None if thresholds is None else sorted(map(float, thresholds))
        inner_thresholds = self._init_thresholds
        if inner_thresholds is None:
            inner_thresholds = even_thresholds(num_thresholds)[1:-1]  # type: ignore[arg-type]
        # Every prediction exceeds the first threshold and none the last.
        self._thresholds = [-config.epsilon(), *inner_thresholds, 1.0 + config.epsilon()]
        self.num_thresholds = len(self._thresholds)
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = (
            None if label_weights is None else np.asarray(label_weights, dtype=self.dtype).tolist()
        )
        self.from_logits = from_logits
        self.counts: list[Variable] = []
        if not multi_label:
            self.counts = add_counts(self, (self.num_thresholds,))
        elif num_labels:
            self.build((None, num_labels), (None, num_labels))

    @property
    def thresholds(self) -> list[float]:
        """The thresholds, ascending from just below 0 to just above 1."""
        return list(self._thresholds)

    def build(self, y_true_shape: tuple, y_pred_shape: tuple) -> None:
        if self.counts:
            return
        if len(y_pred_shape) != 2 or y_pred_shape[-1] is None:
            raise ValueError(
                "AUC(multi_label=True) needs predictions of shape (batch, labels).\n"
                f"  Received: predictions of shape {y_pred_shape}."
            )
        self.counts = add_counts(self, (self.num_thresholds, y_pred_shape[-1]))

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        y_pred = to_array(y_pred, "y_pred", self.name)
        self.build((), y_pred.shape)
        counts = confusion_counts(
            y_true,
            jax.nn.sigmoid(y_pred) if self.from_logits else y_pred,
            self._thresholds,
            sample_weight=sample_weight,
            label_weights=None if self.multi_label else self.label_weights,
            multi_label=self.multi_label,
            caller=self.name,
        )
        for variable, count in zip(self.counts, counts, strict=True):
            variable.assign_add(count)

    def result(self) -> jax.Array:
        if not self.counts:
            return jnp.zeros((), self.dtype)
        counts = Counts(*(v.value for v in self.counts))
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._mean_over_labels(_interpolate_pr_areas(counts))
        x, y = _curve_points(counts, self.curve)
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2.0
        elif self.summation_method == "minoring":
            heights = jnp.minimum(y[:-1], y[1:])
        else:
            heights = jnp.maximum(y[:-1], y[1:])
        return self._mean_over_labels((x[:-1] - x[1:]) * heights)

    def get_config(self) -> dict:
        config = {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": self.label_weights,
            "from_logits": self.from_logits,
        }
        if self._init_thresholds is not None:
            config["thresholds"] = self._init_thresholds
        return config

    def _mean_over_labels(self, areas: jax.Array) -> jax.Array:
        """The sum of the areas of each curve, averaged over the curves."""
        by_label = jnp.sum(areas, axis=0)
        if not self.multi_label:
            return by_label
        if self.label_weights is None:
            return jnp.mean(by_label)
        weights = jnp.asarray(self.label_weights, by_label.dtype)
        return divide_no_nan(jnp.sum(by_label * weights), jnp.sum(weights))


def _curve_points(counts: Counts, curve: str) -> tuple[jax.Array, jax.Array]:
    """The points of a curve, with x descending as the threshold increases."""
    rates = Rates(counts)
    if curve == "ROC":
        return rates.false_positive_rate, rates.recall
    if curve == "PR":
        return rates.recall, rates.precision
    tp, fp, tn, fn = counts
    odds = divide_no_nan(tp + fn, tn + fp)
    recall_gain = jnp.where(tp == 0, 0.0, 1.0 - odds * divide_no_nan(fn, tp))
    precision_gain = jnp.where(tp == 0, 1.0, 1.0 - odds * divide_no_nan(fp, tp))
    return jnp.maximum(recall_gain, 0.0), precision_gain


def _interpolate_pr_areas(counts: Counts) -> jax.Array:
    """Areas under segments of the precision-recall curve, after Davis and Goadrich (2006).

    Between two thresholds the true positives are assumed to be linear in the predicted positives,
    P: `TP = intercept + slope · P`. Precision is then TP / P, and its integral over the
    true positives is `slope · (ΔTP + intercept · log(P₁ / P₂))`.
    """
    tp, fp, _, fn = counts
    predicted = tp + fp
    tp_difference = tp[:-1] - tp[1:]
    slope = divide_no_nan(tp_difference, jnp.maximum(predicted[:-1] - predicted[1:], 0))
    intercept = tp[1:] - slope * predicted[1:]
    both_positive = (predicted[:-1] > 0) & (predicted[1:] > 0)
    ratio = jnp.where(
        both_positive, divide_no_nan(predicted[:-1], jnp.maximum(predicted[1:], 0)), 1.0
    )
    area = slope * (tp_difference + intercept * jnp.log(ratio))
    return divide_no_nan(area, jnp.maximum(tp[1:] + fn[1:], 0))


def _check_choice(value: Any, allowed: tuple[str, ...], argument: str) -> str:
    for name in allowed:
        if str(value).lower() == name.lower():
            return name
    raise ValueError(
        f"AUC's {argument} must be one of {', '.join(map(repr, allowed))}; "
        f"received {value!r}.{did_you_mean(str(value), allowed)}"
    )
