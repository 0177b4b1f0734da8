"""Metrics of predicted probabilities. The functions are those of the losses of these names."""

from typing import Any

import jax

from lamina.core.layer import masking
from lamina.core.types import ArrayLike, DTypePolicyLike
from lamina.losses import classification, regression
from lamina.losses.shapes import align_labels
from lamina.metrics.reduction import MeanMetric, apply_mask_to_weight


class BinaryCrossentropy(MeanMetric):
    """Mean cross-entropy of binary labels, in nats.

    Args:
        name, dtype: See `Metric`.
        from_logits: Whether predictions are logits, before the sigmoid.
        label_smoothing: Fraction 0 to 1 by which labels are moved towards 0.5.

    Example:
        >>> round(float(BinaryCrossentropy()([[1.0]], [[0.5]])), 4)
        0.6931
    """

    direction = "down"

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: DTypePolicyLike = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ):
        super().__init__(name=name, dtype=dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return classification.binary_crossentropy(
            y_true, y_pred, self.from_logits, self.label_smoothing
        )

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
        }


class CategoricalCrossentropy(MeanMetric):
    """Mean cross-entropy of one-hot labels, in nats.

    Args:
        name, dtype: See `Metric`.
        from_logits: Whether predictions are logits, before the softmax.
        label_smoothing: Fraction 0 to 1 of the label that is spread evenly over the classes.
        axis: The axis of the classes.

    Example:
        >>> round(float(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931
    """

    direction = "down"

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: DTypePolicyLike = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ):
        super().__init__(name=name, dtype=dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return classification.categorical_crossentropy(
            y_true, y_pred, self.from_logits, self.label_smoothing, self.axis
        )

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": self.axis,
        }


class SparseCategoricalCrossentropy(MeanMetric):
    """Mean cross-entropy of integer labels, in nats.

    Args:
        name, dtype: See `Metric`.
        from_logits: Whether predictions are logits, before the softmax.
        ignore_class: A label whose samples have a cross-entropy of 0. As in Keras, they are part of
            the number of samples in the mean, unless sample weights are given; in the loss of
            this name they are not.
        axis: The axis of the classes.

    Example:
        >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
        0.6931
    """

    direction = "down"

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: DTypePolicyLike = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        super().__init__(name=name, dtype=dtype)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return classification.sparse_categorical_crossentropy(
            y_true, y_pred, self.from_logits, self.ignore_class, self.axis
        )

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        if sample_weight is not None or masking.get_mask(y_pred) is not None:
            sample_weight = self._zero_ignored_weights(y_true, y_pred, sample_weight)
        super().update_state(y_true, y_pred, sample_weight)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "ignore_class": self.ignore_class,
            "axis": self.axis,
        }

    def _zero_ignored_weights(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None
    ) -> Any:
        if self.ignore_class is None:
            return sample_weight
        labels, _ = align_labels(y_true, y_pred, "sparse_categorical_crossentropy", self.axis)
        return apply_mask_to_weight(
            sample_weight, labels != self.ignore_class, self.dtype, self.name
        )


class KLDivergence(MeanMetric):
    """Mean Kullback-Leibler divergence of predicted from true distributions, in nats.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> round(float(KLDivergence()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931
    """

    direction = "down"

    def __init__(self, name: str | None = "kl_divergence", dtype: DTypePolicyLike = None):
        super().__init__(name=name, dtype=dtype)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return classification.kl_divergence(y_true, y_pred)


class Poisson(MeanMetric):
    """Mean negative log-likelihood of counts whose expected values are predicted.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> float(Poisson()([[2.0]], [[1.0]]))
        0.9999997615814209
    """

    direction = "down"

    def __init__(self, name: str | None = "poisson", dtype: DTypePolicyLike = None):
        super().__init__(name=name, dtype=dtype)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return regression.poisson(y_true, y_pred)
