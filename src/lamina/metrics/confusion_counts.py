"""The four counts of a confusion matrix: true and false positives and negatives."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration import config
from lamina.core.types import ArrayLike
from lamina.core.user_data.arguments import is_number
from lamina.losses.shapes import match_weight, same_shape, to_array

# Less than any score. Scores that are not among the top k are replaced by it, so they are never
# positive.
LOWEST_SCORE = -1e10


class Counts(NamedTuple):
    """Weighted numbers of predictions, `(thresholds,)` or `(thresholds, labels)`."""

    true_positives: jax.Array
    false_positives: jax.Array
    true_negatives: jax.Array
    false_negatives: jax.Array


def confusion_counts(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    thresholds: Sequence[float],
    *,
    caller: str,
    sample_weight: ArrayLike | None = None,
    label_weights: Any = None,
    top_k: int | None = None,
    class_id: int | None = None,
    multi_label: bool = False,
    dtype: str = "float32",
) -> Counts:
    """Count correct and wrong predictions; a score above a threshold is positive.

    Args:
        y_true: Labels, 0 for negative, anything else for positive, `(batch, …)`.
        y_pred: Scores, same shape.
        thresholds: Thresholds; each count has one entry per threshold.
        caller: The calling metric, for messages.
        sample_weight: One weight per sample or per prediction.
        label_weights: One weight per entry of the last axis.
        top_k: Only the k highest scores of each row can be positive.
        class_id: Consider only one entry of the last axis.
        multi_label: Whether labels are counted separately, `(batch, labels)`.
        dtype: Float type of the counts.

    Example:
        >>> counts = confusion_counts([0, 1, 1], [0.2, 0.7, 0.3], [0.5], caller="demo")
        >>> [float(count[0]) for count in counts]
        [1.0, 0.0, 1.0, 1.0]
    """
    y_true, y_pred = same_shape(y_true, y_pred, caller)
    y_pred = y_pred.astype(dtype)
    weight = _weights(y_pred.shape, sample_weight, label_weights, caller, dtype)
    if top_k is not None:
        y_pred = _only_top_k(y_pred, top_k)
    if class_id is not None:
        if y_pred.ndim < 2 or not -y_pred.shape[-1] <= class_id < y_pred.shape[-1]:
            raise ValueError(
                f"{caller} has class_id={class_id} and received predictions of shape "
                f"{y_pred.shape}.\n  Fix: class_id must be below the size of the last axis."
            )
        y_true, y_pred, weight = (a[..., class_id] for a in (y_true, y_pred, weight))
    if not multi_label:
        y_true, y_pred, weight = y_true.ravel(), y_pred.ravel(), weight.ravel()
    positives = jnp.where(y_true != 0, weight, 0)
    negatives = jnp.where(y_true != 0, 0, weight)
    count = _count_by_bucket if are_evenly_spaced(thresholds) else _count_by_comparison
    true_positives, false_positives = count(y_pred, positives, negatives, thresholds)
    return Counts(
        true_positives=true_positives,
        false_positives=false_positives,
        true_negatives=jnp.sum(negatives, axis=0, keepdims=True) - false_positives,
        false_negatives=jnp.sum(positives, axis=0, keepdims=True) - true_positives,
    )


def check_thresholds(
    thresholds: float | Sequence[float] | None, default: float, caller: str
) -> list[float]:
    """Thresholds as a list: the default for None, one number as a list of one.

    Raises:
        ValueError: If one lies outside 0 to 1.

    Example:
        >>> check_thresholds(0.3, default=0.5, caller="demo")
        [0.3]
    """
    if thresholds is None:
        return [default]
    threshold_list: list[Any] = (
        list(thresholds) if isinstance(thresholds, (list, tuple, np.ndarray)) else [thresholds]
    )
    invalid = [t for t in threshold_list if not (is_number(t) and 0 <= t <= 1)]
    if invalid:
        raise ValueError(
            f"{caller} needs thresholds from 0 to 1, as predictions are probabilities; "
            f"received {invalid}.\n"
            "  Fix: for logits, end the model in a sigmoid or softmax."
        )
    return threshold_list


_MAX_THRESHOLDS = 100_000


def even_thresholds(count: int) -> list[float]:
    """Numbers from 0 to 1 in equal steps.

    Example:
        >>> even_thresholds(3)
        [0.0, 0.5, 1.0]
    """
    if count > _MAX_THRESHOLDS:  # the count may come from a model file
        raise ValueError(f"num_thresholds must be {_MAX_THRESHOLDS:,} or less; received {count:,}.")
    return [0.0, *((i + 1) * 1.0 / (count - 1) for i in range(count - 2)), 1.0]


def are_evenly_spaced(thresholds: Sequence[float]) -> bool:
    """Whether three or more thresholds go from 0 to 1 in equal steps, up to an epsilon."""
    if len(thresholds) < 3:
        return False
    even = np.arange(len(thresholds), dtype="float32") / (len(thresholds) - 1)
    return np.allclose(thresholds, even, atol=config.epsilon())


def _count_by_comparison(
    y_pred: jax.Array, positives: jax.Array, negatives: jax.Array, thresholds: Sequence[float]
) -> tuple[jax.Array, jax.Array]:
    threshold_array = jnp.asarray(np.asarray(thresholds), y_pred.dtype)
    above = y_pred[None] > threshold_array.reshape(-1, *(1,) * y_pred.ndim)
    true_positives, false_positives = (
        jnp.where(above, positives[None], 0),
        jnp.where(above, negatives[None], 0),
    )
    return jnp.sum(true_positives, axis=1), jnp.sum(false_positives, axis=1)


def _count_by_bucket(
    y_pred: jax.Array, positives: jax.Array, negatives: jax.Array, thresholds: Sequence[float]
) -> tuple[jax.Array, jax.Array]:
    """Counts by a histogram and its cumulative sum, whose cost depends little on the thresholds.

    Figures: docs/performance.md, `auc-by-buckets`.
    """
    threshold_count = len(thresholds)
    # The number of thresholds that a prediction exceeds. A first threshold just below 0, as in AUC,
    # is exceeded by all predictions, a first threshold of 0 only by those above it.
    exceeded_thresholds = jnp.ceil(jnp.clip(y_pred, 0.0, 1.0) * (threshold_count - 1)).astype(
        "int32"
    )
    if thresholds[0] < 0:
        exceeded_thresholds = jnp.maximum(exceeded_thresholds, 1)
    labels = (jnp.arange(y_pred.shape[1])[None],) if y_pred.ndim == 2 else ()
    histogram = jnp.zeros((threshold_count + 1, *y_pred.shape[1:], 2), y_pred.dtype)
    histogram = histogram.at[(exceeded_thresholds, *labels)].add(
        jnp.stack([positives, negatives], axis=-1)
    )
    counts_above = jax.lax.cumsum(histogram, axis=0, reverse=True)[1:]
    return counts_above[..., 0], counts_above[..., 1]


def _weights(
    shape: tuple, sample_weight: ArrayLike | None, label_weights: Any, caller: str, dtype: str
) -> jax.Array:
    weight = jnp.ones((), dtype)
    if sample_weight is not None:
        weight = match_weight(
            to_array(sample_weight, "sample_weight", caller, dtype), shape, caller
        )
    if label_weights is not None:
        weight = weight * to_array(label_weights, "label_weights", caller, dtype)
    return jnp.broadcast_to(weight, shape)


def _only_top_k(scores: jax.Array, k: int) -> jax.Array:
    _, top_indices = jax.lax.top_k(scores, k)
    is_in_top_k = jnp.any(jax.nn.one_hot(top_indices, scores.shape[-1], dtype="bool"), axis=-2)
    return jnp.where(is_in_top_k, scores, LOWEST_SCORE)
