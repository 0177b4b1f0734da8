"""Classes and tokens as vectors."""

import jax
import jax.numpy as jnp

from lamina.core.configuration.dtypes import standardize_dtype
from lamina.core.types import Array, ArrayLike, DTypeLike
from lamina.ops.arrays import as_array, refuse_sparse_and_ragged
from lamina.ops.define import operations

op = operations("nn")


@op("x")
def one_hot(
    x: ArrayLike,
    num_classes: int,
    axis: int = -1,
    dtype: DTypeLike | None = None,
    sparse: bool = False,
) -> Array:
    """Class numbers as vectors with a single 1; a number out of range gives zeros only.

    Args:
        x: Integers from 0 to `num_classes - 1`.
        num_classes: Size of the new axis.
        axis: Position of the new axis.
        dtype: Type of the result; `floatx()` for None.
        sparse: Must be False.

    Returns:
        Array with a new axis of `num_classes`.

    Example:
        >>> one_hot(jnp.array([0, 2]), num_classes=3).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    refuse_sparse_and_ragged("one_hot", sparse)
    return jax.nn.one_hot(as_array(x), num_classes, dtype=standardize_dtype(dtype), axis=axis)


@op("inputs")
def multi_hot(
    inputs: ArrayLike,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: DTypeLike | None = None,
    sparse: bool = False,
) -> Array:
    """Lists of class indices as vectors with a 1 for every class in the list.

    Args:
        inputs: Integers; the last axis lists the classes of a sample.
        num_classes: Size of the new last axis, which replaces the axis of the list.
        axis: Position of the classes in the result.
        dtype: Type of the result; `floatx()` for None.
        sparse: Must be False.

    Returns:
        Array `(..., num_classes)`, without the axis of the list.

    Example:
        >>> multi_hot(jnp.array([[0, 2]]), num_classes=3).tolist()
        [[1.0, 0.0, 1.0]]
    """
    if num_classes is None:
        raise ValueError("multi_hot needs num_classes, the size of the new axis.")
    refuse_sparse_and_ragged("multi_hot", sparse)
    encoded = one_hot(as_array(inputs).astype("int32"), num_classes, dtype=dtype)
    return jnp.moveaxis(jnp.max(encoded, axis=-2), -1, axis)


def embedding_lookup(embeddings: ArrayLike, indices: ArrayLike) -> Array:
    """Rows of a table; an index outside the table gives NaN.

    Args:
        embeddings: Table, `(rows, size)`.
        indices: Integers of any shape.

    Returns:
        `(*indices, size)`.

    Example:
        >>> embedding_lookup(jnp.array([[1.0], [2.0]]), jnp.array([1, 0])).tolist()
        [[2.0], [1.0]]
    """
    return jnp.take(as_array(embeddings), as_array(indices), axis=0)
