"""Converts tables of pandas, polars and others to arrays; the index of a table is ignored.

Errors name the column that a network cannot use.
"""

import datetime
from typing import Any

import numpy as np

from lamina.core.configuration import config
from lamina.core.types import PyTree
from lamina.core.user_data.data_kinds import is_column, is_table, is_text
from lamina.core.user_data.text import as_host_array
from lamina.training.feeds import table_fixes
from lamina.training.feeds.unsupported_data import ragged_error


def table_to_array(
    value: Any, what: str, text: bool = False, table: str | None = None
) -> np.ndarray:
    """Convert a table to an array, `(rows, columns)`, and a column to `(rows, 1)`.

    A single column whose values are arrays, such as images, becomes `(rows, …)`.

    Args:
        value: A table or a column. Missing values become NaN.
        what: Name for messages: `"x"`, `"y"`.
        text: Whether a table with only text is allowed.
        table: For a column, the expression for the table that contains it, if any.

    Raises:
        TypeError: If a column does not contain numbers.
    """
    if is_column(value):
        return _as_matrix(_column_to_numbers(value, what, table))
    columns = _columns(value)
    if len(columns) == 1 and np.ndim(columns[0][1]) > 1:
        arrays: np.ndarray = columns[0][1].to_numpy()
        return arrays
    if all(_is_numpy_column(column) for _, column in columns):
        array: np.ndarray = value.to_numpy()
        # For pandas, a table of numbers and booleans is an array of objects.
        return array.astype(config.floatx()) if array.dtype.kind == "O" else array
    if text and all(is_text(column.to_numpy()) for _, column in columns):
        words: np.ndarray = as_host_array(value.to_numpy(), what)
        return words
    arrays_by_column = [
        _column_to_numbers(column, f"{what}[{name!r}]", what) for name, column in columns
    ]
    if len(arrays_by_column) == 1:
        return _as_matrix(arrays_by_column[0])
    for (name, _), values in zip(columns, arrays_by_column, strict=True):
        if values.ndim > 1:
            raise ValueError(
                f"{what}[{name!r}] holds an array of shape {values.shape[1:]} in each row, and the "
                f"table has {len(arrays_by_column)} columns, which one array cannot hold.\n"
                f"  Fix: {what} = {what}[{name!r}]; or for a model with an Input of each name, "
                f"{what} = {{name: {what}[name] for name in {[name for name, _ in columns]!r}}}."
            )
    return np.stack(arrays_by_column, axis=1)


def refuse_missing_values(structure: PyTree, what: str, table: str | None = None) -> None:
    """Raise a ValueError that names the first column with missing values, in any table.

    Args:
        structure: Anything that a user passes as data.
        what: The expression for it, for messages.
        table: The expression for the table from which the columns of a dict come.
    """
    if isinstance(structure, dict):
        for key, part in structure.items():
            refuse_missing_values(part, f"{what}[{key!r}]", table)
    elif isinstance(structure, (list, tuple)):
        if structure and (hasattr(structure[0], "to_numpy") or isinstance(structure[0], dict)):
            for i, part in enumerate(structure):
                refuse_missing_values(part, f"{what}[{i}]")
    elif is_table(structure):
        for name, column in _columns(structure):
            _refuse_missing_in_column(column, f"{what}[{name!r}]", what)
    elif is_column(structure):
        _refuse_missing_in_column(structure, what, table)


def _columns(table: Any) -> list[tuple[Any, Any]]:
    names = list(table.columns)
    if hasattr(table, "iloc"):  # by position: two columns may have one name
        return [(name, table.iloc[:, i]) for i, name in enumerate(names)]
    return [(name, table[name]) for name in names]


def _as_matrix(values: np.ndarray) -> np.ndarray:
    """Add a second axis of size 1 to a vector."""
    return values[:, None] if values.ndim == 1 else values


def _is_numpy_column(column: Any) -> bool:
    """Whether a column contains numbers of a NumPy dtype."""
    is_numeric = isinstance(column.dtype, np.dtype) and column.dtype.kind in "biufc"
    return is_numeric and np.ndim(column) == 1


