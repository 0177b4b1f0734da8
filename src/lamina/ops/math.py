"""Functions that NumPy does not have: segments, top k, error functions, Fourier transforms.

In Keras's Fourier transforms complex numbers are pairs (real part, imaginary part).
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.types import Array, ArrayLike
from lamina.ops.arrays import as_array, as_axes, to_common_floats, to_floats
from lamina.ops.define import operations, set_name_and_docstring
from lamina.ops.specs import with_known_sizes

__all__ = [
    "cdist",
    "erf",
    "erfc",
    "erfinv",
    "fft",
    "fft2",
    "ifft2",
    "in_top_k",
    "irfft",
    "logdet",
    "logsumexp",
    "polar",
    "psnr",
    "rfft",
    "rsqrt",
    "segment_max",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "top_k",
    "view_as_complex",
    "view_as_real",
]

op = operations("math")


# ---- segments ----------------------------------------------------------------------------------


def _define_segment(name: str, compute: Callable, summary: str) -> Callable[..., Array]:
    def spec(
        data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
    ) -> KerasTensor:
        return KerasTensor((num_segments, *data.shape[1:]), data.dtype)

    def function(
        data: ArrayLike,
        segment_ids: ArrayLike,
        num_segments: int | None = None,
        sorted: bool = False,
    ) -> Array:
        ids = as_array(segment_ids)
        if num_segments is None and isinstance(ids, jax.core.Tracer):
            raise ValueError(
                f"{name} in a compiled step needs the number of segments.\n"
                f"  Fix: {name}(…, num_segments=…), one more than the largest id."
            )
        return compute(as_array(data), ids, num_segments, indices_are_sorted=sorted)

    docstring = f"""{summary}

    Args:
        data: Array `(values, ...)`.
        segment_ids: For every row the number of its segment, `(values,)`.
        num_segments: Number of segments; one more than the largest id for None.
        sorted: Whether the ids are in ascending order, which may be faster.

    Returns:
        Array `(num_segments, ...)`.
    """
    return op("data", "segment_ids", spec=spec)(set_name_and_docstring(function, name, docstring))


segment_sum = _define_segment(
    "segment_sum", jax.ops.segment_sum, "The sum of the rows of each segment."
)
segment_prod = _define_segment(
    "segment_prod", jax.ops.segment_prod, "The product of the rows of each segment."
)
segment_max = _define_segment(
    "segment_max", jax.ops.segment_max, "The largest row values of each segment."
)
segment_min = _define_segment(
    "segment_min", jax.ops.segment_min, "The smallest row values of each segment."
)


# ---- the largest values ------------------------------------------------------------------------


@op("x")
def top_k(x: ArrayLike, k: int, sorted: bool = True) -> tuple[Array, Array]:
    """The `k` largest values along the last axis, and their indices.

    Args:
        x: Any array.
        k: Number of values.
        sorted: Accepted for compatibility with Keras; they always come in descending order.

    Returns:
        Two arrays `(..., k)`: values and int32 indices.

    Example:
        >>> values, indices = top_k([1, 5, 3], k=2)
        >>> values.tolist(), indices.tolist()
        ([5, 3], [1, 2])
    """
    values, positions = jax.lax.top_k(as_array(x), k)
    return values, positions


@op("targets", "predictions", class_name="InTopK", index_arguments=("targets",))
def in_top_k(targets: ArrayLike, predictions: ArrayLike, k: int) -> Array:
    """True where the target is among the `k` classes with the highest scores, including ties.

    Args:
        targets: Class numbers, `(batch,)`.
        predictions: Scores, `(batch, classes)`.
        k: Number of scores.

    Returns:
        Booleans, `(batch,)`.

    Example:
        >>> in_top_k([2, 0], [[0.1, 0.6, 0.3], [0.1, 0.6, 0.3]], k=2).tolist()
        [True, False]
    """
    scores = as_array(predictions)
    target_scores = jnp.take_along_axis(scores, as_array(targets)[..., None], axis=-1)
    # NaN does not count as large.
    target_scores = jnp.where(jnp.isnan(target_scores), -jnp.inf, target_scores)
    return jnp.sum(scores > target_scores, axis=-1) < k


# ---- functions of numbers ----------------------------------------------------------------------

rsqrt = op.unary("rsqrt", jax.lax.rsqrt, "`1 / sqrt(x)`.", to_floats)
erf = op.unary("erf", jax.lax.erf, "The error function, -1 to 1.", to_floats)
erfc = op.unary("erfc", jax.scipy.special.erfc, "`1 - erf(x)`, exact for large values.", to_floats)
erfinv = op.unary("erfinv", jax.scipy.special.erfinv, "The inverse of `erf`.", to_floats)


@op("x")
def logsumexp(
    x: ArrayLike, axis: int | Sequence[int] | None = None, keepdims: bool = False
) -> Array:
    """`log(sum(exp(x)))` over axes, without overflow.

    Args:
        x: Array of any shape.
        axis: Axis or axes to reduce; None for all.
        keepdims: Whether these axes stay, of size 1.

    Returns:
        Array without these axes.

    Example:
        >>> round(float(logsumexp([1000.0, 1000.0])), 2)
        1000.69
    """
    return jax.scipy.special.logsumexp(to_floats(x), as_axes(axis), keepdims=keepdims)


@op("x")
def logdet(x: ArrayLike) -> Array:
    """The logarithm of the magnitude of the determinant of square matrices.

    Args:
        x: Array `(..., n, n)`.

    Returns:
        Array `(...)`.

    Example:
        >>> float(logdet([[1.0, 0.0], [0.0, 1.0]]))
        0.0
    """
    return jnp.linalg.slogdet(to_floats(x))[1]


@op("x", "y", class_name="CDist")
def cdist(x: ArrayLike, y: ArrayLike) -> Array:
    """The distance of every point of `x` from every point of `y`.

    Args:
        x: `(…, n, size)`.
        y: `(…, m, size)`.

    Returns:
        `(…, n, m)`.

    Example:
        >>> cdist([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]]).tolist()
        [[5.0, 1.0]]
    """
    x, y = to_common_floats(x, y)
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ValueError(
            "cdist needs points (…, n, size) and (…, m, size) of one size; received shapes "
            f"{x.shape} and {y.shape}."
        )
    return jnp.sqrt(jnp.sum(jnp.square(x[..., :, None, :] - y[..., None, :, :]), axis=-1))


# ---- Fourier transforms and complex numbers ----------------------------------------------------


@op("x", class_name="FFT", spec=with_known_sizes("fft", -1))
def fft(x: tuple[ArrayLike, ArrayLike]) -> tuple[Array, Array]:
    """The Fourier transform along the last axis, of and to (real, imaginary).

    Args:
        x: Real and imaginary part, arrays `(..., n)`.

    Returns:
        Real and imaginary part, arrays `(..., n)`.

    Example:
        >>> real, imaginary = fft((jnp.array([1.0, 1.0]), jnp.array([0.0, 0.0])))
        >>> real.tolist()
        [2.0, 0.0]
    """
    return _to_pair(jnp.fft.fft(_to_complex("fft", x)))


@op("x", class_name="FFT2", spec=with_known_sizes("fft2", -2, -1))
def fft2(x: tuple[ArrayLike, ArrayLike]) -> tuple[Array, Array]:
    """The Fourier transform over the last two axes, of and to (real, imaginary).

    Args:
        x: Real and imaginary part, arrays `(..., m, n)`.

    Returns:
        Real and imaginary part, arrays `(..., m, n)`.
    """
    return _to_pair(jnp.fft.fft2(_to_complex("fft2", x)))


@op("x", class_name="IFFT2", spec=with_known_sizes("ifft2", -2, -1))
def ifft2(x: tuple[ArrayLike, ArrayLike]) -> tuple[Array, Array]:
    """The inverse of `fft2`.

    Args:
        x: Real and imaginary part, arrays `(..., m, n)`.

    Returns:
        Real and imaginary part, arrays `(..., m, n)`.
    """
    return _to_pair(jnp.fft.ifft2(_to_complex("ifft2", x)))


@op("x", class_name="RFFT")
def rfft(x: ArrayLike, fft_length: int | None = None) -> tuple[Array, Array]:
    """The Fourier transform of real values along the last axis, as (real, imaginary).

    Args:
        x: `(…, time)`.
        fft_length: Cut or pad with zeros to this many steps.

    Returns:
        Two arrays `(…, steps // 2 + 1)`.

    Example:
        >>> real, imaginary = rfft([1.0, 2.0, 3.0, 2.0])
        >>> real.tolist()
        [8.0, -2.0, 0.0]
    """
    return _to_pair(jnp.fft.rfft(to_floats(x), fft_length))


@op("x", class_name="IRFFT")
def irfft(x: tuple[ArrayLike, ArrayLike], fft_length: int | None = None) -> Array:
    """The inverse of `rfft`.

    Args:
        x: Real and imaginary part, arrays `(..., frequencies)`.
        fft_length: Size of the result's last axis; `2 * (frequencies - 1)` for None.

    Returns:
        Array `(..., fft_length)`.

    Example:
        >>> irfft(rfft([1.0, 2.0, 3.0, 2.0])).tolist()
        [1.0, 2.0, 3.0, 2.0]
    """
    return jnp.fft.irfft(_to_complex("irfft", x), fft_length)


@op("x")
def view_as_complex(x: ArrayLike) -> Array:
    """Complex numbers from pairs, `(…, 2)` to `(…)`.

    Args:
        x: Array `(..., 2)`: real and imaginary parts.

    Returns:
        Array `(...)` of complex numbers.

    Raises:
        ValueError: If the last axis has another size.

    Example:
        >>> view_as_complex([[1.0, 2.0]]).tolist()
        [(1+2j)]
    """
    x = to_floats(x)
    if x.shape[-1:] != (2,):
        raise ValueError(f"view_as_complex needs pairs (…, 2); received shape {x.shape}.")
    return jax.lax.complex(x[..., 0].astype("float32"), x[..., 1].astype("float32"))


@op("x")
def view_as_real(x: ArrayLike) -> Array:
    """Pairs (real part, imaginary part), `(…)` to `(…, 2)`.

    Args:
        x: Array `(...)` of complex numbers.

    Returns:
        Array `(..., 2)` of floats.

    Example:
        >>> view_as_real([1 + 2j]).tolist()
        [[1.0, 2.0]]
    """
    return jnp.stack(_to_pair(as_array(x)), axis=-1)


def _to_complex(caller: str, x: Any) -> Array:
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError(f"{caller} needs a pair (real, imaginary); received {type(x).__name__}.")
    real, imaginary = (to_floats(part) for part in x)
    if real.shape != imaginary.shape:
        raise ValueError(
            f"{caller} needs real and imaginary parts of one shape; received {real.shape} and "
            f"{imaginary.shape}."
        )
    return jax.lax.complex(real, imaginary)


def _to_pair(z: Array) -> tuple[Array, Array]:
    return jnp.real(z), jnp.imag(z)


# ---- functions of Keras's `ops.nn` -----------------------------------------------------------

nn_op = operations("nn")


@nn_op("abs_", "angle")
def polar(abs_: ArrayLike, angle: ArrayLike) -> Array:
    """Complex numbers from magnitude and angle (radians).

    Args:
        abs_: Magnitudes, an array of any shape.
        angle: Angles in radians, of a shape that broadcasts against it.

    Returns:
        Array of complex numbers.

    Example:
        >>> polar([2.0], [0.0]).tolist()
        [(2+0j)]
    """
    magnitude, angles = to_common_floats(abs_, angle)
    return jax.lax.complex(magnitude * jnp.cos(angles), magnitude * jnp.sin(angles))


@nn_op("x1", "x2", class_name="PSNR")
def psnr(x1: ArrayLike, x2: ArrayLike, max_val: float) -> Array:
    """Peak signal-to-noise ratio of two images, in decibels; higher means more similar.

    `20 * log10(max_val) - 10 * log10(mean((x1 - x2)²))`, over all values.

    Args:
        x1, x2: Arrays of one shape.
        max_val: The largest possible value, e.g. 255.

    Returns:
        A scalar, in decibels.

    Example:
        >>> round(float(psnr(jnp.zeros((2, 2)), jnp.full((2, 2), 0.1), max_val=1.0)), 3)
        20.0
    """
    result_dtype = to_floats(x2).dtype
    x1, x2 = to_common_floats(x1, x2)
    if x1.shape != x2.shape:
        raise ValueError(f"psnr compares one shape; received {x1.shape} and {x2.shape}.")
    highest = as_array(max_val).astype(result_dtype)
    return 20 * jnp.log10(highest) - 10 * jnp.log10(jnp.mean(jnp.square(x1 - x2)))
