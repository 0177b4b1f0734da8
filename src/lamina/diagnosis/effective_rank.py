"""The effective rank of a kernel: in how many directions it acts about equally strongly."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# Products of numbers that the rank of one kernel may take, about half a second on two cores.
MOST_PRODUCTS = 2 * 10**9


def effective_rank(kernel: jax.Array) -> jax.Array:
    """The participation ratio of the squared singular values, from 1 to the largest rank.

    `sum(s²)² / sum(s⁴)`, where `s` are the singular values of the kernel as a matrix
    `(inputs, units)`. It is `n` for `n` equal singular values, and near 1 if one of them is far
    larger than the others. It needs one matrix product and no decomposition.

    Args:
        kernel: `(..., units)`; all axes but the last are inputs.

    Source: Gao et al., 2017, "A theory of multineuronal dimensionality, dynamics and
    measurement", bioRxiv 214262.

    Example:
        >>> round(float(effective_rank(jnp.diag(jnp.array([1.0, 1.0, 1.0, 0.0])))), 4)
        3.0
    """
    matrix = kernel.reshape(-1, kernel.shape[-1]).astype("float32")
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    # Scaled, so that fourth powers of small weights do not vanish.
    matrix = matrix / jnp.maximum(jnp.abs(matrix).max(), jnp.finfo("float32").tiny)
    products = matrix.T @ matrix
    squares = jnp.sum(jnp.square(products))
    return jnp.square(jnp.trace(products)) / jnp.maximum(squares, jnp.finfo("float32").tiny)


def largest_rank(kernel: Any) -> int | None:
    """The largest rank that a kernel can have; None if its rank says nothing or costs too much.

    Args:
        kernel: An array or Variable `(..., units)`.

    Example:
        >>> largest_rank(np.zeros((3, 3, 16, 32))), largest_rank(np.zeros((25_000, 4096)))
        (32, None)
    """
    if len(kernel.shape) < 2:
        return None
    rows, columns = int(np.prod(kernel.shape[:-1])), int(kernel.shape[-1])
    largest = min(rows, columns)
    return largest if largest > 1 and rows * columns * largest <= MOST_PRODUCTS else None
