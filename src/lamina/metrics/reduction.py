"""Sums and means over batches of unequal size, with weights."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.configuration.dtypes import is_float
from lamina.core.layer import masking
from lamina.core.serialization import registry
from lamina.core.types import ArrayLike, DTypeLike, DTypePolicyLike
from lamina.losses.loss import divide_no_nan
from lamina.losses.shapes import match_rank, match_weight, to_array, to_arrays
from lamina.metrics.metric import Metric


class Sum(Metric):
    """Weighted sum of all values.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> metric = Sum()
        >>> metric.update_state([1.0, 2.0])
        >>> metric.update_state([3.0, 4.0], sample_weight=[1.0, 0.0])
        >>> float(metric.result())
        6.0
    """

    def __init__(self, name: str | None = "sum", dtype: DTypePolicyLike = None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable(shape=(), dtype=self.dtype, name="total")

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        values, _ = reduce_per_sample(values, sample_weight, jnp.sum, self.dtype, self.name)
        self.total.assign_add(jnp.sum(values))

    def result(self) -> jax.Array:
        return self.total.value


class WeightedMeanMetric(Metric):
    """Base class of metrics that are a weighted mean: a weighted sum over the sum of weights.

    Every sample has the same weight in batches of any size. The result before any sample is 0.
    """

    def __init__(self, name: str | None = None, dtype: DTypePolicyLike = None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable(shape=(), dtype=self.dtype, name="total")
        self.count = self.add_variable(shape=(), dtype=self.dtype, name="count")

    def add(self, values: Any, sample_weight: Any = None) -> None:
        """Add one value per sample, or per step of each sample.

        Args:
            values: One number per sample, `(batch, ...)`.
            sample_weight: Weights that broadcast to them; None for 1 each.
        """
        values, weight = reduce_per_sample(values, sample_weight, jnp.mean, self.dtype, self.name)
        self.total.assign_add(jnp.sum(values))
        self.count.assign_add(values.size if weight is None else jnp.sum(weight))

    def result(self) -> jax.Array:
        return divide_no_nan(self.total.value, self.count.value)


class Mean(WeightedMeanMetric):
    """Weighted mean of all values: the sum of values times weights over the sum of weights.

    Every sample has the same weight in batches of any size. 0 before any sample.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> metric = Mean()
        >>> metric.update_state([1.0, 2.0, 3.0])
        >>> metric.update_state([6.0])
        >>> float(metric.result())
        3.0
    """

    def __init__(self, name: str | None = "mean", dtype: DTypePolicyLike = None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        self.add(values, sample_weight)


class MeanMetric(WeightedMeanMetric):
    """Base class of metrics that are the mean of `values(y_true, y_pred)` over all samples.

    Subclasses define `values`, which returns one value per sample.
    """

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        """One value per sample, or per step of each sample.

        Args:
            y_true: Targets, `(batch, ...)`.
            y_pred: Predictions, `(batch, ...)`.

        Returns:
            The values, `(batch, ...)`.
        """
        raise NotImplementedError

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        mask = masking.get_mask(y_pred)
        if isinstance(y_pred, jax.Array) and is_float(y_pred.dtype):
            y_pred = y_pred.astype(self.dtype)  # sums in bfloat16 would be inaccurate
        values = self.values(y_true, y_pred)
        self.add(values, apply_mask_to_weight(sample_weight, mask, self.dtype, self.name))


class MeanMetricWrapper(MeanMetric):
    """A metric that is the mean of a function over all samples.

    Args:
        fn: `fn(y_true, y_pred, **kwargs)` that returns one value per sample.
        name, dtype: See `Metric`.
        **kwargs: Passed to `fn` at every call.

    Example:
        >>> def within(y_true, y_pred, tolerance):
        ...     return jnp.abs(y_true - y_pred) <= tolerance
        >>> metric = MeanMetricWrapper(within, name="within", tolerance=0.5)
        >>> metric.update_state(jnp.array([1.0, 2.0]), jnp.array([1.25, 4.0]))
        >>> float(metric.result())
        0.5
    """

    def __init__(
        self, fn: Callable, name: str | None = None, dtype: DTypePolicyLike = None, **kwargs: Any
    ):
        super().__init__(name=name, dtype=dtype)
        self._fn = fn
        self._fn_kwargs = kwargs

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        y_true = to_arrays(y_true, "y_true", self.name)
        y_pred = to_arrays(y_pred, "y_pred", self.name)
        if isinstance(y_true, jax.Array) and isinstance(y_pred, jax.Array):
            y_true, y_pred = match_rank(y_true, y_pred)
        return self._fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "fn": registry.serialize(self._fn),
            **registry.serialize(self._fn_kwargs),
        }

    @classmethod
    def from_config(cls, config: dict) -> "MeanMetricWrapper":
        return cls(**registry.deserialize(config))


def reduce_per_sample(
    values: ArrayLike,
    sample_weight: ArrayLike | None,
    reduce: Callable,
    dtype: DTypeLike,
    caller: str,
) -> tuple[jax.Array, jax.Array | None]:
    """Values times weights and the weights themselves, reduced to one number per sample.

    Args:
        values: `(batch, …)` or one number.
        sample_weight: One weight per sample or per value, or None.
        reduce: `jnp.mean` or `jnp.sum`, applied over all axes but the first.
        dtype: Float type to compute in.
        caller: The calling metric, for messages.

    Example:
        >>> values, weight = reduce_per_sample(
        ...     [[1.0, 3.0], [5.0, 7.0]], [1.0, 2.0], jnp.mean, "float32", caller="demo"
        ... )
        >>> values.tolist(), weight.tolist()
        ([2.0, 12.0], [1.0, 2.0])
    """
    mask = masking.get_mask(values)
    values = to_array(values, "the values", caller, dtype)
    if sample_weight is None:
        return _reduce_from_axis(values, 1, reduce), None
    weight = to_array(
        apply_mask_to_weight(sample_weight, mask, dtype, caller), "weights", caller, dtype
    )
    values, weight = match_rank(values, weight)
    axes_of_weight = weight.ndim
    if values.ndim > axes_of_weight:
        values = _reduce_from_axis(values, axes_of_weight, reduce)
    weight = jnp.broadcast_to(match_weight(weight, values.shape, caller), values.shape)
    return _reduce_from_axis(values * weight, 1, reduce), _reduce_from_axis(weight, 1, reduce)


def apply_mask_to_weight(
    sample_weight: ArrayLike | None, mask: Any, dtype: DTypeLike, caller: str
) -> Any:
    """Sample weights that are 0 where a mask says False."""
    if mask is None:
        return sample_weight
    mask = to_array(mask, "the mask", caller, dtype)
    if sample_weight is None:
        return mask
    weight = to_array(sample_weight, "sample_weight", caller, dtype)
    mask, weight = match_rank(mask, weight)
    return mask * match_weight(weight, mask.shape, caller)


def _reduce_from_axis(values: jax.Array, first_axis: int, reduce: Callable) -> jax.Array:
    axes = tuple(range(first_axis, values.ndim))
    return reduce(values, axis=axes) if axes else values
