"""Overlap losses, as in segmentation: Dice and Tversky."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.configuration import config
from lamina.core.layer import masking
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import ArrayLike, DTypePolicyLike, Outputs, Targets
from lamina.losses.loss import Loss
from lamina.losses.shapes import align, same_shape


@filter_traceback
def dice(y_true: Any, y_pred: Any, axis: int | Sequence[int] | None = None) -> jax.Array:
    """Dice loss: 0 if two areas are equal, 1 if they do not overlap.

    `1 - 2 · sum(y_true · y_pred) / (sum(y_true) + sum(y_pred))`.

    Args:
        y_true: 1 inside the area, else 0, `(batch, …)`.
        y_pred: Probabilities of being inside, same shape.
        axis: Axes to sum over, such as `(1, 2, 3)` for one value per image. None for
            all, so that a batch has one value.

    Returns:
        Fractions from 0 to 1, in the shape of the other axes.

    Raises:
        ValueError: If the shapes differ in more than a last axis of size 1.

    Source: Milletari, Navab and Ahmadi, 2016, "V-Net", arXiv:1606.04797.

    Example:
        >>> round(float(dice([[1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])), 4)
        0.3333
    """
    y_true, y_pred = align(y_true, y_pred, "dice")
    axis = _as_axes(axis)
    intersection = jnp.sum(y_true * y_pred, axis=axis)
    sizes = jnp.sum(y_true, axis=axis) + jnp.sum(y_pred, axis=axis)
    return 1 - 2.0 * intersection / (sizes + config.epsilon())


@filter_traceback
def tversky(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: int | Sequence[int] | None = None,
) -> jax.Array:
    """Tversky loss: `dice` with separate weights of false negatives and false positives.

    `1 - intersection / (intersection + alpha · false_negatives + beta · false_positives)`, where
    `intersection` is `sum(y_true · y_pred)`, `false_negatives` is `sum(y_true · (1 - y_pred))` and
    `false_positives` is `sum((1 - y_true) · y_pred)`. With weights of 0.5 it is `dice`. In the
    paper, and in Keras's documentation, alpha is the weight of false positives; Keras computes as
    written here.

    Args:
        y_true: 1 inside the area, else 0, `(batch, …)`.
        y_pred: Probabilities of being inside, same shape.
        alpha: Weight of false negatives.
        beta: Weight of false positives.
        axis: Axes to sum over; None for all.

    Returns:
        Fractions from 0 to 1, in the shape of the other axes.

    Raises:
        ValueError: If the shapes differ in more than a last axis of size 1.

    Source: Salehi, Erdogmus and Gholipour, 2017, "Tversky loss function for image segmentation",
    arXiv:1706.05721.

    Example:
        >>> round(float(tversky([[1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]], alpha=1.0)), 4)
        0.5
    """
    y_true, y_pred = align(y_true, y_pred, "tversky")
    axis = _as_axes(axis)
    intersection = jnp.sum(y_true * y_pred, axis=axis)
    false_negatives = jnp.sum(y_true * (1 - y_pred), axis=axis)
    false_positives = jnp.sum((1 - y_true) * y_pred, axis=axis)
    return 1 - intersection / (
        intersection + false_negatives * alpha + false_positives * beta + config.epsilon()
    )


class _AreaLoss(Loss):
    """Base class of losses that sum over areas, by default over a whole batch."""

    def __init__(self, axis: int | Sequence[int] | None, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def __call__(
        self, y_true: Targets, y_pred: Outputs, sample_weight: Targets = None
    ) -> jax.Array:
        mask = masking.get_mask(y_pred)
        if mask is not None:  # masked values belong to no area
            mask = mask.reshape(mask.shape + (1,) * (y_pred.ndim - mask.ndim))
            y_true = jnp.where(mask, same_shape(y_true, y_pred, self.name)[0], 0)
            y_pred = jnp.where(mask, y_pred, 0)
        return super().__call__(y_true, y_pred, sample_weight)

    @property
    def is_sample_mean(self) -> bool:
        axes = _as_axes(self.axis)
        return axes is not None and 0 not in (axes if isinstance(axes, tuple) else (axes,))


class Dice(_AreaLoss):
    """Dice loss, for segmentation of small areas; see `dice`.

    Args:
        reduction, name, dtype: See `Loss`.
        axis: Axes to sum over; None for all, so that a batch has one value.

    Example:
        >>> round(float(Dice()([[1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])), 4)
        0.3333
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: int | Sequence[int] | None = None,
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(axis, name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return dice(y_true, y_pred, self.axis)

    def get_config(self) -> dict:
        return {**super().get_config(), "axis": self.axis}


class Tversky(_AreaLoss):
    """Tversky loss, for segmentation with different costs of errors; see `tversky`.

    Args:
        alpha: Weight of false negatives.
        beta: Weight of false positives.
        reduction, name, dtype: See `Loss`.
        axis: Axes to sum over; None for all, so that a batch has one value.

    Example:
        >>> loss = Tversky(alpha=0.0, beta=1.0)
        >>> round(float(loss([[1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])), 4)
        0.0
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: int | Sequence[int] | None = None,
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(axis, name=name, reduction=reduction, dtype=dtype)
        self.alpha = alpha
        self.beta = beta

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return tversky(y_true, y_pred, self.alpha, self.beta, self.axis)

    def get_config(self) -> dict:
        config = {"alpha": self.alpha, "beta": self.beta, "axis": self.axis}
        return {**super().get_config(), **config}


def _as_axes(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, (list, tuple)) else axis
