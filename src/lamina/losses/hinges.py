"""Hinge losses, for scores with a margin of 1.

Each function returns one value per sample; each class adds weights, masks and reduction (`Loss`).
The metrics of the same names use the same functions.
"""

import jax
import jax.numpy as jnp

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import ArrayLike, DTypePolicyLike
from lamina.losses.loss import Loss
from lamina.losses.shapes import align


@filter_traceback
def hinge(y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
    """Zero if the sign is correct with a margin of 1, as in support vector machines.

    `mean(max(1 - y_true · y_pred, 0))` over the last axis.

    Args:
        y_true: Labels -1 and 1; if all labels are 0 or 1, zeros mean -1. `(batch, …, outputs)`.
        y_pred: Scores of any size, same shape.

    Returns:
        One loss per sample, `(batch, ...)`.

    Example:
        >>> hinge([[1.0], [0.0]], [[0.5], [-3.0]]).tolist()
        [0.5, 0.0]
    """
    return jnp.mean(_hinge_terms(y_true, y_pred, "hinge"), axis=-1)


@filter_traceback
def squared_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
    """The square of each term of `hinge`, mean over the last axis.

    Args:
        y_true: Targets -1 or 1, or 0 or 1, `(batch, ..., outputs)`.
        y_pred: Predictions, same shape.

    Returns:
        One loss per sample, `(batch, ...)`.

    Raises:
        ValueError: If the shapes do not fit.

    Example:
        >>> squared_hinge([[1.0], [0.0]], [[0.5], [-3.0]]).tolist()
        [0.25, 0.0]
    """
    return jnp.mean(jnp.square(_hinge_terms(y_true, y_pred, "squared_hinge")), axis=-1)


@filter_traceback
def categorical_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
    """Zero if the correct class scores higher than every other by a margin of 1.

    `max(highest wrong score - correct score + 1, 0)`, where the correct class is part of the
    maximum with a score of 0, as in Keras.

    Args:
        y_true: One-hot labels, `(batch, …, classes)`.
        y_pred: Scores of any size, same shape.

    Returns:
        One loss per sample, `(batch, ...)`.

    Example:
        >>> categorical_hinge([[0.0, 1.0]], [[0.5, 0.75]]).tolist()
        [0.75]
    """
    y_true, y_pred = align(y_true, y_pred, "categorical_hinge")
    correct_score = jnp.sum(y_true * y_pred, axis=-1)
    highest_wrong_score = jnp.max((1.0 - y_true) * y_pred, axis=-1)
    return jnp.maximum(highest_wrong_score - correct_score + 1.0, 0.0)


class Hinge(Loss):
    """Zero if the sign is correct with a margin of 1; see `hinge`.

    Args:
        reduction, name, dtype: See `Loss`.

    Example:
        >>> float(Hinge()([[1.0], [0.0]], [[0.5], [-3.0]]))
        0.25
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "hinge",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return hinge(y_true, y_pred)


class SquaredHinge(Loss):
    """The hinge loss with squared terms; see `squared_hinge`.

    Args:
        reduction, name, dtype: See `Loss`.

    Example:
        >>> float(SquaredHinge()([[1.0], [0.0]], [[0.5], [-3.0]]))
        0.125
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "squared_hinge",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return squared_hinge(y_true, y_pred)


class CategoricalHinge(Loss):
    """Zero if the correct class leads by a margin of 1; see `categorical_hinge`.

    Args:
        reduction, name, dtype: See `Loss`.

    Example:
        >>> float(CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.75]]))
        0.75
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_hinge",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return categorical_hinge(y_true, y_pred)


def _hinge_terms(y_true: ArrayLike, y_pred: ArrayLike, caller: str) -> jax.Array:
    y_true, y_pred = align(y_true, y_pred, caller)
    only_zeros_and_ones = jnp.all((y_true == 0) | (y_true == 1))
    signs = jnp.where(only_zeros_and_ones, 2.0 * y_true - 1.0, y_true)
    return jnp.maximum(1.0 - signs * y_pred, 0.0)
