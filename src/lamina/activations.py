"""Activation functions. `get("relu")` returns the function of that name.

Most are functions of `lamina.ops`; this module defines those whose arguments differ from them.
"""

from collections.abc import Mapping
from typing import Any

from lamina import ops
from lamina.core.messages.errors import suggest_similar_names
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization import registry
from lamina.core.serialization.identifiers import Identifiers
from lamina.core.types import Array, ArrayLike
from lamina.ops import (
    celu,
    elu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    swish,
    tanh_shrink,
    threshold,
)

__all__ = [
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]


@filter_traceback
def linear(x: ArrayLike) -> ArrayLike:
    """The identity, `x`.

    Args:
        x: Array of any shape.

    Returns:
        `x` itself.

    Example:
        >>> linear(3.0)
        3.0
    """
    return x


@filter_traceback
def relu(
    x: ArrayLike,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> Array:
    """`max(x, 0)`, or one of its variants.

    `max_value` where `x ≥ max_value`, `x` down to `threshold`, and
    `negative_slope * (x - threshold)` below.

    Args:
        x: Any array.
        negative_slope: Slope below the threshold.
        max_value: Upper limit, or None.
        threshold: Values below it become 0, or are scaled by `negative_slope`.

    Returns:
        Array of the same shape.

    Example:
        >>> relu([-2.0, 1.0, 9.0], negative_slope=0.5, max_value=6.0).tolist()
        [-1.0, 1.0, 6.0]
    """
    if threshold == 0 and max_value is None:
        return ops.leaky_relu(x, negative_slope) if negative_slope else ops.relu(x)
    x = ops.convert_to_tensor(x)
    activated = ops.where(x > threshold, x, 0) if threshold else ops.relu(x)
    if max_value is not None:
        activated = ops.clip(activated, 0, max_value)
    return activated - negative_slope * ops.relu(threshold - x) if negative_slope else activated


@filter_traceback
def gelu(x: ArrayLike, approximate: bool = False) -> Array:
    """`x` times the probability that a standard normal value is below `x`; exact by default.

    Args:
        x: Any array.
        approximate: Use the formula with tanh, whose error is at most 0.001.

    Returns:
        Array of the same shape.

    Source: Hendrycks and Gimpel, 2016, "Gaussian Error Linear Units", arXiv:1606.08415.

    Example:
        >>> round(float(gelu(1.0)), 4)
        0.8413
    """
    return ops.gelu(x, approximate)


@filter_traceback
def tanh(x: ArrayLike) -> Array:
    """`(exp(x) - exp(-x)) / (exp(x) + exp(-x))`: with values between -1 and 1.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape, of floats.

    Example:
        >>> float(tanh(0.0))
        0.0
    """
    return ops.tanh(x)


@filter_traceback
def exponential(x: ArrayLike) -> Array:
    """`exp(x)`.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape, of floats.

    Example:
        >>> float(exponential(0.0))
        1.0
    """
    return ops.exp(x)


@filter_traceback
def mish(x: ArrayLike) -> Array:
    """`x * tanh(softplus(x))`.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape, of floats.

    Source: Misra, 2019, "Mish: A Self Regularized Non-Monotonic Activation Function",
    arXiv:1908.08681.

    Example:
        >>> round(float(mish(1.0)), 4)
        0.8651
    """
    return ops.multiply(x, ops.tanh(ops.softplus(x)))


@filter_traceback
def serialize(activation: Any) -> Any:
    """Serialize an activation: the name for one of Lamina's, a config for any other.

    Args:
        activation: A function.

    Returns:
        A name, or a dict of class and config.

    Example:
        >>> serialize(relu)
        'relu'
    """
    name = getattr(activation, "__name__", None)
    if name is not None and _NAMES.table.get(name) is activation:
        return name
    return registry.serialize(activation)


@filter_traceback
def deserialize(config: str | Mapping[str, Any], custom_objects: Mapping | None = None) -> Any:
    """The inverse of `serialize`.

    Args:
        config: Name, config or function.
        custom_objects: Functions that are not part of Lamina, by name.

    Returns:
        The activation.
    """
    with registry.custom_object_scope(custom_objects or {}):
        return get(config)


@filter_traceback
def get(identifier: Any) -> Any:
    """The activation for a name, config, function or layer; `linear` for None.

    Args:
        identifier: Name such as `"relu"`, config, function, layer or None.

    Returns:
        The activation, a function of an array.

    Raises:
        ValueError: If the name is unknown.

    Example:
        >>> get("relu").__name__, get(None).__name__
        ('relu', 'linear')
    """
    if identifier is None:
        return linear
    return _NAMES.resolve(identifier)


_NAMES = Identifiers("activation", "keras.activations")
registry.register_list("keras.activations", __all__, globals().__getitem__)
registry.register_getter("activation", get)

suggest_similar_names(__name__)
