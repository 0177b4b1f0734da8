"""Recognises tables, columns, sparse matrices and text, for all of Lamina.

Tables are those of pandas and polars, and `ColumnTable` for other libraries. Rows are selected by
position, because indexing a table by label depends on its index. Nothing here imports JAX or the
library of a table.
"""

from typing import Any

import numpy as np

_TEXT_KINDS = ("U", "S", "T")  # kinds of dtype: str, bytes, str of variable width


def is_table(value: Any) -> bool:
    """Whether a value is a data frame."""
    # In this order, because a polars LazyFrame warns when its `columns` are read.
    return hasattr(value, "to_numpy") and hasattr(value, "columns")


def is_column(value: Any) -> bool:
    """Whether a value is one column of a table, such as a pandas Series."""
    return hasattr(value, "to_numpy") and not hasattr(value, "columns") and np.ndim(value) == 1


def is_sparse(value: Any) -> bool:
    """Whether a value is a sparse matrix of SciPy."""
    return hasattr(value, "tocsr") and hasattr(value, "toarray")


def rows_at(value: Any, positions: Any) -> Any:
    """The rows of an array, table or column at given positions; a single row for an integer.

    Example:
        >>> rows_at(np.array([5, 6, 7]), [2, 0]).tolist()
        [7, 5]
    """
    return value.iloc[positions] if hasattr(value, "iloc") else value[positions]


def is_text(value: Any) -> bool:
    """Whether a value is text, or an array, list, column or symbolic tensor of text.

    An array of objects is text if its first element is.

    Example:
        >>> is_text(["a", "b"]), is_text(np.array([1, 2]))
        (True, False)
    """
    if isinstance(value, (list, tuple)):  # but not a list of arrays, which are several inputs
        return isinstance(_first_item(value), (str, bytes))
    if _dtype_kind(value) == "O" and getattr(value, "size", False):
        flat = value.ravel() if isinstance(value, np.ndarray) else value.to_numpy().ravel()
        return isinstance(_first_item(flat[0]), (str, bytes))
    return isinstance(value, (str, bytes)) or _dtype_kind(value) in (
        *_TEXT_KINDS,
        "str",
        "string",
        "String",
    )


def is_text_dtype(dtype: np.dtype) -> bool:
    """Whether a NumPy dtype is for text of fixed or variable width; False for dtype object."""
    return dtype.kind in _TEXT_KINDS


def may_hold_text(dtype: np.dtype) -> bool:
    """Whether arrays of a NumPy dtype contain text or Python objects, which JAX cannot store."""
    return dtype.kind in (*_TEXT_KINDS, "O")


def _dtype_kind(value: Any) -> str | None:
    dtype: Any = getattr(value, "dtype", None)
    return None if dtype is None else str(getattr(dtype, "kind", dtype))


def _first_item(value: Any) -> Any:
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return value
