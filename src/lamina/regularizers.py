"""Regularizers: penalties on weights, added to the loss. `get("l2")` returns one by name."""

import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from lamina.core.messages.errors import suggest_similar_names
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.serialization import registry
from lamina.core.serialization.identifiers import Identifiers
from lamina.core.types import Array, ArrayLike

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]


@filter_tracebacks_of_methods
class Regularizer:
    """Base class of regularizers: a regularizer is called with weights and returns a penalty.

    Example:
        >>> class Spread(Regularizer):
        ...     def __call__(self, x):
        ...         return x.var()
        >>> float(Spread()(jnp.array([1.0, 3.0])))
        1.0
    """

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        filter_tracebacks_of_methods(cls)

    def __call__(self, x: Array) -> Array | float:
        return 0.0

    def get_config(self) -> dict:
        """The settings as plain data, for `from_config`.

        Returns:
            A dict of the arguments of the constructor.
        """
        raise NotImplementedError(
            f"{type(self).__name__} cannot be saved: it has no get_config() method.\n"
            "  Fix: return its arguments from get_config(), or {} if it has none."
        )

    @classmethod
    def from_config(cls, config: dict) -> "Regularizer":
        """A regularizer with the settings that `get_config` returned.

        Args:
            config: Arguments of the constructor.

        Returns:
            The regularizer.
        """
        return cls(**config)


class L1(Regularizer):
    """`l1 * sum(|x|)`: makes weights sparse.

    Args:
        l1: Strength, 0 or more.

    Example:
        >>> float(L1(0.5)(jnp.array([1.0, -3.0])))
        2.0
    """

    def __init__(self, l1: float = 0.01):
        self.l1 = _check_strength("l1", 0.01 if l1 is None else l1)

    def __call__(self, x: ArrayLike) -> Array:
        return self.l1 * jnp.sum(jnp.abs(_as_array(x)))

    def get_config(self) -> dict:
        return {"l1": self.l1}


class L2(Regularizer):
    """`l2 * sum(x ** 2)`: keeps weights small.

    Args:
        l2: Strength, 0 or more.

    Example:
        >>> float(L2(0.5)(jnp.array([1.0, -3.0])))
        5.0
    """

    def __init__(self, l2: float = 0.01):
        self.l2 = _check_strength("l2", 0.01 if l2 is None else l2)

    def __call__(self, x: ArrayLike) -> Array:
        return self.l2 * jnp.sum(jnp.square(_as_array(x)))

    def get_config(self) -> dict:
        return {"l2": self.l2}


class L1L2(Regularizer):
    """`l1 * sum(|x|) + l2 * sum(x ** 2)`.

    Args:
        l1: Strength of the absolute part, 0 or more.
        l2: Strength of the squared part, 0 or more.

    Example:
        >>> float(L1L2(l1=0.5, l2=0.5)(jnp.array([1.0, -3.0])))
        7.0
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0):
        self.l1 = _check_strength("l1", 0.0 if l1 is None else l1)
        self.l2 = _check_strength("l2", 0.0 if l2 is None else l2)

    def __call__(self, x: ArrayLike) -> Array:
        x = _as_array(x)
        return self.l1 * jnp.sum(jnp.abs(x)) + self.l2 * jnp.sum(jnp.square(x))

    def get_config(self) -> dict:
        return {"l1": self.l1, "l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean absolute cosine similarity of all pairs of rows (or columns).

    Args:
        factor: Strength, 0 or more.
        mode: `"rows"` or `"columns"`.

    Example:
        >>> float(OrthogonalRegularizer(0.5)(jnp.eye(3)))
        0.0
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        self.factor = _check_strength("factor", factor)
        if mode not in ("rows", "columns"):
            raise ValueError(f"mode must be 'rows' or 'columns'; received {mode!r}.")
        self.mode = mode

    def __call__(self, x: ArrayLike) -> Array:
        x = _as_array(x)
        if x.ndim != 2:
            raise ValueError(
                f"OrthogonalRegularizer is for matrices; received weights of shape {x.shape}."
            )
        vectors = x if self.mode == "rows" else x.T
        norms = jnp.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = vectors / jnp.maximum(norms, 1e-7)
        cosines = (vectors @ vectors.T) * (1 - jnp.eye(len(vectors), dtype=x.dtype))
        pairs = len(vectors) * (len(vectors) - 1) / 2
        return self.factor * 0.5 * jnp.sum(jnp.abs(cosines)) / pairs

    def get_config(self) -> dict:
        return {"factor": self.factor, "mode": self.mode}


@filter_traceback
def serialize(regularizer: Any) -> Any:
    """A regularizer as plain data.

    Args:
        regularizer: A regularizer.

    Returns:
        A dict of class and config.
    """
    return registry.serialize(regularizer)


@filter_traceback
def deserialize(config: str | Mapping[str, Any], custom_objects: Mapping | None = None) -> Any:
    """The inverse of `serialize`.

    Args:
        config: Name, config, class or function.
        custom_objects: Classes and functions that are not part of Lamina, by name.

    Returns:
        The regularizer; None for None.
    """
    with registry.custom_object_scope(custom_objects or {}):
        return get(config)


@filter_traceback
def get(identifier: Any) -> Any:
    """The regularizer for a name, config, class or function; None for None.

    Args:
        identifier: Name such as `"l2"`, config, class, function, regularizer or None.

    Returns:
        The regularizer.

    Raises:
        ValueError: If the name is unknown.

    Example:
        >>> get("l2").l2
        0.01
    """
    return _NAMES.resolve(identifier)


def _as_array(x: ArrayLike) -> Array:
    return jnp.asarray(getattr(x, "value", x))


def _check_strength(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} must be a number of 0 or more; received {value!r}.")
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} must be a finite number of 0 or more; received {value!r}.")
    return float(value)


# Other names in Keras.
l1 = L1
l1_l2 = L1L2
l2 = L2
orthogonal_regularizer = OrthogonalRegularizer

_NAMES = Identifiers("regularizer", "keras.regularizers", bases=("Regularizer",))
registry.register_list("keras.regularizers", __all__, globals().__getitem__)
registry.register_getter("regularizer", get)

suggest_similar_names(__name__)
