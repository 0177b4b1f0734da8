"""Hinge metrics: the means of the hinge losses."""

import jax

from lamina.core.types import ArrayLike, DTypePolicyLike
from lamina.losses import hinges
from lamina.metrics.reduction import MeanMetric


class Hinge(MeanMetric):
    """Mean hinge: 0 if the sign is correct with a margin of 1.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> float(Hinge()([[1.0], [0.0]], [[0.5], [-3.0]]))
        0.25
    """

    direction = "down"

    def __init__(self, name: str | None = "hinge", dtype: DTypePolicyLike = None):
        super().__init__(name=name, dtype=dtype)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return hinges.hinge(y_true, y_pred)


class SquaredHinge(MeanMetric):
    """Mean of squared hinge terms.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> float(SquaredHinge()([[1.0], [0.0]], [[0.5], [-3.0]]))
        0.125
    """

    direction = "down"

    def __init__(self, name: str | None = "squared_hinge", dtype: DTypePolicyLike = None):
        super().__init__(name=name, dtype=dtype)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return hinges.squared_hinge(y_true, y_pred)


class CategoricalHinge(MeanMetric):
    """Mean categorical hinge: 0 if the correct class leads by a margin of 1.

    Args:
        name, dtype: See `Metric`.

    Example:
        >>> float(CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.75]]))
        0.75
    """

    direction = "down"

    def __init__(self, name: str | None = "categorical_hinge", dtype: DTypePolicyLike = None):
        super().__init__(name=name, dtype=dtype)

    def values(self, y_true: ArrayLike, y_pred: ArrayLike) -> jax.Array:
        return hinges.categorical_hinge(y_true, y_pred)
