"""Activation functions: `relu`, `softmax` and others.

Integers are converted to floats where the result needs them.
"""

import warnings

import jax
import jax.numpy as jnp

from lamina.core.configuration.context import context
from lamina.core.messages.errors import LaminaWarning, stacklevel_of_user
from lamina.core.types import Array, ArrayLike
from lamina.ops.arrays import Axes, as_array, as_axes, to_floats
from lamina.ops.define import operations

op = operations("nn")


@op("x")
def relu(x: ArrayLike) -> Array:
    """`max(x, 0)`.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape.

    Example:
        >>> relu(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    return jax.nn.relu(as_array(x))


@op("x")
def relu6(x: ArrayLike) -> Array:
    """`min(max(x, 0), 6)`.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape.

    Example:
        >>> relu6(jnp.array([-1.0, 2.0, 8.0])).tolist()
        [0.0, 2.0, 6.0]
    """
    return jax.nn.relu6(as_array(x))


@op("x")
def leaky_relu(x: ArrayLike, negative_slope: float = 0.2) -> Array:
    """`x` where it is positive, `negative_slope * x` elsewhere.

    Args:
        x: Array of any shape.
        negative_slope: Slope for negative values.

    Returns:
        Array of the same shape.

    Example:
        >>> leaky_relu(jnp.array([-1.0, 2.0]), negative_slope=0.5).tolist()
        [-0.5, 2.0]
    """
    return jax.nn.leaky_relu(as_array(x), negative_slope)


@op("x")
def elu(x: ArrayLike, alpha: float = 1.0) -> Array:
    """`x` where it is positive, `alpha * (exp(x) - 1)` elsewhere.

    Args:
        x: Array of any shape.
        alpha: The limit for large negative values is `-alpha`.

    Returns:
        Array of the same shape, of floats.

    Source: Clevert et al., 2015, "Fast and Accurate Deep Network Learning by Exponential Linear
    Units", arXiv:1511.07289.

    Example:
        >>> elu(jnp.array([0.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    return jax.nn.elu(to_floats(x), alpha)


@op("x")
def celu(x: ArrayLike, alpha: float = 1.0) -> Array:
    """`max(x, 0) + min(0, alpha * (exp(x / alpha) - 1))`: an ELU with a continuous slope.

    Args:
        x: Array of any shape.
        alpha: The limit for large negative values is `-alpha`.

    Returns:
        Array of the same shape, of floats.

    Source: Barron, 2017, "Continuously Differentiable Exponential Linear Units", arXiv:1704.07483.

    Example:
        >>> celu(jnp.array([0.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    return jax.nn.celu(to_floats(x), alpha)


@op("x")
def selu(x: ArrayLike) -> Array:
    """A scaled ELU that keeps mean 0 and variance 1 through deep networks.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape, of floats.

    Source: Klambauer et al., 2017, "Self-Normalizing Neural Networks", arXiv:1706.02515.

    Example:
        >>> round(float(selu(jnp.array(1.0))), 4)
        1.0507
    """
    return jax.nn.selu(to_floats(x))


@op("x")
def gelu(x: ArrayLike, approximate: bool = True) -> Array:
    """`x` times the probability that a standard normal value is below `x`.

    Args:
        x: Any array.
        approximate: Use the formula with tanh, off by 0.001 at most.

    Returns:
        Array of the same shape, of floats.

    Source: Hendrycks and Gimpel, 2016, "Gaussian Error Linear Units", arXiv:1606.08415.

    Example:
        >>> round(float(gelu(jnp.array(1.0), approximate=False)), 4)
        0.8413
    """
    return jax.nn.gelu(to_floats(x), approximate)


@op("x")
def silu(x: ArrayLike) -> Array:
    """`x * sigmoid(x)`, also called swish.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape, of floats.

    Source: Ramachandran et al., 2017, "Searching for Activation Functions", arXiv:1710.05941.

    Example:
        >>> round(float(silu(jnp.array(1.0))), 4)
        0.7311
    """
    return jax.nn.silu(to_floats(x))


swish = silu


@op("x")
def glu(x: ArrayLike, axis: int = -1) -> Array:
    """The first half of the values along an axis, times the sigmoid of the second half.

    Args:
        x: Array with an even size along the axis.
        axis: The axis to divide into halves.

    Returns:
        Array of half that size.

    Source: Dauphin et al., 2016, "Language Modeling with Gated Convolutional Networks",
    arXiv:1612.08083.

    Example:
        >>> glu(jnp.array([2.0, 0.0])).tolist()
        [1.0]
    """
    x = to_floats(x)
    if x.shape[axis] % 2:
        raise ValueError(f"glu needs an even size on axis {axis}; received shape {x.shape}.")
    return jax.nn.glu(x, axis)


@op("x")
def sigmoid(x: ArrayLike) -> Array:
    """`1 / (1 + exp(-x))`: turns numbers into probabilities.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape, of floats.

    Example:
        >>> float(sigmoid(jnp.array(0.0)))
        0.5
    """
    return jax.nn.sigmoid(to_floats(x))


@op("x")
def hard_sigmoid(x: ArrayLike) -> Array:
    """`relu6(x + 3) / 6`: a piecewise linear sigmoid.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape, of floats.

    Example:
        >>> hard_sigmoid(jnp.array([-3.0, 0.0, 3.0])).tolist()
        [0.0, 0.5, 1.0]
    """
    return jax.nn.hard_sigmoid(to_floats(x))


@op("x")
def sparse_sigmoid(x: ArrayLike) -> Array:
    """`(x + 1) / 2`, clipped to the range 0 to 1.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape, of floats.

    Example:
        >>> sparse_sigmoid(jnp.array([-2.0, 0.0, 2.0])).tolist()
        [0.0, 0.5, 1.0]
    """
    return jax.nn.sparse_sigmoid(to_floats(x))


@op("x")
def log_sigmoid(x: ArrayLike) -> Array:
    """`log(sigmoid(x))`, without overflow.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape, of floats.

    Example:
        >>> float(log_sigmoid(jnp.array(-1000.0)))
        -1000.0
    """
    return jax.nn.log_sigmoid(to_floats(x))


@op("x")
def hard_silu(x: ArrayLike) -> Array:
    """`x * hard_sigmoid(x)`, also called hard swish.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape, of floats.

    Source: Howard et al., 2019, "Searching for MobileNetV3", arXiv:1905.02244.

    Example:
        >>> hard_silu(jnp.array([0.0, 3.0, 9.0])).tolist()
        [0.0, 3.0, 9.0]
    """
    return jax.nn.hard_silu(to_floats(x))


hard_swish = hard_silu


@op("x")
def softplus(x: ArrayLike) -> Array:
    """`log(1 + exp(x))`, without overflow: a smooth ReLU.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape, of floats.

    Example:
        >>> round(float(softplus(jnp.array(0.0))), 4)
        0.6931
    """
    return jax.nn.softplus(to_floats(x))


@op("x")
def sparse_plus(x: ArrayLike) -> Array:
    """0 up to -1, `(x + 1)² / 4` up to 1, `x` beyond.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape, of floats.

    Example:
        >>> sparse_plus(jnp.array([-1.0, 0.0, 2.0])).tolist()
        [0.0, 0.25, 2.0]
    """
    return jax.nn.sparse_plus(to_floats(x))


@op("x")
def squareplus(x: ArrayLike, b: float = 4) -> Array:
    """`(x + sqrt(x² + b)) / 2`: a smooth ReLU without exponentials.

    Args:
        x: Array of any shape.
        b: How smooth the corner is; 0 makes it a ReLU.

    Returns:
        Array of the same shape, of floats.

    Source: Barron, 2021, "Squareplus", arXiv:2112.11687.

    Example:
        >>> float(squareplus(jnp.array(0.0)))
        1.0
    """
    return jax.nn.squareplus(to_floats(x), b)


@op("x")
def softsign(x: ArrayLike) -> Array:
    """`x / (1 + |x|)`.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape, of floats.

    Example:
        >>> softsign(jnp.array([-1.0, 1.0])).tolist()
        [-0.5, 0.5]
    """
    return jax.nn.soft_sign(to_floats(x))


@op("x")
def soft_shrink(x: ArrayLike, threshold: float = 0.5) -> Array:
    """Moves values towards zero by `threshold`; smaller ones become zero.

    Args:
        x: Array of any shape.
        threshold: Distance from zero, 0 or more.

    Returns:
        Array of the same shape, of floats.

    Example:
        >>> soft_shrink(jnp.array([-1.0, 0.2, 1.0])).tolist()
        [-0.5, 0.0, 0.5]
    """
    x = to_floats(x)
    return jnp.where(x > threshold, x - threshold, jnp.where(x < -threshold, x + threshold, 0.0))


@op("x")
def hard_shrink(x: ArrayLike, threshold: float = 0.5) -> Array:
    """Keeps values further than `threshold` from zero; others become zero.

    Args:
        x: Array of any shape.
        threshold: Distance from zero, 0 or more.

    Returns:
        Array of the same shape, of floats.

    Example:
        >>> hard_shrink(jnp.array([-1.0, 0.2, 1.0])).tolist()
        [-1.0, 0.0, 1.0]
    """
    x = to_floats(x)
    return jnp.where(jnp.abs(x) > threshold, x, 0.0)


@op("x")
def tanh_shrink(x: ArrayLike) -> Array:
    """`x - tanh(x)`.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape, of floats.

    Example:
        >>> float(tanh_shrink(jnp.array(0.0)))
        0.0
    """
    x = to_floats(x)
    return x - jnp.tanh(x)


@op("x")
def hard_tanh(x: ArrayLike) -> Array:
    """`x`, clipped to the range -1 to 1.

    Args:
        x: Array of any shape.

    Returns:
        Array of the same shape.

    Example:
        >>> hard_tanh(jnp.array([-2.0, 0.5, 2.0])).tolist()
        [-1.0, 0.5, 1.0]
    """
    return jax.nn.hard_tanh(as_array(x))


@op("x")
def threshold(x: ArrayLike, threshold: float, default_value: float) -> Array:
    """`x` where it is above `threshold`, `default_value` elsewhere.

    Args:
        x: Array of any shape.
        threshold: The limit.
        default_value: Replaces values at or below the limit.

    Returns:
        Array of the same shape.

    Example:
        >>> threshold(jnp.array([-1.0, 2.0]), threshold=0.0, default_value=9.0).tolist()
        [9.0, 2.0]
    """
    x = as_array(x)
    return jnp.where(x > threshold, x, default_value)


@op("x")
def softmax(x: ArrayLike, axis: Axes = -1) -> Array:
    """`exp(x) / sum(exp(x))` along one or several axes: turns numbers into probabilities.

    Args:
        x: Array of any shape.
        axis: Axis or axes along which the probabilities add up to 1.

    Returns:
        Array of the same shape, of floats.

    Example:
        >>> softmax(jnp.array([0.0, 0.0])).tolist()
        [0.5, 0.5]
    """
    x = to_floats(x)
    # For a model, training warns once, with the name of the model.
    called_by_user = not context.call_stack and not isinstance(x, jax.core.Tracer)
    if called_by_user and isinstance(axis, int) and x.ndim and x.shape[axis] == 1:
        warnings.warn(
            f"softmax over axis {axis} of shape {x.shape}: a single value always becomes 1.\n"
            "  Likely meant: sigmoid, the probability of one class.",
            LaminaWarning,
            stacklevel=stacklevel_of_user(),
        )
    return jax.nn.softmax(x, as_axes(axis))


@op("x")
def log_softmax(x: ArrayLike, axis: Axes = -1) -> Array:
    """`log(softmax(x))`, without overflow.

    Args:
        x: Array of any shape.
        axis: Axis or axes along which the probabilities add up to 1.

    Returns:
        Array of the same shape, of floats.

    Example:
        >>> log_softmax(jnp.array([0.0, -1000.0])).tolist()
        [0.0, -1000.0]
    """
    return jax.nn.log_softmax(to_floats(x), as_axes(axis))


@op("x")
def sparsemax(x: ArrayLike, axis: int = -1) -> Array:
    """The nearest vector of probabilities to `x`; many of them are exactly 0.

    Args:
        x: Array of any shape.
        axis: Axis along which the probabilities add up to 1.

    Returns:
        Array of the same shape, of floats.

    Source: Martins and Astudillo, 2016, "From Softmax to Sparsemax", arXiv:1602.02068.

    Example:
        >>> sparsemax(jnp.array([1.0, 0.5, -1.0])).tolist()
        [0.75, 0.25, 0.0]
    """
    x = jnp.moveaxis(to_floats(x), axis, -1)
    descending = jnp.flip(jnp.sort(x, axis=-1), axis=-1)
    rank = jnp.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    excess = jnp.cumsum(descending, axis=-1) - 1
    support = descending * rank > excess
    count = jnp.sum(support, axis=-1, keepdims=True)
    total = jnp.sum(jnp.where(support, descending, 0), axis=-1, keepdims=True)
    return jnp.moveaxis(jnp.maximum(x - (total - 1) / count, 0), -1, axis)
