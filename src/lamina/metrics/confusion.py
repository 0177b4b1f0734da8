"""Metrics from the confusion matrix: precision, recall and others, and its four counts."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.types import ArrayLike, DTypePolicyLike
from lamina.core.user_data.arguments import is_number
from lamina.core.variable.variable import Variable
from lamina.losses.loss import divide_no_nan
from lamina.metrics.confusion_counts import (
    LOWEST_SCORE,
    Counts,
    check_thresholds,
    confusion_counts,
    even_thresholds,
)
from lamina.metrics.metric import Metric


class _SingleCountMetric(Metric):
    """Base class of the metrics that are one of the four counts."""

    count_name = ""  # a field of `Counts`

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        name: str | None = None,
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.thresholds = check_thresholds(thresholds, 0.5, self.name)
        self.accumulator = self.add_variable(shape=(len(self.thresholds),), name="accumulator")

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        counts = confusion_counts(
            y_true, y_pred, self.thresholds, sample_weight=sample_weight, caller=self.name
        )
        self.accumulator.assign_add(getattr(counts, self.count_name))

    def result(self) -> jax.Array:
        return _scalar_if_one(self.accumulator.value)

    def get_config(self) -> dict:
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(_SingleCountMetric):
    """Number of predictions above the threshold that are correct.

    Args:
        thresholds: One probability, or a list for one count each; 0.5 if None.
        name, dtype: See `Metric`.

    Example:
        >>> float(TruePositives()([0, 1, 1], [0.2, 0.7, 0.3]))
        1.0
    """

    count_name = "true_positives"


class FalsePositives(_SingleCountMetric):
    """Number of predictions above the threshold that are wrong.

    Args:
        thresholds: One probability, or a list for one count each; 0.5 if None.
        name, dtype: See `Metric`.

    Example:
        >>> float(FalsePositives()([0, 1, 0], [0.2, 0.7, 0.8]))
        1.0
    """

    count_name = "false_positives"


class TrueNegatives(_SingleCountMetric):
    """Number of predictions not above the threshold that are correct.

    Args:
        thresholds: One probability, or a list for one count each; 0.5 if None.
        name, dtype: See `Metric`.

    Example:
        >>> float(TrueNegatives()([0, 1, 0], [0.2, 0.7, 0.5]))
        2.0
    """

    count_name = "true_negatives"


class FalseNegatives(_SingleCountMetric):
    """Number of predictions not above the threshold that are wrong.

    Args:
        thresholds: One probability, or a list for one count each; 0.5 if None.
        name, dtype: See `Metric`.

    Example:
        >>> float(FalseNegatives()([0, 1, 1], [0.2, 0.7, 0.3]))
        1.0
    """

    count_name = "false_negatives"


class Precision(Metric):
    """Precision: the fraction of predicted positives that is correct. 0 if there is none.

    Args:
        thresholds: One probability, or a list for one precision each; 0.5 if None, and any score
            if `top_k` is given.
        top_k: Only the k highest scores of each row can be positive.
        class_id: Consider only one class, an entry of the last axis.
        name, dtype: See `Metric`.

    Raises:
        ValueError: If labels and predictions differ in shape: labels of several classes must be
            one-hot.

    Example:
        >>> float(Precision()([0, 1, 1, 1], [0.9, 0.7, 0.6, 0.8]))
        0.75
    """

    direction = "up"

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        self.thresholds = check_thresholds(
            thresholds, 0.5 if top_k is None else LOWEST_SCORE, self.name
        )
        shape = (len(self.thresholds),)
        self.true_positives = self.add_variable(shape=shape, name="true_positives")
        self.false_positives = self.add_variable(shape=shape, name="false_positives")

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        counts = confusion_counts(
            y_true,
            y_pred,
            self.thresholds,
            top_k=self.top_k,
            class_id=self.class_id,
            sample_weight=sample_weight,
            caller=self.name,
        )
        self.true_positives.assign_add(counts.true_positives)
        self.false_positives.assign_add(counts.false_positives)

    def result(self) -> jax.Array:
        true_positives, false_positives = self.true_positives.value, self.false_positives.value
        return _scalar_if_one(divide_no_nan(true_positives, true_positives + false_positives))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "thresholds": self.init_thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


class Recall(Metric):
    """Recall: the fraction of actual positives that was predicted. 0 if there is none.

    Args:
        thresholds: One probability, or a list for one recall each; 0.5 if None, and any score if
            `top_k` is given.
        top_k: Only the k highest scores of each row can be positive.
        class_id: Consider only one class, an entry of the last axis.
        name, dtype: See `Metric`.

    Raises:
        ValueError: If labels and predictions differ in shape: labels of several classes must be
            one-hot.

    Example:
        >>> float(Recall()([0, 1, 1, 1, 1], [0.9, 0.7, 0.6, 0.8, 0.3]))
        0.75
    """

    direction = "up"

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        self.thresholds = check_thresholds(
            thresholds, 0.5 if top_k is None else LOWEST_SCORE, self.name
        )
        shape = (len(self.thresholds),)
        self.true_positives = self.add_variable(shape=shape, name="true_positives")
        self.false_negatives = self.add_variable(shape=shape, name="false_negatives")

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        counts = confusion_counts(
            y_true,
            y_pred,
            self.thresholds,
            top_k=self.top_k,
            class_id=self.class_id,
            sample_weight=sample_weight,
            caller=self.name,
        )
        self.true_positives.assign_add(counts.true_positives)
        self.false_negatives.assign_add(counts.false_negatives)

    def result(self) -> jax.Array:
        true_positives, false_negatives = self.true_positives.value, self.false_negatives.value
        return _scalar_if_one(divide_no_nan(true_positives, true_positives + false_negatives))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "thresholds": self.init_thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


class ConfusionCountsMixin:
    """The four counts by name, for metrics that have them in `counts`."""

    counts: list[Variable]

    @property
    def true_positives(self) -> Variable:
        """Weighted number of true positives for each threshold."""
        return self._count(0)

    @property
    def false_positives(self) -> Variable:
        """Weighted number of false positives for each threshold."""
        return self._count(1)

    @property
    def true_negatives(self) -> Variable:
        """Weighted number of true negatives for each threshold."""
        return self._count(2)

    @property
    def false_negatives(self) -> Variable:
        """Weighted number of false negatives for each threshold."""
        return self._count(3)

    def _count(self, index: int) -> Variable:
        if not self.counts:
            raise AttributeError(
                f"{type(self).__name__} has no counts before the number of labels is known.\n"
                "  Fix: num_labels=…, or update_state() first."
            )
        return self.counts[index]


class _BestRateWithConstraint(ConfusionCountsMixin, Metric):
    """Base class of metrics for the best rate for which another rate reaches a given value."""

    direction = "up"

    def __init__(
        self,
        value: float,
        argument: str,
        num_thresholds: int,
        class_id: int | None,
        name: Any,
        dtype: DTypePolicyLike,
    ):
        super().__init__(name=name, dtype=dtype)
        if not (is_number(value) and 0 <= value <= 1):
            raise ValueError(
                f"{type(self).__name__} needs a {argument} from 0 to 1; received {value!r}."
            )
        if not is_number(num_thresholds) or num_thresholds <= 0:
            raise ValueError(
                f"{type(self).__name__} needs num_thresholds of 1 or more; "
                f"received {num_thresholds}."
            )
        self.value = value
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        self.thresholds = [0.5] if num_thresholds == 1 else even_thresholds(num_thresholds)
        self.counts = add_counts(self, (len(self.thresholds),))

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        counts = confusion_counts(
            y_true,
            y_pred,
            self.thresholds,
            class_id=self.class_id,
            sample_weight=sample_weight,
            caller=self.name,
        )
        for variable, count in zip(self.counts, counts, strict=True):
            variable.assign_add(count)

    def best_rate(self, dependent: jax.Array, constrained: jax.Array) -> jax.Array:
        """The highest `dependent` among thresholds where `constrained` reaches `value`, else 0.

        Args:
            dependent: The rate to maximise, one value per threshold.
            constrained: The rate with a minimum, one per threshold.

        Returns:
            A scalar.
        """
        return jnp.max(jnp.where(constrained >= self.value, dependent, 0), initial=0)

    @property
    def rates(self) -> "Rates":
        """The rates at every threshold, from the counts so far."""
        return Rates(Counts(*(v.value for v in self.counts)))


class SensitivityAtSpecificity(_BestRateWithConstraint):
    """The highest sensitivity (recall) at which the specificity is at least a given value.

    Args:
        specificity: Minimum specificity, 0 to 1.
        num_thresholds: Number of thresholds.
        class_id: Consider only one class, an entry of the last axis.
        name, dtype: See `Metric`.

    Example:
        >>> metric = SensitivityAtSpecificity(0.5)
        >>> float(metric([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]))
        0.5
    """

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(specificity, "specificity", num_thresholds, class_id, name, dtype)
        self.specificity = specificity

    def result(self) -> jax.Array:
        return self.best_rate(self.rates.recall, constrained=self.rates.specificity)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "specificity": self.specificity,
            "class_id": self.class_id,
        }


class SpecificityAtSensitivity(_BestRateWithConstraint):
    """The highest specificity at which the sensitivity (recall) is at least a given value.

    Args:
        sensitivity: Minimum sensitivity, 0 to 1.
        num_thresholds: Number of thresholds.
        class_id: Consider only one class, an entry of the last axis.
        name, dtype: See `Metric`.

    Example:
        >>> metric = SpecificityAtSensitivity(0.5)
        >>> round(float(metric([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8])), 4)
        0.6667
    """

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(sensitivity, "sensitivity", num_thresholds, class_id, name, dtype)
        self.sensitivity = sensitivity

    def result(self) -> jax.Array:
        return self.best_rate(self.rates.specificity, constrained=self.rates.recall)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "sensitivity": self.sensitivity,
            "class_id": self.class_id,
        }


class PrecisionAtRecall(_BestRateWithConstraint):
    """The highest precision at which the recall is at least a given value.

    Args:
        recall: Minimum recall, 0 to 1.
        num_thresholds: Number of thresholds.
        class_id: Consider only one class, an entry of the last axis.
        name, dtype: See `Metric`.

    Example:
        >>> metric = PrecisionAtRecall(0.5)
        >>> float(metric([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]))
        0.5
    """

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(recall, "recall", num_thresholds, class_id, name, dtype)
        self.recall = recall

    def result(self) -> jax.Array:
        return self.best_rate(self.rates.precision, constrained=self.rates.recall)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "recall": self.recall,
            "class_id": self.class_id,
        }


class RecallAtPrecision(_BestRateWithConstraint):
    """The highest recall at which the precision is at least a given value.

    Args:
        precision: Minimum precision, 0 to 1.
        num_thresholds: Number of thresholds.
        class_id: Consider only one class, an entry of the last axis.
        name, dtype: See `Metric`.

    Example:
        >>> metric = RecallAtPrecision(0.8)
        >>> float(metric([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]))
        0.5
    """

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(precision, "precision", num_thresholds, class_id, name, dtype)
        self.precision = precision

    def result(self) -> jax.Array:
        return self.best_rate(self.rates.recall, constrained=self.rates.precision)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "precision": self.precision,
            "class_id": self.class_id,
        }


class Rates:
    """Rates from the four counts; 0 instead of a division by 0."""

    def __init__(self, counts: Counts):
        self.counts = counts

    @property
    def recall(self) -> jax.Array:
        """The fraction of actual positives that was predicted; also called sensitivity."""
        true_positives = self.counts.true_positives
        return divide_no_nan(true_positives, true_positives + self.counts.false_negatives)

    @property
    def precision(self) -> jax.Array:
        """The fraction of predicted positives that is correct."""
        true_positives = self.counts.true_positives
        return divide_no_nan(true_positives, true_positives + self.counts.false_positives)

    @property
    def specificity(self) -> jax.Array:
        """The fraction of actual negatives that was predicted."""
        true_negatives = self.counts.true_negatives
        return divide_no_nan(true_negatives, true_negatives + self.counts.false_positives)

    @property
    def false_positive_rate(self) -> jax.Array:
        """The fraction of actual negatives that was predicted as positive."""
        false_positives = self.counts.false_positives
        return divide_no_nan(false_positives, false_positives + self.counts.true_negatives)


def add_counts(metric: Metric, shape: tuple) -> list[Variable]:
    """The Variables for the four counts, in the order of `Counts`."""
    return [metric.add_variable(shape=shape, name=name) for name in Counts._fields]


def _scalar_if_one(values: jax.Array) -> jax.Array:
    return values[0] if len(values) == 1 else values
