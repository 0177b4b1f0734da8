"""Accuracies: the fraction of correct predictions, from 0 to 1.

Each function returns 0 or 1 per prediction, each class the mean over all samples. `"accuracy"` in
`compile` selects one of them by the shapes, see `resolve_metric`.
"""

import jax
import jax.numpy as jnp

from lamina.core.configuration import config
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import ArrayLike, DTypePolicyLike
from lamina.losses.shapes import align_labels, same_shape
from lamina.metrics.reduction import MeanMetric
from lamina.ops.crossentropy import value_at_label_or_zero


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
    """1 where prediction and target are equal, number by number.

    Args:
        y_true: Targets of any shape.
        y_pred: Predictions, same shape.

    Raises:
        ValueError: If the shapes differ in more than a last axis of size 1.

    Example:
        >>> accuracy([1, 2, 3], [1, 2, 4]).tolist()
        [1.0, 1.0, 0.0]
    """
    y_true, y_pred = same_shape(y_true, y_pred, "accuracy")
    return _as_number(y_true == y_pred)


@filter_traceback
def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> jax.Array:
    """1 where a binary prediction is correct; above the threshold is positive.

    Args:
        y_true: Labels 0 and 1, `(batch, …)`.
        y_pred: Probabilities of the positive class, same shape.
        threshold: Probability; for logits it is 0.

    Returns:
        Floats 0 and 1, of the shape of the predictions.

    Raises:
        ValueError: If the shapes differ in more than a last axis of size 1.

    Example:
        >>> binary_accuracy([1, 0, 1], [0.9, 0.2, 0.5]).tolist()
        [1.0, 1.0, 0.0]
    """
    y_true, y_pred = same_shape(y_true, y_pred, "binary_accuracy")
    return _as_number(y_true == (y_pred > threshold).astype(y_true.dtype))


@filter_traceback
def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
    """1 where the class with the highest score is the one of the one-hot label.

    Args:
        y_true: One-hot labels, `(batch, …, classes)`.
        y_pred: Probabilities or logits, same shape.

    Returns:
        One number per sample, `(batch, …)`.

    Raises:
        ValueError: If the shapes differ, e.g. because the labels are integers.

    Example:
        >>> categorical_accuracy([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]]).tolist()
        [1.0, 0.0]
    """
    y_true, y_pred = same_shape(y_true, y_pred, "categorical_accuracy")
    return _as_number(highest_class(y_true) == highest_class(y_pred))


@filter_traceback
def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
    """1 where the class with the highest score is the label.

    Args:
        y_true: Integer labels, `(batch, …)` or `(batch, …, 1)`.
        y_pred: Probabilities or logits, `(batch, …, classes)`.

    Returns:
        One number per sample, `(batch, …)`.

    Raises:
        ValueError: If the shapes don't fit, e.g. because the labels are one-hot.

    Example:
        >>> sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.2, 0.8]]).tolist()
        [1.0, 0.0]
    """
    labels, y_pred = align_labels(y_true, y_pred, "sparse_categorical_accuracy")
    matches = _as_number(labels == highest_class(y_pred))
    return matches[..., 0] if matches.ndim > 1 and matches.shape[-1] == 1 else matches


@filter_traceback
def top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> jax.Array:
    """1 where the class of the one-hot label is among the k with the highest scores.

    Args:
        y_true: One-hot labels, `(batch, …, classes)`.
        y_pred: Probabilities or logits, same shape.
        k: Number of highest-scoring classes that are considered; ties with the last of them count,
            too.

    Returns:
        Floats 0 and 1, `(batch, ...)`, one for every sample.

    Example:
        >>> top_k_categorical_accuracy([[0, 0, 1]], [[0.6, 0.1, 0.3]], k=2).tolist()
        [1.0]
    """
    y_true, y_pred = same_shape(y_true, y_pred, "top_k_categorical_accuracy")
    return _as_number(_is_in_top_k(highest_class(y_true), y_pred, k))


@filter_traceback
def sparse_top_k_categorical_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, k: int = 5, from_sorted_ids: bool = False
) -> jax.Array:
    """1 where the label is among the k classes with the highest scores.

    Args:
        y_true: Integer labels, `(batch, …)`.
        y_pred: Probabilities or logits, `(batch, …, classes)`.
        k: Number of highest-scoring classes that are considered; ties with the last of them count,
            too.
        from_sorted_ids: Whether `y_pred` has class indices, best first, instead of scores.

    Returns:
        Floats 0 and 1, `(batch, ...)`, one for every sample.

    Example:
        >>> sparse_top_k_categorical_accuracy([2], [[0.6, 0.1, 0.3]], k=2).tolist()
        [1.0]
    """
    labels, y_pred = align_labels(y_true, y_pred, "sparse_top_k_categorical_accuracy")
    if from_sorted_ids:
        return _as_number(jnp.any(labels[..., None] == y_pred[..., :k], axis=-1))
    return _as_number(_is_in_top_k(labels, y_pred, k))


