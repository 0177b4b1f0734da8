"""SciPy's sparse matrices: converted to dense arrays at once if they fit, else batch by batch."""

from typing import Any

import jax
import numpy as np

from lamina.core.configuration import config
from lamina.core.types import Data, DTypeLike, PyTree
from lamina.core.user_data.data_kinds import is_sparse


class SparseRows:
    """A sparse matrix whose rows become dense arrays when they are indexed.

    Args:
        matrix: Any sparse matrix or two-dimensional sparse array of SciPy.
    """

    ndim = 2

    def __init__(self, matrix: Any):
        self._matrix = matrix.tocsr()
        self.shape = tuple(matrix.shape)
        dtype = np.dtype(matrix.dtype)
        # As in `to_array`, 64-bit dtypes are replaced.
        self.dtype = np.dtype(config.floatx()) if dtype == np.float64 else dtype
        if dtype.itemsize == 8 and dtype.kind in "iu":
            self.dtype = np.dtype("int32")

    @property
    def nbytes(self) -> int:
        """Size in bytes of all rows as a dense array."""
        return int(self.shape[0] * self.shape[1] * self.dtype.itemsize)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: PyTree) -> np.ndarray:
        dense: np.ndarray = self._matrix[rows].astype(self.dtype).toarray()
        return dense

    def select(self, rows: slice | np.ndarray) -> "SparseRows":
        """Selected rows, as a sparse matrix."""
        return SparseRows(self._matrix[rows])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return self[:] if dtype is None else self[:].astype(dtype)


def dense(matrix: Any) -> np.ndarray:
    """Convert a sparse matrix to a dense array."""
    return SparseRows(matrix)[:]


def keep_large_sparse(x: Data) -> PyTree:
    """Replace sparse matrices whose dense arrays exceed the budget by `SparseRows`."""
    if isinstance(x, dict):
        return {key: keep_large_sparse(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)) and any(map(is_sparse, x)):
        return tuple(map(keep_large_sparse, x))
    if not is_sparse(x):
        return x
    rows = SparseRows(x)
    return rows if rows.nbytes > config.resident_budget() else x


def has_sparse_rows(structure: PyTree) -> bool:
    """Whether a structure of arrays contains `SparseRows`."""
    return any(isinstance(leaf, SparseRows) for leaf in jax.tree.leaves(structure))


def take_rows(array: Any, rows: slice | np.ndarray) -> PyTree:
    """Selected rows of an array; rows of `SparseRows` stay sparse."""
    if isinstance(array, jax.Array) and isinstance(rows, np.ndarray):
        array = np.asarray(array)  # indexing on the device would compile a program
    return array.select(rows) if isinstance(array, SparseRows) else array[rows]
