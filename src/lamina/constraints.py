"""Constraints on weights, applied after every update. `get("non_neg")` returns one by name.

A norm is computed over `axis`: the axes of one unit's incoming weights. It is 0 for the kernel of a
Dense layer, `(inputs, units)`, and `(0, 1, 2)` for a Conv2D's, `(height, width, inputs, filters)`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from lamina.core.configuration import config
from lamina.core.messages.errors import suggest_similar_names
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.serialization import registry
from lamina.core.serialization.identifiers import Identifiers
from lamina.core.types import Array, ArrayLike

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]

Axis = int | Sequence[int]


@filter_tracebacks_of_methods
class Constraint:
    """Base class of constraints: a constraint is called with weights and returns new weights.

    Example:
        >>> class AtMostOne(Constraint):
        ...     def __call__(self, w):
        ...         return jnp.minimum(w, 1)
        >>> AtMostOne()(jnp.array([0.5, 2.0])).tolist()
        [0.5, 1.0]
    """

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        filter_tracebacks_of_methods(cls)

    def __call__(self, w: Array) -> Array:
        return w

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict of the arguments of the constructor.
        """
        return {}

    @classmethod
    def from_config(cls, config: dict) -> "Constraint":
        """A constraint with the settings that `get_config` returned.

        Args:
            config: Arguments of the constructor.

        Returns:
            The constraint.
        """
        return cls(**config)


class MaxNorm(Constraint):
    """Shrinks weights whose norm is above a limit.

    Args:
        max_value: The limit.
        axis: Axis or axes over which the norm is computed.

    Source: Srivastava et al., 2014, "Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting".

    Example:
        >>> MaxNorm(1.0)(jnp.array([[3.0], [4.0]])).round(3).tolist()
        [[0.6...], [0.8...]]
    """

    def __init__(self, max_value: float = 2, axis: Axis = 0):
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: ArrayLike) -> Array:
        w, norms = _with_norms(w, self.axis)
        return w * (jnp.clip(norms, 0, self.max_value) / (config.epsilon() + norms))

    def get_config(self) -> dict:
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """Sets negative weights to zero.

    Example:
        >>> NonNeg()(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    def __call__(self, w: ArrayLike) -> Array:
        return jnp.maximum(_as_array(w), 0)


class UnitNorm(Constraint):
    """Scales weights to norm 1.

    Args:
        axis: Axis or axes over which the norm is computed.

    Example:
        >>> UnitNorm()(jnp.array([[3.0], [4.0]])).round(3).tolist()
        [[0.6...], [0.8...]]
    """

    def __init__(self, axis: Axis = 0):
        self.axis = axis

    def __call__(self, w: ArrayLike) -> Array:
        w, norms = _with_norms(w, self.axis)
        return w / (config.epsilon() + norms)

    def get_config(self) -> dict:
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """Scales weights towards a norm in an interval.

    Args:
        min_value: Lower limit of the norm.
        max_value: Upper limit of the norm.
        rate: Fraction of the correction that is applied at every update; 1 enforces the limits.
        axis: Axis or axes over which the norm is computed.

    Example:
        >>> MinMaxNorm(0.0, 1.0)(jnp.array([[3.0], [4.0]])).round(3).tolist()
        [[0.6...], [0.8...]]
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0
    ):
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: ArrayLike) -> Array:
        w, norms = _with_norms(w, self.axis)
        clipped_norms = jnp.clip(norms, self.min_value, self.max_value)
        target_norms = self.rate * clipped_norms + (1 - self.rate) * norms
        return w * (target_norms / (config.epsilon() + norms))

    def get_config(self) -> dict:
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


@filter_traceback
def serialize(constraint: Any) -> Any:
    """A constraint as plain data.

    Args:
        constraint: A constraint.

    Returns:
        A dict of class and config.
    """
    return registry.serialize(constraint)


@filter_traceback
def deserialize(config: str | Mapping[str, Any], custom_objects: Mapping | None = None) -> Any:
    """The inverse of `serialize`.

    Args:
        config: Name, config, class or function.
        custom_objects: Classes and functions that are not part of Lamina, by name.

    Returns:
        The constraint; None for None.
    """
    with registry.custom_object_scope(custom_objects or {}):
        return get(config)


@filter_traceback
def get(identifier: Any) -> Any:
    """The constraint for a name, config, class or function; None for None.

    Args:
        identifier: Name such as `"non_neg"`, config, class, function, constraint or None.

    Returns:
        The constraint.

    Raises:
        ValueError: If the name is unknown.

    Example:
        >>> get("max_norm").max_value
        2
    """
    return _NAMES.resolve(identifier)


def _as_array(w: ArrayLike) -> Array:
    return jnp.asarray(getattr(w, "value", w))


def _with_norms(w: ArrayLike, axis: Axis) -> tuple[Array, Array]:
    w = _as_array(w)
    axes = axis if isinstance(axis, int) else tuple(axis)
    return w, jnp.sqrt(jnp.sum(jnp.square(w), axis=axes, keepdims=True))


# Other names in Keras.
max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm

_NAMES = Identifiers("constraint", "keras.constraints", bases=("Constraint",))
registry.register_list("keras.constraints", __all__, globals().__getitem__)
registry.register_getter("constraint", get)

suggest_similar_names(__name__)