def highest_class(scores: jax.Array) -> jax.Array:
    """Index of the class with the highest score, the first of several equal ones.

    Like argmax, but by two reductions, because on a CPU XLA compiles argmax to a slow scalar loop
    (docs/performance.md, `argmax-by-reductions`).
    For a row with a NaN it is the number of classes, which no class has.

    Example:
        >>> highest_class(jnp.array([[0.2, 0.4, 0.4]])).tolist()
        [1]
    """
    classes = jax.lax.broadcasted_iota("int32", scores.shape, scores.ndim - 1)
    highest = jnp.max(scores, axis=-1, keepdims=True)
    return jnp.min(jnp.where(scores == highest, classes, scores.shape[-1]), axis=-1)


class Accuracy(MeanMetric):
    """Fraction of samples for which predictions equal targets, number by number; see `accuracy`.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> float(Accuracy()([1, 2, 3, 4], [1, 2, 3, 5]))
        0.75
    """

    direction = "up"

    def __init__(self, name: str | None = "accuracy", dtype: DTypePolicyLike = None):
        super().__init__(name=name, dtype=dtype)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return accuracy(y_true, y_pred)


class BinaryAccuracy(MeanMetric):
    """Fraction of samples for which binary predictions are right; see `binary_accuracy`.

    Args:
        name, dtype: See `Metric`.
        threshold: Probability above which a prediction is positive; for logits it is 0.

    Example:
        >>> float(BinaryAccuracy()([[1], [0]], [[0.9], [0.8]]))
        0.5
    """

    direction = "up"

    def __init__(
        self,
        name: str | None = "binary_accuracy",
        dtype: DTypePolicyLike = None,
        threshold: float = 0.5,
    ):
        super().__init__(name=name, dtype=dtype)
        self.threshold = threshold

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return binary_accuracy(y_true, y_pred, self.threshold)

    def get_config(self) -> dict:
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(MeanMetric):
    """Fraction of samples whose highest score is at the one-hot label.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> float(CategoricalAccuracy()([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]]))
        0.5
    """

    direction = "up"

    def __init__(self, name: str | None = "categorical_accuracy", dtype: DTypePolicyLike = None):
        super().__init__(name=name, dtype=dtype)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return categorical_accuracy(y_true, y_pred)


class SparseCategoricalAccuracy(MeanMetric):
    """Fraction of samples whose highest score is at the integer label.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> float(SparseCategoricalAccuracy()([1, 0], [[0.1, 0.9], [0.2, 0.8]]))
        0.5
    """

    direction = "up"

    def __init__(
        self, name: str | None = "sparse_categorical_accuracy", dtype: DTypePolicyLike = None
    ):
        super().__init__(name=name, dtype=dtype)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return sparse_categorical_accuracy(y_true, y_pred)


class TopKCategoricalAccuracy(MeanMetric):
    """Fraction of samples whose one-hot label is among the k highest scores.

    Args:
        k: Number of highest-scoring classes that are considered.
        name, dtype: See `Metric`.

    Example:
        >>> float(TopKCategoricalAccuracy(k=2)([[0, 0, 1]], [[0.6, 0.1, 0.3]]))
        1.0
    """

    direction = "up"

    def __init__(
        self,
        k: int = 5,
        name: str | None = "top_k_categorical_accuracy",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.k = k

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return top_k_categorical_accuracy(y_true, y_pred, self.k)

    def get_config(self) -> dict:
        return {**super().get_config(), "k": self.k}


class SparseTopKCategoricalAccuracy(MeanMetric):
    """Fraction of samples whose label is among the k highest scores.

    Args:
        k: Number of highest-scoring classes that are considered.
        name, dtype: See `Metric`.
        from_sorted_ids: Whether predictions are class indices, best first, instead of scores.

    Example:
        >>> float(SparseTopKCategoricalAccuracy(k=2)([2], [[0.6, 0.1, 0.3]]))
        1.0
    """

    direction = "up"

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: DTypePolicyLike = None,
        from_sorted_ids: bool = False,
    ):
        super().__init__(name=name, dtype=dtype)
        self.k = k
        self.from_sorted_ids = from_sorted_ids

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return sparse_top_k_categorical_accuracy(y_true, y_pred, self.k, self.from_sorted_ids)

    def get_config(self) -> dict:
        extra = {"from_sorted_ids": True} if self.from_sorted_ids else {}
        return {**super().get_config(), "k": self.k, **extra}


def _as_number(matches: jax.Array) -> jax.Array:
    return matches.astype(config.floatx())


def _is_in_top_k(labels: jax.Array, scores: jax.Array, k: int) -> jax.Array:
    # Counting the higher scores needs no sorting. NaN does not count as high.
    target_scores = value_at_label_or_zero(scores, labels)[..., None]
    target_scores = jnp.where(jnp.isnan(target_scores), -jnp.inf, target_scores)
    return jnp.sum(scores > target_scores, axis=-1) < k
