"""Random arrays, under Keras's names, from a seed, a SeedGenerator or the global generator.

Every function takes `seed`: an integer gives the same values at every call; a `SeedGenerator` gives
new values at every call; None uses the global generator, which `set_random_seed` seeds.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration.dtypes import is_float, standardize_dtype
from lamina.core.messages.errors import suggest_similar_names
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.serialization import registry
from lamina.core.types import Array, ArrayLike, DTypeLike
from lamina.core.variable.hashing import hashed_bits
from lamina.core.variable.seed import SeedGenerator, draw_key
from lamina.ops.arrays import as_array

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "normal",
    "randint",
    "shuffle",
    "truncated_normal",
    "uniform",
]

Seed = Any  # int | SeedGenerator | a key of jax.random | None


@filter_traceback
def normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: DTypeLike | None = None,
    seed: Seed = None,
) -> Array:
    """Normally distributed values.

    Args:
        shape: Shape of the result.
        mean: Mean of the distribution.
        stddev: Its standard deviation.
        dtype: A float dtype; `floatx()` for None.
        seed: Integer, `SeedGenerator` or None.

    Returns:
        Array of the given shape.

    Example:
        >>> normal((2, 3), seed=1).shape
        (2, 3)
    """
    sample = jax.random.normal(_key(seed), _shape(shape), _float_dtype("normal", dtype))
    return sample * as_array(stddev) + as_array(mean)


@filter_traceback
def uniform(
    shape: Sequence[int],
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: DTypeLike | None = None,
    seed: Seed = None,
) -> Array:
    """Uniformly distributed values in `[minval, maxval)`.

    Args:
        shape: Shape of the result.
        minval: Smallest possible value.
        maxval: Upper bound, not included.
        dtype: A float dtype; `floatx()` for None. For integers, use `randint`.
        seed: Integer, `SeedGenerator` or None.

    Returns:
        Array of the given shape.

    Example:
        >>> x = uniform((1000,), minval=2.0, maxval=3.0, seed=1)
        >>> bool(((x >= 2) & (x < 3)).all())
        True
    """
    dtype = _float_dtype("uniform", dtype)
    return jax.random.uniform(_key(seed), _shape(shape), dtype, as_array(minval), as_array(maxval))


@filter_traceback
def truncated_normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: DTypeLike | None = None,
    seed: Seed = None,
) -> Array:
    """Normally distributed values, none further than two standard deviations from the mean.

    Args:
        shape: Shape of the result.
        mean: Mean of the distribution.
        stddev: Standard deviation before truncation, which reduces it by a factor of 0.88.
        dtype: A float dtype; `floatx()` for None.
        seed: Integer, `SeedGenerator` or None.

    Returns:
        Array of the given shape.

    Example:
        >>> float(abs(truncated_normal((1000,), seed=1)).max()) <= 2.0
        True
    """
    dtype = _float_dtype("truncated_normal", dtype)
    sample = jax.random.truncated_normal(_key(seed), -2.0, 2.0, _shape(shape), dtype)
    return sample * as_array(stddev) + as_array(mean)


@filter_traceback
def randint(
    shape: Sequence[int], minval: int, maxval: int, dtype: DTypeLike = "int32", seed: Seed = None
) -> Array:
    """Integers from `minval` to `maxval - 1`, all equally likely.

    Args:
        shape: Shape of the result.
        minval: Smallest possible value.
        maxval: Upper bound, not included.
        dtype: An integer dtype.
        seed: Integer, `SeedGenerator` or None.

    Returns:
        Array of the given shape.

    Example:
        >>> sorted(set(randint((100,), 0, 3, seed=1).tolist()))
        [0, 1, 2]
    """
    dtype = standardize_dtype(dtype)
    if not jnp.issubdtype(dtype, jnp.integer):
        raise ValueError(f"randint gives integers; received dtype={dtype!r}. See uniform().")
    return jax.random.randint(_key(seed), _shape(shape), as_array(minval), as_array(maxval), dtype)


@filter_traceback
def categorical(
    logits: ArrayLike, num_samples: int, dtype: DTypeLike = "int32", seed: Seed = None
) -> Array:
    """Class indices, drawn with the probabilities `softmax(logits)`.

    Args:
        logits: Unnormalised log-probabilities, `(batch, classes)`.
        num_samples: Number of draws for each row, with replacement.
        dtype: Dtype of the result.
        seed: Integer, `SeedGenerator` or None.

    Returns:
        `(batch, num_samples)`.

    Example:
        >>> categorical(jnp.array([[0.0, 50.0]]), num_samples=3, seed=1).tolist()
        [[1, 1, 1]]
    """
    logits = as_array(logits)
    if logits.ndim != 2:
        raise ValueError(f"categorical needs logits (batch, classes); received {logits.shape}.")
    shape = (logits.shape[0], num_samples)
    samples = jax.random.categorical(_key(seed), logits[:, None, :], axis=-1, shape=shape)
    return samples.astype(standardize_dtype(dtype))


@filter_traceback
def shuffle(x: ArrayLike, axis: int = 0, seed: Seed = None) -> Array:
    """Shuffle the values along one axis, independently for each position on the other axes.

    Args:
        x: Any array.
        axis: The axis to shuffle along.
        seed: Integer, `SeedGenerator` or None.

    Returns:
        Array of the shape of the inputs.

    Example:
        >>> sorted(shuffle(jnp.arange(4), seed=1).tolist())
        [0, 1, 2, 3]
    """
    return jax.random.permutation(_key(seed), as_array(x), axis, independent=True)


@filter_traceback
def dropout(
    inputs: ArrayLike,
    rate: float,
    noise_shape: Sequence[int | None] | None = None,
    seed: Seed = None,
) -> Array:
    """Sets a fraction of the values to zero and scales the others, which preserves the mean.

    Args:
        inputs: Any float array.
        rate: Fraction from 0 to 1 of the values to drop.
        noise_shape: Shape of the dropout mask; it is broadcast along axes of size 1. None for one
            axis means the input's size on that axis; None alone means the input's shape.
        seed: Integer, `SeedGenerator` or None.

    Returns:
        Array of the shape of the inputs.

    Source: Srivastava et al., 2014, "Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting", Journal of Machine Learning Research 15.

    Example:
        >>> sorted(set(dropout(jnp.ones(100), rate=0.5, seed=1).tolist()))
        [0.0, 2.0]
    """
    inputs = as_array(inputs)
    if not 0 <= rate <= 1:
        raise ValueError(f"dropout needs a rate between 0 and 1; received {rate}.")
    if rate == 0:
        return inputs
    if rate == 1:
        return jnp.zeros_like(inputs)
    if noise_shape is None:
        shape = inputs.shape
    else:
        sizes = zip(noise_shape, inputs.shape, strict=True)
        shape = tuple(size if requested is None else requested for requested, size in sizes)
    # A cheap hash is random enough to choose the dropped values.
    is_kept = hashed_bits(_key(seed), shape) >= np.uint32(round(rate * 2**32))
    return jnp.where(is_kept, inputs / (1.0 - rate), jnp.zeros((), inputs.dtype))


@filter_traceback
def gamma(
    shape: Sequence[int], alpha: ArrayLike, dtype: DTypeLike | None = None, seed: Seed = None
) -> Array:
    """Gamma-distributed values with scale 1.

    Args:
        shape: Shape of the result.
        alpha: Shape parameter, which is also the mean; broadcast to `shape`.
        dtype: A float dtype; `floatx()` for None.
        seed: Integer, `SeedGenerator` or None.

    Returns:
        Array of the given shape.

    Example:
        >>> gamma((2, 3), alpha=0.5, seed=1).shape
        (2, 3)
    """
    alpha = as_array(alpha).astype(_float_dtype("gamma", dtype))
    return jax.random.gamma(_key(seed), alpha, _shape(shape), _float_dtype("gamma", dtype))


@filter_traceback
def binomial(
    shape: Sequence[int],
    counts: ArrayLike,
    probabilities: ArrayLike,
    dtype: DTypeLike | None = None,
    seed: Seed = None,
) -> Array:
    """Numbers of successes in `counts` independent trials.

    Args:
        shape: Shape of the result.
        counts: Number of trials; broadcast to `shape`.
        probabilities: Probability of success, 0 to 1; broadcast to `shape`.
        dtype: A float dtype; `floatx()` for None.
        seed: Integer, `SeedGenerator` or None.

    Returns:
        Array of the given shape.

    Example:
        >>> binomial((3,), counts=5, probabilities=1.0, seed=1).tolist()
        [5.0, 5.0, 5.0]
    """
    dtype = _float_dtype("binomial", dtype)
    counts, probabilities = as_array(counts).astype(dtype), as_array(probabilities).astype(dtype)
    return jax.random.binomial(_key(seed), counts, probabilities, _shape(shape), dtype)


@filter_traceback
def beta(
    shape: Sequence[int],
    alpha: ArrayLike,
    beta: ArrayLike,
    dtype: DTypeLike | None = None,
    seed: Seed = None,
) -> Array:
    """Beta-distributed values between 0 and 1, with mean `alpha / (alpha + beta)`.

    Args:
        shape: Shape of the result.
        alpha: First shape parameter; broadcast to `shape`.
        beta: Second shape parameter; broadcast to `shape`.
        dtype: A float dtype; `floatx()` for None.
        seed: Integer, `SeedGenerator` or None.

    Returns:
        Array of the given shape.

    Example:
        >>> beta((2, 3), alpha=2.0, beta=3.0, seed=1).shape
        (2, 3)
    """
    dtype = _float_dtype("beta", dtype)
    a, b = as_array(alpha).astype(dtype), as_array(beta).astype(dtype)
    return jax.random.beta(_key(seed), a, b, _shape(shape), dtype)


def _key(seed: Seed) -> Array:
    return seed if isinstance(seed, jax.Array) else draw_key(seed)


def _shape(shape: Any) -> tuple:
    sizes = tuple(shape) if hasattr(shape, "__iter__") else (None,)
    # Other types are not refused: a size may be the unknown batch axis of a model being exported.
    if any(n is None or isinstance(n, (float, str)) or _is_negative(n) for n in sizes):
        raise ValueError(
            f"A shape is a list or tuple of integers, 0 or more; received {shape!r}.\n"
            "  Fix: e.g. shape=(32, 10), or shape=(3,) for three numbers."
        )
    return sizes


def _is_negative(size: Any) -> bool:
    return isinstance(size, (int, np.integer)) and bool(size < 0)


def _float_dtype(caller: str, dtype: DTypeLike | None) -> str:
    dtype = standardize_dtype(dtype)
    if not is_float(dtype):
        raise ValueError(f"{caller} gives floats; received dtype={dtype!r}. See randint().")
    return dtype


registry.register_namespace("keras.random", {"SeedGenerator": SeedGenerator})

suggest_similar_names(__name__)
