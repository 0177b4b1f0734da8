"""Losses for regression.

Each function returns one value per sample, the mean over the last axis; each class adds weights,
masks and reduction (`Loss`). The metrics of the same names use the same functions.
"""

import math

import jax
import jax.numpy as jnp

from lamina.core.configuration import config
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import ArrayLike, DTypePolicyLike
from lamina.losses.loss import Loss
from lamina.losses.shapes import align


@filter_traceback
def mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
    """Mean of squared differences, in the square of the targets' units.

    `mean((y_true - y_pred)²)` over the last axis.

    Args:
        y_true: Targets, `(batch, …, outputs)`.
        y_pred: Predictions, same shape.

    Returns:
        One value per sample, `(batch, …)`.

    Raises:
        ValueError: If the shapes differ in more than a last axis of size 1.

    Example:
        >>> mean_squared_error([[0.0, 2.0]], [[1.0, 4.0]]).tolist()
        [2.5]
    """
    y_true, y_pred = align(y_true, y_pred, "mean_squared_error")
    return jnp.mean(jnp.square(y_true - y_pred), axis=-1)


@filter_traceback
def mean_absolute_error(y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
    """Mean of absolute differences, in the units of the targets.

    `mean(|y_true - y_pred|)` over the last axis.

    Args:
        y_true: Targets, `(batch, ..., outputs)`.
        y_pred: Predictions, same shape.

    Returns:
        One loss per sample, `(batch, ...)`.

    Raises:
        ValueError: If the shapes do not fit.

    Example:
        >>> mean_absolute_error([[0.0, 2.0]], [[1.0, 4.0]]).tolist()
        [1.5]
    """
    y_true, y_pred = align(y_true, y_pred, "mean_absolute_error")
    return jnp.mean(jnp.abs(y_true - y_pred), axis=-1)


@filter_traceback
def mean_absolute_percentage_error(y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
    """Mean of absolute differences in percent of the targets.

    `100 · mean(|y_true - y_pred| / |y_true|)` over the last axis; targets nearer to 0 than epsilon
    count as epsilon.

    Args:
        y_true: Targets, `(batch, ..., outputs)`.
        y_pred: Predictions, same shape.

    Returns:
        One loss per sample, `(batch, ...)`, in percent.

    Raises:
        ValueError: If the shapes do not fit.

    Example:
        >>> mean_absolute_percentage_error([[4.0, 2.0]], [[5.0, 3.0]]).tolist()
        [37.5]
    """
    y_true, y_pred = align(y_true, y_pred, "mean_absolute_percentage_error")
    relative = (y_true - y_pred) / jnp.maximum(jnp.abs(y_true), config.epsilon())
    return 100.0 * jnp.mean(jnp.abs(relative), axis=-1)


@filter_traceback
def mean_squared_logarithmic_error(y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
    """Mean squared difference of logarithms, which measures relative errors.

    `mean((log(y_true + 1) - log(y_pred + 1))²)` over the last axis; values below epsilon count as
    epsilon.

    Args:
        y_true: Targets, 0 or more, `(batch, ..., outputs)`.
        y_pred: Predictions, same shape.

    Returns:
        One loss per sample, `(batch, ...)`.

    Raises:
        ValueError: If the shapes do not fit.

    Example:
        >>> round(float(mean_squared_logarithmic_error([[0.0]], [[1.0]])[0]), 4)
        0.4805
    """
    y_true, y_pred = align(y_true, y_pred, "mean_squared_logarithmic_error")
    log_pred = jnp.log(jnp.maximum(y_pred, config.epsilon()) + 1.0)
    log_true = jnp.log(jnp.maximum(y_true, config.epsilon()) + 1.0)
    return jnp.mean(jnp.square(log_pred - log_true), axis=-1)


@filter_traceback
def huber(y_true: ArrayLike, y_pred: ArrayLike, delta: float = 1.0) -> jax.Array:
    """Squared for small errors, absolute for large ones, which reduces the effect of outliers.

    `e²/2` where `|e| ≤ delta`, else `delta · |e| - delta²/2`; mean over the last axis.

    Args:
        y_true: Targets, `(batch, …, outputs)`.
        y_pred: Predictions, same shape.
        delta: Error at which the loss changes from quadratic to linear, in the units of the
            targets.

    Returns:
        One loss per sample, `(batch, ...)`.

    Source: Huber, 1964, "Robust Estimation of a Location Parameter".

    Example:
        >>> huber([[0.0, 0.0]], [[1.0, 3.0]]).tolist()
        [1.5]
    """
    y_true, y_pred = align(y_true, y_pred, "huber")
    error = jnp.abs(y_pred - y_true)
    return jnp.mean(
        jnp.where(error <= delta, 0.5 * jnp.square(error), delta * error - 0.5 * delta**2), axis=-1
    )


@filter_traceback
def log_cosh(y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
    """Logarithm of the hyperbolic cosine of the error: `e²/2` near 0, `|e| - log 2` far away.

    Mean over the last axis.

    Args:
        y_true: Targets, `(batch, ..., outputs)`.
        y_pred: Predictions, same shape.

    Returns:
        One loss per sample, `(batch, ...)`.

    Raises:
        ValueError: If the shapes do not fit.

    Example:
        >>> round(float(log_cosh([[0.0]], [[1.0]])[0]), 4)
        0.4338
    """
    y_true, y_pred = align(y_true, y_pred, "log_cosh")
    error = y_pred - y_true
    # log(cosh(e)) without overflow: cosh is infinite from e = 89 on in float32.
    return jnp.mean(error + jax.nn.softplus(-2.0 * error) - math.log(2.0), axis=-1)


@filter_traceback
def cosine_similarity(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> jax.Array:
    """Minus the cosine of the angle between two vectors: -1 if they are parallel, 1 if opposite.

    A vector of zeros gives 0. The metric of this name has the opposite sign.

    Args:
        y_true: Targets, `(batch, …, outputs)`.
        y_pred: Predictions, same shape.
        axis: The axis of the vectors.

    Returns:
        One loss per sample, `(batch, ...)`.

    Example:
        >>> round(float(cosine_similarity([[3.0, 4.0]], [[6.0, 8.0]])[0]), 4)
        -1.0
    """
    y_true, y_pred = align(y_true, y_pred, "cosine_similarity")
    return -jnp.sum(normalize_vectors(y_true, axis) * normalize_vectors(y_pred, axis), axis=axis)


@filter_traceback
def poisson(y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
    """Negative log-likelihood of counts whose expected values are predicted.

    `mean(y_pred - y_true · log(y_pred + epsilon))` over the last axis; the term that depends on the
    targets alone is left out.

    Args:
        y_true: Counts, `(batch, ..., outputs)`.
        y_pred: Predicted expected values, same shape.

    Returns:
        One loss per sample, `(batch, ...)`, in nats.

    Raises:
        ValueError: If the shapes do not fit.

    Example:
        >>> poisson([[2.0]], [[1.0]]).tolist()
        [0.9999997615814209]
    """
    y_true, y_pred = align(y_true, y_pred, "poisson")
    return jnp.mean(y_pred - y_true * jnp.log(y_pred + config.epsilon()), axis=-1)


def normalize_vectors(vectors: jax.Array, axis: int = -1) -> jax.Array:
    """Vectors of length 1 in the same direction; zeros stay zeros."""
    squared = jnp.sum(jnp.square(vectors), axis=axis, keepdims=True)
    # Clipped before the root, because the root's gradient at 0 is infinite.
    return vectors * jax.lax.rsqrt(jnp.maximum(squared, config.epsilon() ** 2))


class MeanSquaredError(Loss):
    """Mean of squared differences; see `mean_squared_error`.

    Args:
        reduction, name, dtype: See `Loss`.

    Example:
        >>> float(MeanSquaredError()([[0.0], [2.0]], [[1.0], [4.0]]))
        2.5
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_error",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return mean_squared_error(y_true, y_pred)


class MeanAbsoluteError(Loss):
    """Mean of absolute differences; see `mean_absolute_error`.

    Args:
        reduction, name, dtype: See `Loss`.

    Example:
        >>> float(MeanAbsoluteError()([[0.0], [2.0]], [[1.0], [4.0]]))
        1.5
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_error",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return mean_absolute_error(y_true, y_pred)


class MeanAbsolutePercentageError(Loss):
    """Mean of absolute differences in percent; see `mean_absolute_percentage_error`.

    Args:
        reduction, name, dtype: See `Loss`.

    Example:
        >>> float(MeanAbsolutePercentageError()([[4.0]], [[5.0]]))
        25.0
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_percentage_error",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return mean_absolute_percentage_error(y_true, y_pred)


class MeanSquaredLogarithmicError(Loss):
    """Mean squared difference of logarithms; see `mean_squared_logarithmic_error`.

    Args:
        reduction, name, dtype: See `Loss`.

    Example:
        >>> round(float(MeanSquaredLogarithmicError()([[0.0]], [[1.0]])), 4)
        0.4805
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_logarithmic_error",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return mean_squared_logarithmic_error(y_true, y_pred)


class Huber(Loss):
    """Squared for small errors, absolute for large ones; see `huber`.

    Args:
        delta: Error at which the loss changes from quadratic to linear, in the units of the
            targets.
        reduction, name, dtype: See `Loss`.

    Example:
        >>> float(Huber(delta=2.0)([[0.0]], [[3.0]]))
        4.0
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.delta = delta

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return huber(y_true, y_pred, self.delta)

    def get_config(self) -> dict:
        # Keras does not save this argument, but it can load it.
        extra = {} if self.delta == 1.0 else {"delta": self.delta}
        return {**super().get_config(), **extra}


class LogCosh(Loss):
    """Logarithm of the hyperbolic cosine of the error; see `log_cosh`.

    Args:
        reduction, name, dtype: See `Loss`.

    Example:
        >>> round(float(LogCosh()([[0.0]], [[1.0]])), 4)
        0.4338
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "log_cosh",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return log_cosh(y_true, y_pred)


class CosineSimilarity(Loss):
    """Minus the cosine of the angle between two vectors; see `cosine_similarity`.

    Args:
        axis: The axis of the vectors.
        reduction, name, dtype: See `Loss`.

    Example:
        >>> round(float(CosineSimilarity()([[3.0, 4.0]], [[6.0, 8.0]])), 4)
        -1.0
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.axis = axis

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return cosine_similarity(y_true, y_pred, self.axis)

    def get_config(self) -> dict:
        # Keras does not save this argument, but it can load it.
        extra = {} if self.axis == -1 else {"axis": self.axis}
        return {**super().get_config(), **extra}


class Poisson(Loss):
    """Negative log-likelihood of counts; see `poisson`.

    Args:
        reduction, name, dtype: See `Loss`.

    Example:
        >>> float(Poisson()([[2.0]], [[1.0]]))
        0.9999997615814209
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "poisson",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return poisson(y_true, y_pred)
