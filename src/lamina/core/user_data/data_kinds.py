"""What kind of data a value is: a table, a column, a sparse matrix, text. Asked here alone.

Tables are those of pandas and polars. They go by position: what a table's own brackets mean
depends on its index. Nothing here needs JAX or the library that made the value.
"""

from typing import Any

import numpy as np


def is_table(value: Any) -> bool:
    """Whether a value is a data frame."""
    return hasattr(value, "columns") and hasattr(value, "to_numpy")


def is_column(value: Any) -> bool:
    """Whether a value is one column of a table, such as a pandas Series."""
    return hasattr(value, "to_numpy") and not hasattr(value, "columns") and np.ndim(value) == 1


def is_sparse(value: Any) -> bool:
    """Whether a value is a sparse matrix of SciPy."""
    return hasattr(value, "tocsr") and hasattr(value, "toarray")


def rows_at(value: Any, places: Any) -> Any:
    """The rows of an array, a table or a column at these places, or the row at one.

    Example:
        >>> rows_at(np.array([5, 6, 7]), [2, 0]).tolist()
        [7, 5]
    """
    return value.iloc[places] if hasattr(value, "iloc") else value[places]


def is_text(value: Any) -> bool:
    """Whether a value is a text, or an array, list or column of texts.

    Example:
        >>> is_text(["a", "b"]), is_text(np.array([1, 2]))
        (True, False)
    """
    if isinstance(value, (list, tuple)):  # but not a list of arrays, which are several inputs
        return isinstance(_first_in_lists(value), (str, bytes))
    if _kind(value) == "O" and getattr(value, "size", False):
        flat = value.ravel() if isinstance(value, np.ndarray) else value.to_numpy().ravel()
        return isinstance(_first_in_lists(flat[0]), (str, bytes))
    return isinstance(value, (str, bytes)) or _kind(value) in ("U", "S", "T", "str", "string")


def _kind(value: Any) -> str | None:
    dtype: Any = getattr(value, "dtype", None)
    return None if dtype is None else str(getattr(dtype, "kind", dtype))


def _first_in_lists(value: Any) -> Any:
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return value
