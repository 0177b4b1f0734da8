"""Functions that rearrange values: reshaping, joining, splitting, flipping."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.graph.keras_tensor import KerasTensor, is_symbolic
from lamina.core.types import Array, ArrayLike
from lamina.ops.arrays import as_array, as_arrays, as_axes
from lamina.ops.define import make_docstring, operations, set_name_and_docstring
from lamina.ops.specs import broadcast_shapes

op = operations("numpy")


# ---- one array ---------------------------------------------------------------------------------


def _reshape_spec(x: Any, newshape: Any) -> KerasTensor | None:
    """The symbolic result of `reshape`. A size that is a symbolic tensor is unknown."""
    if isinstance(newshape, KerasTensor):
        return KerasTensor([None] * (newshape.shape[0] or 0), x.dtype)
    if isinstance(newshape, (list, tuple)) and is_symbolic(newshape):
        return KerasTensor(
            [None if isinstance(n, KerasTensor) or n == -1 else n for n in newshape], x.dtype
        )
    sizes = [newshape] if isinstance(newshape, int) else list(newshape)
    if None in x.shape and all(isinstance(n, int) and n >= 0 for n in sizes):
        known_size = math.prod(size for size in x.shape if size is not None)
        # The unknown axes have the remaining factor.
        if known_size and math.prod(sizes) % known_size == 0:
            return KerasTensor(sizes, x.dtype)
    return None


@op("x", spec=_reshape_spec)
def reshape(x: ArrayLike, newshape: int | Sequence[int]) -> Array:
    """Values in another shape; one size may be -1 and is inferred.

    None, which `shape` gives for an unknown axis of a symbolic tensor, counts as -1; if there is a
    -1 or another None, it is the size of that axis of `x`.

    Args:
        x: Array of any shape.
        newshape: Sizes of the new axes.

    Returns:
        Array of that shape.

    Raises:
        TypeError: If the numbers of values differ.

    Example:
        >>> reshape([[1, 2, 3], [4, 5, 6]], (3, -1)).tolist()
        [[1, 2], [3, 4], [5, 6]]
    """
    x = as_array(x)
    shape = (newshape,) if isinstance(newshape, int) else tuple(newshape)
    if any(isinstance(size, jax.core.Tracer) for size in shape):
        raise TypeError(
            "reshape needs sizes that are known when a step is compiled; received a computed one.\n"
            "  Fix: -1 for one size, or ops.shape(x)[i], which is known."
        )
    if shape.count(-1) > 1 or any(size is not None and size < -1 for size in shape):
        raise ValueError(
            "reshape takes sizes of 0 or more and at most one unknown dimension, written -1; "
            f"received newshape={shape}."
        )
    has_several_unknown = sum(size is None for size in shape) > 1 or -1 in shape
    if None in shape and has_several_unknown:
        if any(size is None and position >= x.ndim for position, size in enumerate(shape)):
            raise ValueError(
                f"reshape cannot determine {shape} for an array of shape {x.shape}.\n"
                "  Fix: use -1 in place of None, once."
            )
        shape = tuple(x.shape[i] if size is None else size for i, size in enumerate(shape))
    return jnp.reshape(x, tuple(-1 if size is None else size for size in shape))


ravel = op.unary("ravel", jnp.ravel, "The flattened array.", returns="Array `(values,)`.")
fliplr = op.unary("fliplr", jnp.fliplr, "The second axis reversed.")
flipud = op.unary("flipud", jnp.flipud, "The first axis reversed.")


@op("x")
def expand_dims(x: ArrayLike, axis: int | Sequence[int]) -> Array:
    """Inserts axes of size 1 at given positions.

    Args:
        x: Array of any shape.
        axis: Position, or positions, of the new axes in the result.

    Returns:
        Array with more axes.

    Example:
        >>> expand_dims([1, 2], axis=-1).tolist()
        [[1], [2]]
    """
    return jnp.expand_dims(as_array(x), as_axes(axis))


@op("x")
def squeeze(x: ArrayLike, axis: int | Sequence[int] | None = None) -> Array:
    """Removes axes of size 1: the given ones, or all.

    Args:
        x: Array of any shape.
        axis: Axis or axes of size 1; all of them for None.

    Returns:
        Array with fewer axes.

    Raises:
        ValueError: If a given axis has another size.

    Example:
        >>> squeeze([[1], [2]], axis=1).tolist()
        [1, 2]
    """
    return jnp.squeeze(as_array(x), as_axes(axis))


@op("x")
def transpose(x: ArrayLike, axes: Sequence[int] | None = None) -> Array:
    """Permutes the axes; reverses them for None.

    Args:
        x: Array of any shape.
        axes: For every axis of the result, which axis of `x` it is.

    Returns:
        Array of the same values.

    Example:
        >>> transpose([[1, 2], [3, 4]]).tolist()
        [[1, 3], [2, 4]]
    """
    return jnp.transpose(as_array(x), None if axes is None else tuple(axes))


@op("x")
def moveaxis(x: ArrayLike, source: int | Sequence[int], destination: int | Sequence[int]) -> Array:
    """Moves axes to other positions; the others keep their order.

    Args:
        x: Array of any shape.
        source: Axis or axes to move.
        destination: Their new positions, one for each.

    Returns:
        Array of the same values.

    Example:
        >>> import jax.numpy as jnp
        >>> moveaxis(jnp.ones((2, 3, 4)), 0, -1).shape
        (3, 4, 2)
    """
    return jnp.moveaxis(as_array(x), as_axes(source), as_axes(destination))


@op("x")
def swapaxes(x: ArrayLike, axis1: int, axis2: int) -> Array:
    """Swaps two axes.

    Args:
        x: Array of any shape.
        axis1: One axis.
        axis2: The other.

    Returns:
        Array of the same values.

    Example:
        >>> swapaxes([[1, 2], [3, 4]], 0, 1).tolist()
        [[1, 3], [2, 4]]
    """
    return jnp.swapaxes(as_array(x), axis1, axis2)


@op("x")
def flip(x: ArrayLike, axis: int | Sequence[int] | None = None) -> Array:
    """Values in the opposite order along axes, or along all of them.

    Args:
        x: Array of any shape.
        axis: Axis or axes; all for None.

    Returns:
        Array of the same shape.

    Example:
        >>> flip([[1, 2], [3, 4]], axis=0).tolist()
        [[3, 4], [1, 2]]
    """
    return jnp.flip(as_array(x), as_axes(axis))


@op("array")
def rot90(array: ArrayLike, k: int = 1, axes: Sequence[int] = (0, 1)) -> Array:
    """Rotates by 90 degrees, `k` times, in the plane of two axes.

    Args:
        array: Array of two axes or more.
        k: Number of rotations; negative numbers rotate in the other direction.
        axes: The two axes; the rotation is from the first towards the second.

    Returns:
        Array; for odd `k` the two sizes are swapped.

    Raises:
        ValueError: If there are fewer than two axes.

    Example:
        >>> rot90([[1, 2], [3, 4]]).tolist()
        [[2, 4], [1, 3]]
    """
    x = as_array(array)
    if x.ndim < 2:
        raise ValueError(f"rot90 needs at least two axes; received shape {x.shape}.")
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ValueError(f"rot90 needs two different axes; received axes={axes}.")
    return jnp.rot90(x, k, (axes[0], axes[1]))


@op("x")
def roll(x: ArrayLike, shift: Any, axis: int | Sequence[int] | None = None) -> Array:
    """Shifts values along an axis; those beyond the end re-enter at the start.

    Args:
        x: Any array.
        shift: Number of positions; one number for each axis, or one for all.
        axis: One axis or several; for None the flattened array is rolled.

    Returns:
        Array of the same shape.

    Example:
        >>> roll([1, 2, 3], 1).tolist()
        [3, 1, 2]
    """
    return jnp.roll(as_array(x), as_axes(shift), as_axes(axis))


def _broadcast_to_spec(x: Any, shape: Sequence[int]) -> KerasTensor | None:
    is_possible = broadcast_shapes(x.shape, shape) == tuple(shape) and len(x.shape) <= len(shape)
    return KerasTensor(shape, x.dtype) if is_possible else None


@op("x", spec=_broadcast_to_spec)
def broadcast_to(x: ArrayLike, shape: Sequence[int]) -> Array:
    """Broadcasts an array to a shape.

    Args:
        x: Array whose sizes, from the last axis on, are those of the shape or 1.
        shape: The shape.

    Returns:
        Array of that shape.

    Example:
        >>> broadcast_to([1, 2], (2, 2)).tolist()
        [[1, 2], [1, 2]]
    """
    return jnp.broadcast_to(as_array(x), as_axes(shape))


@op("x")
def tile(x: ArrayLike, repeats: int | Sequence[int]) -> Array:
    """Repeats the whole array along each axis.

    Args:
        x: Array of any shape.
        repeats: Number of repetitions for each axis, from the last on; axes are added in front if
            there are more numbers than axes.

    Returns:
        Array whose sizes are multiples of those of `x`.

    Example:
        >>> tile([1, 2], 2).tolist()
        [1, 2, 1, 2]
    """
    return jnp.tile(as_array(x), as_axes(repeats))


def _repeat_spec(x: Any, repeats: Any, axis: int | None = None) -> KerasTensor | None:
    if not isinstance(repeats, (list, tuple)) or len(repeats) == 1 or None not in x.shape:
        return None  # tracing finds the shape
    if axis is None:
        return KerasTensor((None,), x.dtype)
    shape = list(x.shape)
    if shape[axis] is not None:
        return None
    shape[axis] = None
    return KerasTensor(shape, x.dtype)


@op("x", spec=_repeat_spec)
def repeat(x: ArrayLike, repeats: int | Sequence[int], axis: int | None = None) -> Array:
    """Repeats every value.

    Args:
        x: Any array.
        repeats: Number of repetitions; one number, or one for each value along the axis.
        axis: For None the flattened array.

    Returns:
        Array whose axis is longer by that factor.

    Example:
        >>> repeat([1, 2], [1, 3]).tolist()
        [1, 2, 2, 2]
    """
    times = repeats if isinstance(repeats, int) else np.asarray(repeats)
    return jnp.repeat(as_array(x), times, axis)


@op("x", "constant_values")
def pad(
    x: ArrayLike,
    pad_width: Any,
    mode: str = "constant",
    constant_values: ArrayLike | None = None,
) -> Array:
    """Pads an array.

    Args:
        x: Any array.
        pad_width: A pair (before, after) for every axis, one pair for all, or one number.
        mode: Values of the padding: `"constant"`, `"reflect"`, `"symmetric"` …, as in NumPy.
        constant_values: With `"constant"`, the value; 0 for None.

    Returns:
        Array with longer axes.

    Example:
        >>> pad([1, 2], (1, 0)).tolist()
        [0, 1, 2]
    """
    if constant_values is None:
        return jnp.pad(as_array(x), pad_width, mode)
    if mode != "constant":
        raise ValueError(f"pad takes constant_values with mode='constant'; received {mode!r}.")
    return jnp.pad(as_array(x), pad_width, mode, constant_values=as_array(constant_values))


@op("x")
def diagonal(x: ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The diagonals of the matrices in two axes, as a new last axis.

    Args:
        x: Array of two axes or more.
        offset: Which diagonal; 0 is the main one, positive ones are above.
        axis1: Axis of the matrices' rows.
        axis2: Axis of their columns.

    Returns:
        Array without these two axes, and a new last one.

    Raises:
        ValueError: If the two are one axis.

    Example:
        >>> diagonal([[1, 2], [3, 4]], offset=1).tolist()
        [2]
    """
    x = as_array(x)
    if x.ndim > 1 and axis1 % x.ndim == axis2 % x.ndim:
        raise ValueError(f"diagonal needs two different axes; received {axis1} and {axis2}.")
    return jnp.diagonal(x, offset, axis1, axis2)


