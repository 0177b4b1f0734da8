"""Metrics for regression. The functions are those of the losses with these names."""

import warnings

import jax
import jax.numpy as jnp

from lamina.core.messages.errors import LaminaWarning, stacklevel_of_user
from lamina.core.types import ArrayLike, DTypePolicyLike
from lamina.losses import regression as losses
from lamina.losses.shapes import align, match_weight, to_array
from lamina.metrics.metric import Metric
from lamina.metrics.reduction import MeanMetric, WeightedMeanMetric


class MeanSquaredError(MeanMetric):
    """Mean of squared differences, in the square of the targets' units.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> float(MeanSquaredError()([[0.0], [2.0]], [[1.0], [4.0]]))
        2.5
    """

    direction = "down"

    def __init__(self, name: str | None = "mean_squared_error", dtype: DTypePolicyLike = None):
        super().__init__(name=name, dtype=dtype)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return losses.mean_squared_error(y_true, y_pred)


class RootMeanSquaredError(WeightedMeanMetric):
    """Root of the mean squared error of all samples, in the units of the targets.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> float(RootMeanSquaredError()([[0.0], [2.0]], [[3.0], [5.0]]))
        3.0
    """

    direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: DTypePolicyLike = None):
        super().__init__(name=name, dtype=dtype)

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        y_true, y_pred = align(y_true, y_pred, "root_mean_squared_error")
        difference = y_true.astype(self.dtype) - y_pred.astype(self.dtype)
        self.add(jnp.square(difference), sample_weight)

    def result(self) -> jax.Array:
        return jnp.sqrt(super().result())


class MeanAbsoluteError(MeanMetric):
    """Mean of absolute differences, in the units of the targets.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> float(MeanAbsoluteError()([[0.0], [2.0]], [[1.0], [4.0]]))
        1.5
    """

    direction = "down"

    def __init__(self, name: str | None = "mean_absolute_error", dtype: DTypePolicyLike = None):
        super().__init__(name=name, dtype=dtype)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return losses.mean_absolute_error(y_true, y_pred)


class MeanAbsolutePercentageError(MeanMetric):
    """Mean of absolute differences in percent of the targets.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> float(MeanAbsolutePercentageError()([[4.0]], [[5.0]]))
        25.0
    """

    direction = "down"

    def __init__(
        self, name: str | None = "mean_absolute_percentage_error", dtype: DTypePolicyLike = None
    ):
        super().__init__(name=name, dtype=dtype)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return losses.mean_absolute_percentage_error(y_true, y_pred)


class MeanSquaredLogarithmicError(MeanMetric):
    """Mean squared difference of logarithms, which measures relative errors.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> round(float(MeanSquaredLogarithmicError()([[0.0]], [[1.0]])), 4)
        0.4805
    """

    direction = "down"

    def __init__(
        self, name: str | None = "mean_squared_logarithmic_error", dtype: DTypePolicyLike = None
    ):
        super().__init__(name=name, dtype=dtype)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return losses.mean_squared_logarithmic_error(y_true, y_pred)


class LogCoshError(MeanMetric):
    """Mean logarithm of the hyperbolic cosine of the error.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> round(float(LogCoshError()([[0.0]], [[1.0]])), 4)
        0.4338
    """

    direction = "down"

    def __init__(self, name: str | None = "logcosh", dtype: DTypePolicyLike = None):
        super().__init__(name=name, dtype=dtype)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return losses.log_cosh(y_true, y_pred)


class CosineSimilarity(MeanMetric):
    """Mean cosine of the angle between target and prediction: 1 if they point the same way.

    The loss of this name has the opposite sign.

    Args:
        name, dtype: See `Metric`.
        axis: The axis that holds the vectors.

    Example:
        >>> round(float(CosineSimilarity()([[3.0, 4.0]], [[6.0, 8.0]])), 4)
        1.0
    """

    direction = "up"

    def __init__(
        self, name: str | None = "cosine_similarity", dtype: DTypePolicyLike = None, axis: int = -1
    ):
        super().__init__(name=name, dtype=dtype)
        self.axis = axis

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return -losses.cosine_similarity(y_true, y_pred, self.axis)

    def get_config(self) -> dict:
        # Keras does not save this argument, but it can load it.
        extra = {} if self.axis == -1 else {"axis": self.axis}
        return {**super().get_config(), **extra}