def _column_to_numbers(column: Any, what: str, table: str | None = None) -> np.ndarray:
    """Convert a column to numbers, one per row, or one array per row.

    Args:
        column: The column.
        what: The expression for it, for messages: `"x['a']"`.
        table: The expression for the table that contains it, if any.
    """
    array = np.asarray(column.to_numpy())
    kind = getattr(column.dtype, "kind", array.dtype.kind)
    if kind in "Mm" or array.dtype.kind in "Mm":
        seconds = "m" in (kind, array.dtype.kind)
        raise _date_error(column, what, table, seconds)
    if array.dtype.kind in "biufc":
        return array
    try:
        # pandas.NA becomes NaN.
        numbers: np.ndarray = column.to_numpy(dtype=config.floatx(), na_value=np.nan)
        return numbers
    except (TypeError, ValueError):
        pass
    values = array.tolist()
    if not any(isinstance(value, (str, bytes)) for value in values):
        if _are_arrays(values):
            return _stack_rows(values, what)
        if any(isinstance(value, datetime.timedelta) for value in values):
            raise _date_error(column, what, table, seconds=True)
        if any(isinstance(value, datetime.date) for value in values):
            raise _date_error(column, what, table, seconds=False)
        try:
            numbers = array.astype(config.floatx())  # None becomes NaN
            return numbers
        except (TypeError, ValueError):
            pass
    row = next((i for i, value in enumerate(values) if not _is_number(value)), 0)
    cause = "a column of categories or words"
    fix = table_fixes.fix_for_words(column, what, table)
    if hasattr(column, "iloc") and any(_is_number(v) and v is not None for v in values):
        cause = "a word among the numbers of a column"
        fix = (
            f"numbers = pandas.to_numeric({what}, errors='coerce')\n"
            f"  {what} = numbers.fillna(numbers.median())"
        )
    raise TypeError(
        f"{what} holds text or objects (for example {str(values[row])[:40]!r}, row {row}), "
        "and a network computes with numbers.\n"
        f"  Likely cause: {cause}.\n  Fix: {fix}"
    )


def _are_arrays(values: list[Any]) -> bool:
    return bool(values) and all(np.ndim(v) or isinstance(v, (list, tuple)) for v in values)


def _stack_rows(values: list[Any], what: str) -> np.ndarray:
    """Stack the arrays in the rows of a column."""
    try:
        stacked = np.array([np.asarray(value).tolist() for value in values])
    except ValueError:
        raise ragged_error(what) from None
    if stacked.dtype.kind not in "biuf":
        raise TypeError(
            f"{what} holds lists of words or objects, and a network computes with numbers.\n"
            f"  Fix: texts = [' '.join(map(str, row)) for row in {what}], for a model of text."
        )
    return stacked


def _date_error(column: Any, what: str, table: str | None, seconds: bool) -> TypeError:
    fix = table_fixes.fix_for_durations if seconds else table_fixes.fix_for_dates
    return TypeError(
        f"{what} holds dates or times ({column.dtype}), and a network computes with numbers.\n"
        f"  Fix: {fix(column, what, table)}"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float, np.number)) or value is None


def _refuse_missing_in_column(column: Any, what: str, table: str | None = None) -> None:
    missing = _missing_mask(column)
    if missing is None or not missing.any():
        return
    count = int(missing.sum())
    raise ValueError(
        f"{what} has {count} missing {'value' if count == 1 else 'values'} (NaN or NA), the first "
        f"in row {int(missing.argmax())}; one is enough to make every weight NaN.\n"
        f"  Fix: {table_fixes.fix_for_missing_values(column, what, table)}"
    )


def _missing_mask(column: Any) -> np.ndarray | None:
    """A mask of the missing numbers in a column; None for a column without numbers."""
    if hasattr(column, "isna"):
        is_text_column = str(column.dtype) in ("object", "str", "string", "category")
        if is_text_column or getattr(column.dtype, "kind", "") not in "biuf":
            return None
        return np.asarray(column.isna())
    values = np.asarray(column.to_numpy())
    if values.dtype.kind == "O" and values.ndim == 1:
        missing = np.array(
            [value is None or value != value for value in values.tolist()], dtype=bool
        )
        kinds = {type(value) for value in values[~missing].tolist()}
        # Booleans with missing values. Text has another message.
        return missing if kinds <= {bool, np.bool_} else None
    return np.isnan(values) if values.dtype.kind == "f" else None
