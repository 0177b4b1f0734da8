"""Lets programs on the CPU use the user's arrays without a copy, at any address.

XLA uses host memory without a copy if its address is a multiple of 64 bytes. Large NumPy arrays
begin 16 bytes after such an address, so that XLA would keep a second copy of the data set.
`UnalignedRows` gives XLA the aligned memory around the array, and the offset of the array in it.
"""

import ctypes
import functools
import math
from typing import Any

import jax
import numpy as np
from jax import lax

from lamina.core.types import PyTree
from lamina.core.user_data.data_kinds import may_hold_text
from lamina.training.feeds.divided_rows import DividedRows

_ALIGNMENT = 64
# Larger arrays are allocated in whole pages, so the offset is always the same and one program
# serves all arrays of a shape. Copying smaller arrays costs little.
_MIN_BYTES = 32 * 2**20


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["numbers", "first"], meta_fields=["shape"]
)
class UnalignedRows:
    """The rows of an array, in aligned memory that begins up to 63 bytes before the array.

    Args:
        numbers: The memory as a flat array.
        first: Index in `numbers` of the first number of the first row.
        shape: Shape of one row.
    """

    def __init__(self, numbers: Any, first: Any, shape: tuple[int, ...]):
        self.numbers, self.first, self.shape = numbers, first, shape

    def take(self, rows: jax.Array) -> jax.Array:
        """The rows with these numbers, which must be in range: `(len(rows), *shape)`."""
        # As fast as for an aligned array; see `zero-copy` in docs/performance.md.
        size = math.prod(self.shape)
        axes = lax.GatherDimensionNumbers(
            offset_dims=(1,), collapsed_slice_dims=(), start_index_map=(0,)
        )
        starts = (self.first + rows * size)[:, None]
        gathered = lax.gather(self.numbers, starts, axes, (size,), mode="promise_in_bounds")
        return gathered.reshape(len(rows), *self.shape)

    def slice_rows(self, start: Any, count: int) -> jax.Array:
        """`count` rows from `start` on: `(count, *shape)`."""
        size = math.prod(self.shape)
        flat_rows = lax.dynamic_slice_in_dim(self.numbers, self.first + start * size, count * size)
        return flat_rows.reshape(count, *self.shape)


def as_unaligned_rows(array: Any) -> PyTree:
    """`UnalignedRows` for a large host array that JAX would copy otherwise; else the array itself.

    A large array must not be written to while `fit` uses it; `fit` releases it when it returns.
    """
    if not isinstance(array, np.ndarray) or array.nbytes < _MIN_BYTES:
        return array
    offset_bytes = array.ctypes.data % _ALIGNMENT
    can_align = offset_bytes and offset_bytes % array.itemsize == 0 and array.flags.c_contiguous
    # XLA uses 32-bit indices.
    if not can_align or array.size >= 2**31 - _ALIGNMENT:
        return array
    # The bytes before the array are in the same cache line, so the address is valid. They are not
    # used.
    memory: Any = (ctypes.c_uint8 * (array.nbytes + offset_bytes)).from_address(
        array.ctypes.data - offset_bytes
    )
    memory.owner = array  # keeps the array alive as long as JAX uses its memory
    numbers = np.frombuffer(memory, dtype=array.dtype)
    return UnalignedRows(numbers, np.int32(offset_bytes // array.itemsize), array.shape[1:])


def is_text_array(array: Any) -> bool:
    """Whether an array contains text or other objects, which JAX cannot store."""
    return isinstance(array, np.ndarray) and may_hold_text(array.dtype)


def _rows_on_host(array: Any, order: Any, start: int, count: int) -> PyTree:
    """Rows of one array, outside of compiled programs; the array may contain text."""
    if not is_text_array(array):
        return rows_of(array, order, start, count)
    positions: Any = slice(start, start + count)
    return array[positions if order is None else np.asarray(order)[positions]]


def rows_of(data: PyTree, order: Any, start: Any, count: int) -> PyTree:
    """`count` rows of every array, from position `start` of the order.

    Args:
        data: Structure of arrays, `UnalignedRows` and `DividedRows`.
        order: Row numbers, all in range; None for consecutive rows, as for `DividedRows`.
        start: Position of the first row.
        count: Number of rows.
    """

    def is_rows(leaf: Any) -> bool:
        return isinstance(leaf, UnalignedRows | DividedRows)

    if any(is_text_array(leaf) for leaf in jax.tree.leaves(data, is_leaf=is_rows)):
        return jax.tree.map(lambda a: _rows_on_host(a, order, start, count), data, is_leaf=is_rows)

    if order is None:
        return jax.tree.map(
            lambda a: (
                a.slice_rows(start, count)
                if is_rows(a)
                else lax.dynamic_slice_in_dim(a, start, count)
            ),
            data,
            is_leaf=is_rows,
        )
    rows = lax.dynamic_slice_in_dim(order, start, count)
    # The order contains only valid row numbers, so the gather needs no bounds check.
    return jax.tree.map(
        lambda a: a.take(rows) if is_rows(a) else a.at[rows].get(mode="promise_in_bounds"),
        data,
        is_leaf=is_rows,
    )
