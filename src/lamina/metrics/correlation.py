"""Correlations of predictions and targets."""

import jax
import jax.numpy as jnp

from lamina.core.configuration import config
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import ArrayLike, DTypePolicyLike
from lamina.losses.shapes import align
from lamina.metrics.reduction import MeanMetric


@filter_traceback
def pearson_correlation(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> jax.Array:
    """Pearson's correlation of predictions and targets, from -1 to 1.

    `mean((y_true - mean) / std · (y_pred - mean) / std)` along an axis. NaN if targets or
    predictions are all equal, where it is not defined.

    Args:
        y_true: Targets, `(batch, …)`.
        y_pred: Predictions, same shape.
        axis: The axis of the correlation.

    Returns:
        One value for each row along the axis.

    Raises:
        ValueError: If the shapes differ, or the axis has one number only.

    Example:
        >>> round(float(pearson_correlation([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])), 4)
        0.982
    """
    y_true, y_pred = align(y_true, y_pred, "pearson_correlation")
    _refuse_single(y_true.shape, axis, "pearson_correlation")
    return jnp.mean(_standardize(y_true, axis) * _standardize(y_pred, axis), axis=axis)


@filter_traceback
def concordance_correlation(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> jax.Array:
    """Concordance correlation, from -1 to 1. Unlike Pearson's it is reduced by offsets.

    `2 · covariance / (variance of y_true + variance of y_pred + (difference of means)²)`.

    Args:
        y_true: Targets, `(batch, …)`.
        y_pred: Predictions, same shape.
        axis: The axis of the correlation.

    Returns:
        One value for each row along the axis.

    Raises:
        ValueError: If the shapes differ, or the axis has one number only.

    Source: Lin, 1989, "A concordance correlation coefficient to evaluate reproducibility",
    Biometrics 45(1).

    Example:
        >>> round(float(concordance_correlation([1.0, 2.0, 3.0], [2.0, 3.0, 4.0])), 4)
        0.5714
    """
    y_true, y_pred = align(y_true, y_pred, "concordance_correlation")
    _refuse_single(y_true.shape, axis, "concordance_correlation")
    mean_true, mean_pred = (jnp.mean(y, axis=axis, keepdims=True) for y in (y_true, y_pred))
    covariance = jnp.mean((y_true - mean_true) * (y_pred - mean_pred), axis=axis)
    sum_of_variances = jnp.var(y_true, axis=axis) + jnp.var(y_pred, axis=axis)
    offset = jnp.squeeze(jnp.square(mean_true - mean_pred), axis)
    return 2 * covariance / (sum_of_variances + offset + config.epsilon())


class PearsonCorrelation(MeanMetric):
    """Mean of Pearson's correlation over all samples; see `pearson_correlation`.

    Args:
        name, dtype: See `Metric`.
        axis: The axis of the correlation. With 0 it is over the samples of a batch, so that the
            result depends on the batch size.

    Example:
        >>> metric = PearsonCorrelation()
        >>> metric.update_state([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]])
        >>> round(float(metric.result()), 4)
        0.9967
    """

    direction = "up"

    def __init__(
        self,
        name: str | None = "pearson_correlation",
        dtype: DTypePolicyLike = None,
        axis: int = -1,
    ):
        super().__init__(name=name, dtype=dtype)
        self.axis = axis

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return pearson_correlation(y_true, y_pred, self.axis)

    def get_config(self) -> dict:
        return {**super().get_config(), "axis": self.axis}


class ConcordanceCorrelation(MeanMetric):
    """Mean of the concordance correlation over all samples; see `concordance_correlation`.

    Args:
        name, dtype: See `Metric`.
        axis: The axis of the correlation; see `PearsonCorrelation`.

    Example:
        >>> metric = ConcordanceCorrelation()
        >>> metric.update_state([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]])
        >>> round(float(metric.result()), 4)
        0.9816
    """

    direction = "up"

    def __init__(
        self,
        name: str | None = "concordance_correlation",
        dtype: DTypePolicyLike = None,
        axis: int = -1,
    ):
        super().__init__(name=name, dtype=dtype)
        self.axis = axis

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return concordance_correlation(y_true, y_pred, self.axis)

    def get_config(self) -> dict:
        return {**super().get_config(), "axis": self.axis}


def _standardize(values: jax.Array, axis: int) -> jax.Array:
    values = values - jnp.mean(values, axis=axis, keepdims=True)
    return values / jnp.std(values, axis=axis, keepdims=True)


def _refuse_single(shape: tuple, axis: int, caller: str) -> None:
    if not -len(shape) <= axis < len(shape) or shape[axis] == 1:
        raise ValueError(
            f"{caller} needs at least two numbers along axis {axis}; received shape "
            f"{shape}.\n  Fix: axis=0 compares the samples of a batch."
        )
