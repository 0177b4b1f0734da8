"""F-scores, which combine precision and recall."""

import numbers
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.configuration import config
from lamina.core.types import ArrayLike, DTypePolicyLike
from lamina.losses.shapes import align, match_weight, to_array
from lamina.metrics.metric import Metric

_AVERAGES = (None, "micro", "macro", "weighted")


class FBetaScore(Metric):
    """Weighted harmonic mean of precision and recall.

    `(1 + beta²) · precision · recall / (beta² · precision + recall)`

    Args:
        average: None for one score per class, `"macro"` for their mean, `"weighted"` for their
            mean by frequency, `"micro"` for the score of all counts together.
        beta: Weight of recall relative to precision.
        threshold: Probability above which a prediction is positive; with None, only the highest
            score of each row is.
        name, dtype: See `Metric`.

    Raises:
        ValueError: If labels and predictions are not both `(batch, classes)`.

    Example:
        >>> metric = FBetaScore(average="macro", beta=2.0, threshold=0.5)
        >>> metric.update_state([[1, 1], [1, 0]], [[0.9, 0.8], [0.7, 0.1]])
        >>> round(float(metric.result()), 4)
        1.0
    """

    direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, dtype=dtype)
        if average not in _AVERAGES:
            raise ValueError(
                f"{type(self).__name__}'s average must be one of {_AVERAGES}; received {average!r}."
            )
        if not _is_number(beta) or beta <= 0:
            raise ValueError(f"{type(self).__name__} needs a beta above 0; received {beta!r}.")
        if threshold is not None and not (_is_number(threshold) and 0 < threshold <= 1):
            raise ValueError(
                f"{type(self).__name__}'s threshold is a probability above 0; "
                f"received {threshold!r}."
            )
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self._built = False

    def build(self, y_true_shape: tuple, y_pred_shape: tuple) -> None:
        if self._built:
            return
        if len(y_pred_shape) != 2 or y_pred_shape[-1] is None:
            raise ValueError(
                f"{type(self).__name__} needs labels and predictions of shape (batch, classes).\n"
                f"  Received: y_true of shape {y_true_shape}, y_pred of shape {y_pred_shape}.\n"
                f"  Fix: reshape both, e.g. y.reshape(-1, {(*y_pred_shape, 1)[1:][-1]})."
            )
        shape = () if self.average == "micro" else (y_pred_shape[-1],)
        self.true_positives, self.false_positives, self.false_negatives, self.frequencies = (
            self.add_variable(shape=shape, dtype=self.dtype, name=name)
            for name in (
                "true_positives",
                "false_positives",
                "false_negatives",
                "intermediate_weights",
            )
        )
        self._built = True

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        y_true, y_pred = align(y_true, y_pred, self.name)
        self.build(y_true.shape, y_pred.shape)
        y_true = y_true.astype(self.dtype)
        if self.threshold is None:
            highest = jnp.max(y_pred, axis=-1, keepdims=True)
            # A row of zeros has no positive.
            predicted = (y_pred >= highest) & (jnp.abs(y_pred) > 1e-9)
        else:
            predicted = y_pred > self.threshold
        predicted = predicted.astype(self.dtype)
        weight = jnp.ones((), self.dtype)
        if sample_weight is not None:
            weight = to_array(sample_weight, "sample_weight", self.name, self.dtype)
            weight = match_weight(weight, y_true.shape, self.name)

        def total(values: jax.Array) -> jax.Array:
            return jnp.sum(values * weight, axis=None if self.average == "micro" else 0)

        self.true_positives.assign_add(total(predicted * y_true))
        self.false_positives.assign_add(total(predicted * (1 - y_true)))
        self.false_negatives.assign_add(total((1 - predicted) * y_true))
        self.frequencies.assign_add(total(y_true))

    def result(self) -> jax.Array:
        if not self._built:
            return jnp.zeros((), self.dtype)
        epsilon, squared = config.epsilon(), self.beta**2
        true_positives = self.true_positives.value
        precision = true_positives / (true_positives + self.false_positives.value + epsilon)
        recall = true_positives / (true_positives + self.false_negatives.value + epsilon)
        scores = (1 + squared) * precision * recall / (squared * precision + recall + epsilon)
        if self.average == "weighted":
            frequencies = self.frequencies.value
            return jnp.sum(scores * frequencies / (jnp.sum(frequencies) + epsilon))
        return scores if self.average is None else jnp.mean(scores)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "average": self.average,
            "beta": self.beta,
            "threshold": self.threshold,
        }


class F1Score(FBetaScore):
    """Harmonic mean of precision and recall.

    Args:
        average, threshold, name, dtype: See `FBetaScore`.

    Example:
        >>> metric = F1Score(average="micro", threshold=0.5)
        >>> metric.update_state([[1, 1], [1, 0]], [[0.9, 0.2], [0.7, 0.1]])
        >>> round(float(metric.result()), 4)
        0.8
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)

    def get_config(self) -> dict:
        config = super().get_config()
        del config["beta"]
        return config


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