# ---- several arrays ------------------------------------------------------------------------------


@op("xs")
def concatenate(xs: Sequence[ArrayLike], axis: int = 0) -> Array:
    """Concatenates arrays along an existing axis; the other sizes must be equal.

    Args:
        xs: List of arrays that differ in size on that axis alone.
        axis: The axis.

    Returns:
        One array.

    Example:
        >>> concatenate([[1, 2], [3]]).tolist()
        [1, 2, 3]
    """
    return jnp.concatenate(as_arrays(xs), axis)


@op("x")
def stack(x: Sequence[ArrayLike], axis: int = 0) -> Array:
    """Stacks arrays of one shape along a new axis.

    Args:
        x: List of arrays.
        axis: Place of the new axis in the result.

    Returns:
        One array.

    Example:
        >>> stack([[1, 2], [3, 4]], axis=1).tolist()
        [[1, 3], [2, 4]]
    """
    return jnp.stack(as_arrays(x), axis)


@op("x1", "x2")
def append(x1: ArrayLike, x2: ArrayLike, axis: int | None = None) -> Array:
    """Appends `x2` to `x1` along an axis; both are flattened for None.

    Args:
        x1: Array of any shape.
        x2: Array that differs in size on that axis alone.
        axis: The axis.

    Returns:
        Array.

    Example:
        >>> append([1, 2], [[3], [4]]).tolist()
        [1, 2, 3, 4]
    """
    return jnp.append(as_array(x1), as_array(x2), axis)