class R2Score(Metric):
    """Coefficient of determination: the share of the targets' variance that is explained.

    `1 - sum((y - p)²) / sum((y - mean(y))²)`: 1 is perfect, 0 as good as the mean, below 0 worse.

    Args:
        class_aggregation: `"uniform_average"` over outputs, `"variance_weighted_average"`, or None
            for one score per output.
        num_regressors: Number of inputs, for the adjusted score; 0 for the plain one.
        name, dtype: See `Metric`.

    Raises:
        ValueError: If targets and predictions are not both `(batch, outputs)`.

    Example:
        >>> metric = R2Score()
        >>> metric.update_state([[1.0], [2.0], [3.0]], [[1.0], [2.0], [4.0]])
        >>> float(metric.result())
        0.5
    """

    direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: DTypePolicyLike = None,
    ):
        super().__init__(name=name, dtype=dtype)
        allowed = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in allowed:
            raise ValueError(
                f"R2Score's class_aggregation must be one of {allowed}; "
                f"received {class_aggregation!r}."
            )
        if num_regressors < 0:
            raise ValueError(
                "R2Score's num_regressors is a number of inputs, 0 or more; received "
                f"{num_regressors}."
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable(name="num_samples")
        self._built = False

    def build(self, y_true_shape: tuple, y_pred_shape: tuple) -> None:
        if self._built:
            return
        if len(y_pred_shape) != 2 or y_pred_shape[-1] is None:
            raise ValueError(
                "R2Score needs targets and predictions of shape (batch, outputs).\n"
                f"  Received: y_true of shape {y_true_shape}, y_pred of shape {y_pred_shape}.\n"
                "  Fix: reshape both, e.g. y.reshape(-1, 1)."
            )
        outputs = (y_pred_shape[-1],)
        self.squared_sum = self.add_variable(shape=outputs, name="squared_sum")
        self.sum = self.add_variable(shape=outputs, name="sum")
        self.total_mse = self.add_variable(shape=outputs, name="residual")
        self.count = self.add_variable(shape=outputs, name="count")
        self._built = True

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        y_true, y_pred = align(y_true, y_pred, "r2_score")
        self.build(y_true.shape, y_pred.shape)
        y_true, y_pred = y_true.astype(self.dtype), y_pred.astype(self.dtype)
        weight = jnp.ones((), self.dtype)
        if sample_weight is not None:
            weight = to_array(sample_weight, "sample_weight", self.name, self.dtype)
        weight = jnp.broadcast_to(match_weight(weight, y_true.shape, self.name), y_true.shape)
        self.sum.assign_add(jnp.sum(weight * y_true, axis=0))
        self.squared_sum.assign_add(jnp.sum(weight * jnp.square(y_true), axis=0))
        self.total_mse.assign_add(jnp.sum(weight * jnp.square(y_true - y_pred), axis=0))
        self.count.assign_add(jnp.sum(weight, axis=0))
        self.num_samples.assign_add(y_true.size)

    def result(self) -> jax.Array:
        if not self._built:
            return jnp.zeros((), self.dtype)
        mean = self.sum.value / self.count.value
        variance = self.squared_sum.value - self.sum.value * mean
        scores = 1.0 - self.total_mse.value / variance
        scores = jnp.where(jnp.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = jnp.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            scores = jnp.sum(variance * scores) / jnp.sum(variance)
        return self._adjust_for_regressors(scores) if self.num_regressors else scores

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }

    def _adjust_for_regressors(self, scores: jax.Array) -> jax.Array:
        samples = self.num_samples.value
        degrees_of_freedom = samples - self.num_regressors - 1.0
        if not isinstance(samples, jax.core.Tracer) and degrees_of_freedom <= 0:
            warnings.warn(
                f"R2Score cannot adjust for {self.num_regressors} regressors with "
                f"{int(samples)} numbers, so this is the plain score. "
                "It needs more samples than regressors + 1.",
                LaminaWarning,
                stacklevel=stacklevel_of_user(),
            )
        adjusted = 1.0 - (1.0 - scores) * (samples - 1.0) / jnp.where(
            degrees_of_freedom > 0, degrees_of_freedom, 1.0
        )
        return jnp.where(degrees_of_freedom > 0, adjusted, scores)
