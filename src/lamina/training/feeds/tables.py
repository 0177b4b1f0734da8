"""Tables of pandas and polars as arrays. Rows are taken by position; the index is ignored.

Errors name the column that a network cannot use.
"""

from typing import Any

import numpy as np

from lamina.core.configuration import config
from lamina.core.types import DTypeLike, PyTree
from lamina.core.user_data.data_kinds import is_column, is_table, is_text
from lamina.core.user_data.text import as_values


def rows_of_table(value: Any, what: str, text: bool = False) -> np.ndarray:
    """The rows of a table as an array, `(rows, columns)`; one column gives `(rows, 1)`.

    Args:
        value: A table or a column. Missing values become NaN.
        what: Name for messages: `"x"`, `"y"`.
        text: Whether a table of text alone is allowed.

    Raises:
        TypeError: If a column does not hold numbers.
    """
    if is_column(value):
        column: np.ndarray = _numbers(value, what)[:, None]
        return column
    columns = _columns(value)
    if all(_is_plain(column) for _, column in columns):
        array: np.ndarray = value.to_numpy()
        # For pandas, a table of numbers and booleans is an array of objects.
        return array.astype(config.floatx()) if array.dtype.kind == "O" else array
    if text and all(is_text(column.to_numpy()) for _, column in columns):
        words: np.ndarray = as_values(value.to_numpy(), what)
        return words
    return np.stack([_numbers(column, f"{what}[{name!r}]") for name, column in columns], axis=1)


def refuse_gaps(structure: PyTree, what: str) -> None:
    """Raise a ValueError that names the first column with missing values, in any of the tables."""
    if isinstance(structure, dict):
        for key, part in structure.items():
            refuse_gaps(part, f"{what}[{key!r}]")
    elif isinstance(structure, (list, tuple)):
        if structure and (hasattr(structure[0], "to_numpy") or isinstance(structure[0], dict)):
            for i, part in enumerate(structure):
                refuse_gaps(part, f"{what}[{i}]")
    elif is_table(structure):
        for name, column in _columns(structure):
            _refuse_gap(column, f"{what}[{name!r}]")
    elif is_column(structure):
        _refuse_gap(structure, what)


def _columns(table: Any) -> list[tuple[Any, Any]]:
    names = list(table.columns)
    if hasattr(table, "iloc"):  # by position: two columns may have one name
        return [(name, table.iloc[:, i]) for i, name in enumerate(names)]
    return [(name, table[name]) for name in names]


def _is_plain(column: Any) -> bool:
    """Whether a column holds numbers of one of NumPy's types."""
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "biufc"


def _numbers(column: Any, what: str) -> np.ndarray:
    array = np.asarray(column.to_numpy())
    kind = getattr(column.dtype, "kind", array.dtype.kind)
    if kind in "Mm" or array.dtype.kind in "Mm":
        raise _no_numbers_but_times(column.dtype, what, duration="m" in (kind, array.dtype.kind))
    if array.dtype.kind in "biufc":
        return array
    try:
        # pandas.NA becomes NaN.
        numbers: np.ndarray = column.to_numpy(dtype=config.floatx(), na_value=np.nan)
        return numbers
    except (TypeError, ValueError):
        pass
    values = array.tolist()
    number = next(i for i, value in enumerate(values) if not _is_number(value))
    cause = "a column of categories or words"
    fix = (
        f"{what} = {what}.astype('category').cat.codes numbers the values from 0; "
        "pandas.get_dummies makes a column of 0 and 1 for each."
    )
    if all(np.ndim(value) or isinstance(value, (list, tuple)) for value in values):
        cause = "each value is itself an array"
        fix = f"{what.partition('[')[0]} = numpy.stack({what})."
    elif any(_is_number(value) and value is not None for value in values):
        cause = "a word among the numbers of a column"
        fix = (
            f"numbers = pandas.to_numeric({what}, errors='coerce')\n"
            f"  {what} = numbers.fillna(numbers.median())"
        )
    raise TypeError(
        f"{what} holds text or objects (for example {str(values[number])[:40]!r}, row {number}), "
        "and a network computes with numbers.\n"
        f"  Likely cause: {cause}.\n  Fix: {fix}"
    )


def _no_numbers_but_times(dtype: DTypeLike, what: str, duration: bool) -> TypeError:
    fix = f"{what} = ({what} - {what}.min()).dt.days counts days from the first one."
    if duration:
        fix = f"{what} = {what}.dt.total_seconds()."
    return TypeError(
        f"{what} holds dates or times ({dtype}), and a network computes with numbers.\n  Fix: {fix}"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float, np.number)) or value is None


def _refuse_gap(column: Any, what: str) -> None:
    if not hasattr(column, "isna") or str(column.dtype) in ("object", "str", "string", "category"):
        return
    missing = np.asarray(column.isna())
    if getattr(column.dtype, "kind", "") not in "biuf" or not missing.any():
        return
    count = int(missing.sum())
    values = f"{what}.astype('float32')" if column.dtype.kind != "f" else what
    raise ValueError(
        f"{what} has {count} missing {'value' if count == 1 else 'values'} (NaN or NA), the first "
        f"in row {int(missing.argmax())}; one is enough to make every weight NaN.\n"
        f"  Fix: {what} = {values}.fillna({what}.median()), or leave those rows out, in x and in y."
    )