def _define_join(
    name: str, compute: Callable, summary: str
) -> Callable[[Sequence[ArrayLike]], Array]:
    def function(xs: Sequence[ArrayLike]) -> Array:
        return compute(as_arrays(xs))

    arguments = {"xs": "List of arrays that differ in size on that axis alone."}
    return op("xs")(
        set_name_and_docstring(function, name, make_docstring(summary, arguments, "One array."))
    )


hstack = _define_join(
    "hstack", jnp.hstack, "Concatenates along the second axis, or the first for vectors."
)
vstack = _define_join(
    "vstack", jnp.vstack, "Concatenates along the first axis; vectors become rows."
)
dstack = _define_join(
    "dstack", jnp.dstack, "Concatenates along the third axis, which is added if necessary."
)


# ---- splitting -----------------------------------------------------------------------------------


def _pieces_spec(x: Any, indices_or_sections: Any, axis: int = 0) -> list[KerasTensor]:
    """The symbolic results of splitting; an unknown size may be divisible or not."""
    size = x.shape[axis]
    if isinstance(indices_or_sections, int):
        count = indices_or_sections
        if size is None:
            sizes: list = [None] * count
        else:
            sizes = [size // count + (i < size % count) for i in range(count)]
    else:
        edges = [0, *indices_or_sections, size]
        if size is not None:
            edges = [min(size, e + size if e < 0 else e) for e in edges]
        pairs = zip(edges[:-1], edges[1:], strict=True)
        sizes = [None if None in pair else max(0, pair[1] - pair[0]) for pair in pairs]

    def piece(size: int | None) -> KerasTensor:
        shape = list(x.shape)
        shape[axis] = size
        return KerasTensor(shape, x.dtype)

    return [piece(size) for size in sizes]


def _checked_pieces_spec(x: Any, indices_or_sections: Any, axis: int = 0) -> list[KerasTensor]:
    _check_divisible(x.shape, indices_or_sections, axis)
    return _pieces_spec(x, indices_or_sections, axis)


@op("x", spec=_checked_pieces_spec)
def split(x: ArrayLike, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Array]:
    """Splits an array along an axis into equal parts, or at given indices.

    Args:
        x: Any array.
        indices_or_sections: Number of parts, or the indices to split at.
        axis: The axis to split.

    Returns:
        A list of arrays.

    Raises:
        ValueError: If the size is not divisible. See `array_split`.

    Example:
        >>> [part.tolist() for part in split([1, 2, 3, 4], [1, 3])]
        [[1], [2, 3], [4]]
    """
    x = as_array(x)
    _check_divisible(x.shape, indices_or_sections, axis)
    return jnp.split(x, as_axes(indices_or_sections), axis)


@op("x", spec=_pieces_spec)
def array_split(x: ArrayLike, indices_or_sections: int, axis: int = 0) -> list[Array]:
    """Splits an array along an axis into parts of nearly equal size, the longer ones first.

    Args:
        x: Array of any shape.
        indices_or_sections: Number of parts.
        axis: The axis.

    Returns:
        A list of arrays.

    Raises:
        ValueError: If it is not an integer, or less than 1.

    Example:
        >>> [part.tolist() for part in array_split([1, 2, 3], 2)]
        [[1, 2], [3]]
    """
    if not isinstance(indices_or_sections, int) or indices_or_sections < 1:
        raise ValueError(
            "array_split needs the number of pieces as an integer of 1 or more; received "
            f"{indices_or_sections!r}."
        )
    return jnp.array_split(as_array(x), indices_or_sections, axis)


def _split_along(name: str, axis: int, summary: str) -> Callable[..., list[Array]]:
    def position(x: Any) -> int:
        if len(x.shape) <= axis - (name == "hsplit"):
            raise ValueError(f"{name} needs {axis + 1} axes; received shape {tuple(x.shape)}.")
        return min(axis, len(x.shape) - 1)  # hsplit also splits vectors

    def spec(x: Any, indices_or_sections: Any) -> list[KerasTensor]:
        return _checked_pieces_spec(x, indices_or_sections, position(x))

    def function(x: ArrayLike, indices_or_sections: int | Sequence[int]) -> list[Array]:
        x = as_array(x)
        _check_divisible(x.shape, indices_or_sections, position(x))
        return jnp.split(x, as_axes(indices_or_sections), position(x))

    arguments = {
        "x": "Array to split.",
        "indices_or_sections": "Number of equal parts, or the indices to split at.",
    }
    docstring = make_docstring(summary, arguments, "A list of arrays.")
    return op("x", spec=spec)(set_name_and_docstring(function, name, docstring))


vsplit = _split_along("vsplit", 0, "Splits along the first axis, see `split`.")
hsplit = _split_along("hsplit", 1, "Splits along the second axis, or the first for vectors.")
dsplit = _split_along("dsplit", 2, "Splits along the third axis, see `split`.")


def _check_divisible(shape: Sequence[int | None], sections: Any, axis: int) -> None:
    size = shape[axis]
    if isinstance(sections, int) and size is not None and (sections < 1 or size % sections):
        raise ValueError(
            f"Axis {axis} of shape {tuple(shape)} does not divide into {sections} equal pieces.\n"
            "  Fix: lamina.ops.array_split(x, …) makes pieces of nearly the same size."
        )
