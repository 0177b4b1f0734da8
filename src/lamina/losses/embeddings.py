"""Losses for embeddings: similar for samples of one class, dissimilar for others."""

from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import ArrayLike, DTypePolicyLike
from lamina.losses.loss import Loss
from lamina.losses.shapes import to_array


@filter_traceback
def circle(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    ref_labels: ArrayLike | None = None,
    ref_embeddings: ArrayLike | None = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> jax.Array:
    """Circle loss: compares every embedding of a batch with every other.

    With distances `d = max(1 - cosine, 0)`:
    `softplus(logsumexp(gamma · (margin + d) · (d - margin))` over the same class
    `+ logsumexp(gamma · max(1 + margin - d, 0) · (1 - margin - d)))` over all others.

    Args:
        y_true: Class labels, integers, `(batch,)` or `(batch, 1)`.
        y_pred: Embeddings of length 1, `(batch, features)`.
        ref_labels: Labels of the reference embeddings; `y_true` if None.
        ref_embeddings: The reference embeddings, `(references, features)`; `y_pred` if None.
        remove_diagonal: Exclude the comparison of each embedding with itself.
        gamma: Scale of the similarities; larger values emphasise hard pairs.
        margin: Margin of the similarities.

    Returns:
        One value per embedding, `(batch,)`; 0 if its class, or every other, has no reference.

    Raises:
        ValueError: If the shapes don't fit together.

    Source: Sun et al., 2020, "Circle Loss: A Unified Perspective of Pair Similarity
    Optimization", arXiv:2002.10857.

    Example:
        >>> loss = circle([0, 0, 1], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> [round(float(value), 3) for value in loss]
        [0.0, 0.0, 0.0]
    """
    labels, embeddings = _pair(y_true, y_pred, "y_true", "y_pred")
    reference_labels, references = labels, embeddings
    if ref_labels is not None or ref_embeddings is not None:
        reference_labels, references = _pair(
            labels if ref_labels is None else ref_labels,
            embeddings if ref_embeddings is None else ref_embeddings,
            "ref_labels",
            "ref_embeddings",
        )
    distances = jnp.maximum(1 - embeddings @ references.T, 0)
    is_same_class = labels[:, None] == reference_labels[None]
    is_positive = (
        is_same_class & ~jnp.eye(len(labels), len(reference_labels), dtype=bool)
        if remove_diagonal
        else is_same_class
    )
    similar = gamma * (margin + distances) * (distances - margin)
    dissimilar = gamma * jnp.maximum(1 + margin - distances, 0) * (1 - margin - distances)

    def hardest(values: jax.Array, mask: jax.Array) -> jax.Array:
        return jax.nn.logsumexp(jnp.where(mask, values, -jnp.inf), axis=1)

    return jax.nn.softplus(hardest(similar, is_positive) + hardest(dissimilar, ~is_same_class))


class Circle(Loss):
    """Circle loss, for models that output embeddings, e.g. of faces; see `circle`.

    The model should end in a `Dense` layer without activation and a `UnitNormalization`.
    Embeddings whose loss is 0 don't count in the mean.

    Args:
        gamma: Scale of the similarities; larger values emphasise hard pairs.
        margin: Margin of the similarities.
        remove_diagonal: Exclude the comparison of each embedding with itself.
        reduction, name, dtype: See `Loss`.

    Example:
        >>> round(float(Circle()([0, 1], [[1.0, 0.0], [0.8, 0.6]])), 4)
        0.0
    """

    has_integer_labels = True
    is_sample_mean = False

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.gamma = gamma
        self.margin = margin
        self.remove_diagonal = remove_diagonal

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return circle(
            y_true,
            y_pred,
            remove_diagonal=self.remove_diagonal,
            gamma=self.gamma,
            margin=self.margin,
        )

    def compute_mask(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return self.call(y_true, y_pred) > 0

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "gamma": self.gamma,
            "margin": self.margin,
            "remove_diagonal": self.remove_diagonal,
        }


def _pair(labels: Any, embeddings: Any, *names: str) -> tuple[jax.Array, jax.Array]:
    labels = to_array(labels, names[0], "circle", "int32")
    embeddings = to_array(embeddings, names[1], "circle")
    if embeddings.ndim != 2 or labels.size != len(embeddings):
        raise ValueError(
            "circle needs one label for each embedding.\n"
            f"  Received: {names[0]} of shape {labels.shape}, {names[1]} of shape "
            f"{embeddings.shape}; (batch,) and (batch, features) would fit."
        )
    return labels.reshape(-1), embeddings
