"""The mathematics of neural networks on arrays: activations, normalisation, one-hot, convolution.

Plain functions without weights; layers, losses and users' own code call them. Whole numbers are
taken for floats where the result needs them.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core import config
from lamina.core.dtypes import standardize_dtype
from lamina.core.errors import LaminaWarning
from lamina.core.variable import Array, ArrayLike
from lamina.ops.convolution import conv
from lamina.ops.pooling import average_pool, max_pool

__all__ = [
    "average_pool",
    "batch_normalization",
    "celu",
    "conv",
    "elu",
    "embedding_lookup",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "layer_normalization",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "max_pool",
    "moments",
    "multi_hot",
    "normalize",
    "one_hot",
    "relu",
    "relu6",
    "rms_normalization",
    "selu",
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
    "tanh_shrink",
    "threshold",
]

Axes = int | Sequence[int]


# ---- activations -----------------------------------------------------------------------------


def relu(x: ArrayLike) -> Array:
    """`max(x, 0)`.

    Example:
        >>> relu(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    return jax.nn.relu(_array(x))


def relu6(x: ArrayLike) -> Array:
    """`min(max(x, 0), 6)`.

    Example:
        >>> relu6(jnp.array([-1.0, 2.0, 8.0])).tolist()
        [0.0, 2.0, 6.0]
    """
    return jax.nn.relu6(_array(x))


def leaky_relu(x: ArrayLike, negative_slope: float = 0.2) -> Array:
    """`x` where it is positive, `negative_slope * x` elsewhere.

    Example:
        >>> leaky_relu(jnp.array([-1.0, 2.0]), negative_slope=0.5).tolist()
        [-0.5, 2.0]
    """
    return jax.nn.leaky_relu(_array(x), negative_slope)


def elu(x: ArrayLike, alpha: float = 1.0) -> Array:
    """`x` where it is positive, `alpha * (exp(x) - 1)` elsewhere.

    Source: Clevert et al., 2015, "Fast and Accurate Deep Network Learning by Exponential Linear
    Units", arXiv:1511.07289.

    Example:
        >>> elu(jnp.array([0.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    return jax.nn.elu(_floats(x), alpha)


def celu(x: ArrayLike, alpha: float = 1.0) -> Array:
    """`max(x, 0) + min(0, alpha * (exp(x / alpha) - 1))`: an ELU with a continuous slope.

    Source: Barron, 2017, "Continuously Differentiable Exponential Linear Units", arXiv:1704.07483.

    Example:
        >>> celu(jnp.array([0.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    return jax.nn.celu(_floats(x), alpha)


def selu(x: ArrayLike) -> Array:
    """A scaled ELU that keeps mean 0 and variance 1 through deep networks.

    Source: Klambauer et al., 2017, "Self-Normalizing Neural Networks", arXiv:1706.02515.

    Example:
        >>> round(float(selu(jnp.array(1.0))), 4)
        1.0507
    """
    return jax.nn.selu(_floats(x))


def gelu(x: ArrayLike, approximate: bool = True) -> Array:
    """`x` times the probability that a standard normal value is below `x`.

    Args:
        x: Any array.
        approximate: Use the formula with tanh, off by 0.001 at most.

    Source: Hendrycks and Gimpel, 2016, "Gaussian Error Linear Units", arXiv:1606.08415.

    Example:
        >>> round(float(gelu(jnp.array(1.0), approximate=False)), 4)
        0.8413
    """
    return jax.nn.gelu(_floats(x), approximate)


def silu(x: ArrayLike) -> Array:
    """`x * sigmoid(x)`, also called swish.

    Source: Ramachandran et al., 2017, "Searching for Activation Functions", arXiv:1710.05941.

    Example:
        >>> round(float(silu(jnp.array(1.0))), 4)
        0.7311
    """
    return jax.nn.silu(_floats(x))


swish = silu


def glu(x: ArrayLike, axis: int = -1) -> Array:
    """The first half of the values along an axis, each times the sigmoid of its partner.

    Source: Dauphin et al., 2016, "Language Modeling with Gated Convolutional Networks",
    arXiv:1612.08083.

    Example:
        >>> glu(jnp.array([2.0, 0.0])).tolist()
        [1.0]
    """
    x = _floats(x)
    if x.shape[axis] % 2:
        raise ValueError(f"glu needs an even size on axis {axis}; received shape {x.shape}.")
    return jax.nn.glu(x, axis)


def sigmoid(x: ArrayLike) -> Array:
    """`1 / (1 + exp(-x))`: any number to a probability.

    Example:
        >>> float(sigmoid(jnp.array(0.0)))
        0.5
    """
    return jax.nn.sigmoid(_floats(x))


def hard_sigmoid(x: ArrayLike) -> Array:
    """`relu6(x + 3) / 6`: a sigmoid of three straight lines.

    Example:
        >>> hard_sigmoid(jnp.array([-3.0, 0.0, 3.0])).tolist()
        [0.0, 0.5, 1.0]
    """
    return jax.nn.hard_sigmoid(_floats(x))


def sparse_sigmoid(x: ArrayLike) -> Array:
    """`(x + 1) / 2`, cut off at 0 and 1.

    Example:
        >>> sparse_sigmoid(jnp.array([-2.0, 0.0, 2.0])).tolist()
        [0.0, 0.5, 1.0]
    """
    return jax.nn.sparse_sigmoid(_floats(x))


def log_sigmoid(x: ArrayLike) -> Array:
    """`log(sigmoid(x))`, without overflow.

    Example:
        >>> float(log_sigmoid(jnp.array(-1000.0)))
        -1000.0
    """
    return jax.nn.log_sigmoid(_floats(x))


def hard_silu(x: ArrayLike) -> Array:
    """`x * hard_sigmoid(x)`, also called hard swish.

    Source: Howard et al., 2019, "Searching for MobileNetV3", arXiv:1905.02244.

    Example:
        >>> hard_silu(jnp.array([0.0, 3.0, 9.0])).tolist()
        [0.0, 3.0, 9.0]
    """
    return jax.nn.hard_silu(_floats(x))


hard_swish = hard_silu


def softplus(x: ArrayLike) -> Array:
    """`log(1 + exp(x))`, without overflow: a smooth ReLU.

    Example:
        >>> round(float(softplus(jnp.array(0.0))), 4)
        0.6931
    """
    return jax.nn.softplus(_floats(x))


def sparse_plus(x: ArrayLike) -> Array:
    """0 up to -1, `(x + 1)² / 4` up to 1, `x` beyond.

    Example:
        >>> sparse_plus(jnp.array([-1.0, 0.0, 2.0])).tolist()
        [0.0, 0.25, 2.0]
    """
    return jax.nn.sparse_plus(_floats(x))


def squareplus(x: ArrayLike, b: float = 4) -> Array:
    """`(x + sqrt(x² + b)) / 2`: a smooth ReLU without exponentials.

    Source: Barron, 2021, "Squareplus", arXiv:2112.11687.

    Example:
        >>> float(squareplus(jnp.array(0.0)))
        1.0
    """
    return jax.nn.squareplus(_floats(x), b)


def softsign(x: ArrayLike) -> Array:
    """`x / (1 + |x|)`.

    Example:
        >>> softsign(jnp.array([-1.0, 1.0])).tolist()
        [-0.5, 0.5]
    """
    return jax.nn.soft_sign(_floats(x))


def soft_shrink(x: ArrayLike, threshold: float = 0.5) -> Array:
    """Moves values towards zero by `threshold`; smaller ones become zero.

    Example:
        >>> soft_shrink(jnp.array([-1.0, 0.2, 1.0])).tolist()
        [-0.5, 0.0, 0.5]
    """
    x = _floats(x)
    return jnp.where(x > threshold, x - threshold, jnp.where(x < -threshold, x + threshold, 0.0))


def hard_shrink(x: ArrayLike, threshold: float = 0.5) -> Array:
    """Keeps values further than `threshold` from zero; others become zero.

    Example:
        >>> hard_shrink(jnp.array([-1.0, 0.2, 1.0])).tolist()
        [-1.0, 0.0, 1.0]
    """
    x = _floats(x)
    return jnp.where(jnp.abs(x) > threshold, x, 0.0)


def tanh_shrink(x: ArrayLike) -> Array:
    """`x - tanh(x)`.

    Example:
        >>> float(tanh_shrink(jnp.array(0.0)))
        0.0
    """
    x = _floats(x)
    return x - jnp.tanh(x)


def hard_tanh(x: ArrayLike) -> Array:
    """`x`, cut off at -1 and 1.

    Example:
        >>> hard_tanh(jnp.array([-2.0, 0.5, 2.0])).tolist()
        [-1.0, 0.5, 1.0]
    """
    return jax.nn.hard_tanh(_array(x))


def threshold(x: ArrayLike, threshold: float, default_value: float) -> Array:
    """`x` where it is above `threshold`, `default_value` elsewhere.

    Example:
        >>> threshold(jnp.array([-1.0, 2.0]), threshold=0.0, default_value=9.0).tolist()
        [9.0, 2.0]
    """
    x = _array(x)
    return jnp.where(x > threshold, x, jnp.asarray(default_value, x.dtype))


def softmax(x: ArrayLike, axis: Axes = -1) -> Array:
    """`exp(x) / sum(exp(x))` along one or several axes: any numbers to probabilities.

    Example:
        >>> softmax(jnp.array([0.0, 0.0])).tolist()
        [0.5, 0.5]
    """
    x = _floats(x)
    if isinstance(axis, int) and x.ndim and x.shape[axis] == 1:
        warnings.warn(
            f"softmax over axis {axis} of shape {x.shape}: a single value always becomes 1.\n"
            "  Likely meant: sigmoid, the probability of one class.",
            LaminaWarning,
            stacklevel=2,
        )
    return jax.nn.softmax(x, _axes(axis))


def log_softmax(x: ArrayLike, axis: Axes = -1) -> Array:
    """`log(softmax(x))`, without overflow.

    Example:
        >>> log_softmax(jnp.array([0.0, -1000.0])).tolist()
        [0.0, -1000.0]
    """
    return jax.nn.log_softmax(_floats(x), _axes(axis))


def sparsemax(x: ArrayLike, axis: int = -1) -> Array:
    """The nearest point to `x` whose values are probabilities: many of them exactly 0.

    Source: Martins and Astudillo, 2016, "From Softmax to Sparsemax", arXiv:1602.02068.

    Example:
        >>> sparsemax(jnp.array([1.0, 0.5, -1.0])).tolist()
        [0.75, 0.25, 0.0]
    """
    x = jnp.moveaxis(_floats(x), axis, -1)
    descending = jnp.flip(jnp.sort(x, axis=-1), axis=-1)
    rank = jnp.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    excess = jnp.cumsum(descending, axis=-1) - 1
    support = descending * rank > excess
    count = jnp.sum(support, axis=-1, keepdims=True)
    total = jnp.sum(jnp.where(support, descending, 0), axis=-1, keepdims=True)
    return jnp.moveaxis(jnp.maximum(x - (total - 1) / count, 0), -1, axis)


# ---- normalisation ---------------------------------------------------------------------------


def moments(
    x: ArrayLike, axes: Axes, keepdims: bool = False, synchronized: bool = False
) -> tuple[Array, Array]:
    """Mean and variance over axes; half-size floats are summed in float32.

    Args:
        x: Any array.
        axes: Axes to average over.
        keepdims: Keep those axes with size 1.
        synchronized: Accepted for compatibility. Arrays are global, however many devices hold
            them, so the statistics always are.

    Example:
        >>> mean, variance = moments(jnp.array([1.0, 3.0]), axes=0)
        >>> float(mean), float(variance)
        (2.0, 1.0)
    """
    x = _floats(x)
    wide = x.astype(_at_least_float32(x))
    mean = jnp.mean(wide, _axes(axes), keepdims=keepdims)
    variance = jnp.var(wide, _axes(axes), keepdims=keepdims)
    return mean.astype(x.dtype), variance.astype(x.dtype)


def batch_normalization(
    x: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    axis: int,
    offset: ArrayLike | None = None,
    scale: ArrayLike | None = None,
    epsilon: float = 1e-3,
) -> Array:
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`, each a vector along one axis.

    Args:
        x: Any array.
        mean, variance, offset, scale: Vectors of the size of `axis`; offset and scale may be None.
        axis: The axis of the channels.
        epsilon: Keeps the division finite.

    Example:
        >>> x = jnp.array([[1.0], [3.0]])
        >>> batch_normalization(x, mean=[2.0], variance=[1.0], axis=-1, epsilon=0.0).tolist()
        [[-1.0], [1.0]]
    """
    x = _floats(x)
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    factor = lax.rsqrt(_floats(variance) + epsilon)
    if scale is not None:
        factor = factor * _floats(scale)
    shift = -_floats(mean) * factor
    if offset is not None:
        shift = shift + _floats(offset)
    return x * factor.reshape(shape) + shift.reshape(shape)


def layer_normalization(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    axis: Axes = -1,
    epsilon: float | None = None,
) -> Array:
    """Every sample with mean 0 and variance 1 over some axes, then times gamma, plus beta.

    Args:
        x: Any array.
        gamma, beta: Arrays with the shape of those axes, or None.
        axis: One axis or several.
        epsilon: Keeps the division finite; `lamina.config.epsilon()` for None.

    Source: Ba et al., 2016, "Layer Normalization", arXiv:1607.06450.

    Example:
        >>> layer_normalization(jnp.array([[1.0, 3.0]])).round(3).tolist()
        [[-1.0, 1.0]]
    """
    x = _floats(x)
    wide = x.astype(_at_least_float32(x))
    mean, variance = moments(wide, axis, keepdims=True)
    factor = lax.rsqrt(variance + (config.epsilon() if epsilon is None else epsilon))
    shift = -mean * factor
    if gamma is not None:
        gamma = _along(gamma, wide, axis)
        factor, shift = factor * gamma, shift * gamma
    if beta is not None:
        shift = shift + _along(beta, wide, axis)
    return (wide * factor + shift).astype(x.dtype)


def rms_normalization(
    x: ArrayLike, scale: ArrayLike | None = None, axis: Axes = -1, epsilon: float | None = None
) -> Array:
    """Divides every sample by the root of its mean square over some axes, then times scale.

    Args:
        x: Any array.
        scale: Array with the shape of those axes, or None.
        axis: One axis or several.
        epsilon: Keeps the division finite; `lamina.config.epsilon()` for None.

    Source: Zhang and Sennrich, 2019, "Root Mean Square Layer Normalization", arXiv:1910.07467.

    Example:
        >>> rms_normalization(jnp.array([[2.0, 2.0]])).round(3).tolist()
        [[1.0, 1.0]]
    """
    x = _floats(x)
    wide = x.astype(_at_least_float32(x))
    square = jnp.mean(jnp.square(wide), _axes(axis), keepdims=True)
    wide = wide * lax.rsqrt(square + (config.epsilon() if epsilon is None else epsilon))
    if scale is not None:
        wide = wide * _along(scale, wide, axis)
    return wide.astype(x.dtype)


def normalize(x: ArrayLike, axis: Axes = -1, order: int = 2, epsilon: float | None = None) -> Array:
    """Vectors along an axis scaled to norm 1.

    Args:
        x: Any array.
        axis: The axis of the vectors, or two for matrices.
        order: 1 for the sum of magnitudes, 2 for the Euclidean norm, and so on.
        epsilon: The smallest norm to divide by; `lamina.config.epsilon()` for None.

    Example:
        >>> normalize(jnp.array([[3.0, 4.0]])).round(3).tolist()
        [[0.6..., 0.8...]]
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"normalize needs an order of 1, 2, …; received {order!r}.")
    x = jnp.atleast_1d(_floats(x))
    epsilon = config.epsilon() if epsilon is None else epsilon
    if order == 2:
        wide = x.astype(_at_least_float32(x))  # squares, and 1 / epsilon, overflow a float16
        square = jnp.sum(jnp.square(wide), _axes(axis), keepdims=True)
        return (wide * jnp.minimum(lax.rsqrt(square), 1 / epsilon)).astype(x.dtype)
    norm = jnp.linalg.norm(x, order, _axes(axis), keepdims=True)
    return x / jnp.maximum(norm, epsilon)


# ---- classes and tokens as vectors -------------------------------------------------------------


def one_hot(x: ArrayLike, num_classes: int, axis: int = -1, dtype: Any = None) -> Array:
    """Class numbers as vectors with a single 1; a number out of range gives zeros only.

    Args:
        x: Whole numbers from 0 to `num_classes - 1`.
        num_classes: Size of the new axis.
        axis: Where the new axis goes.
        dtype: Type of the result; `floatx()` for None.

    Example:
        >>> one_hot(jnp.array([0, 2]), num_classes=3).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    x = _array(x)
    return jax.nn.one_hot(x, num_classes, dtype=standardize_dtype(dtype), axis=axis)


def multi_hot(x: ArrayLike, num_classes: int, axis: int = -1, dtype: Any = None) -> Array:
    """Lists of class numbers as vectors with a 1 for every class in the list.

    Args:
        x: Whole numbers; the last axis lists the classes of a sample.
        num_classes: Size of the new last axis, which takes the place of the list.
        axis: Where the classes go in the result.
        dtype: Type of the result; `floatx()` for None.

    Example:
        >>> multi_hot(jnp.array([[0, 2]]), num_classes=3).tolist()
        [[1.0, 0.0, 1.0]]
    """
    return jnp.moveaxis(jnp.max(one_hot(x, num_classes, dtype=dtype), axis=-2), -1, axis)


def embedding_lookup(embeddings: ArrayLike, indices: ArrayLike) -> Array:
    """Rows of a table; an index outside the table gives NaN.

    Args:
        embeddings: Table, `(rows, size)`.
        indices: Whole numbers of any shape.

    Returns:
        `(*indices, size)`.

    Example:
        >>> embedding_lookup(jnp.array([[1.0], [2.0]]), jnp.array([1, 0])).tolist()
        [[2.0], [1.0]]
    """
    return jnp.take(_array(embeddings), _array(indices), axis=0)


def _array(x: ArrayLike) -> Array:
    return jnp.asarray(getattr(x, "value", x))


def _floats(x: ArrayLike) -> Array:
    x = _array(x)
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(config.floatx())


def _at_least_float32(x: Array) -> Any:
    return jnp.promote_types(x.dtype, "float32")


def _axes(axis: Axes) -> int | tuple[int, ...]:
    return axis if isinstance(axis, int) else tuple(axis)


def _along(vector: ArrayLike, x: Array, axis: Axes) -> Array:
    """A vector (or array) that spans some axes of x, shaped so that it broadcasts against x."""
    axes = {a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis)}
    shape = [size if a in axes else 1 for a, size in enumerate(x.shape)]
    return _array(vector).astype(x.dtype).reshape(shape)
