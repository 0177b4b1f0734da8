"""Wraps tables of pyarrow and of Hugging Face's `datasets` in classes with methods as in pandas.

Objects are recognised by their attributes, so neither library is imported.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

# A longer list contains rows or numbers, not a table for each input.
_MAX_TABLES = 100


class TableColumn:
    """A column of a table, read when its values are first used.

    Args:
        read: Returns the values as an array with one row per sample.
        class_names: The names of the classes 0, 1, …, if the column has them.
    """

    def __init__(self, read: Callable[[], np.ndarray], class_names: list[str] | None = None):
        self._read = read
        self.class_names = class_names

    @functools.cached_property
    def values(self) -> np.ndarray:
        """The values as an array."""
        return self._read()

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values."""
        return self.values.dtype

    @property
    def ndim(self) -> int:
        """Number of axes: one, or more if every value is an array."""
        return self.values.ndim

    @property
    def size(self) -> int:
        """Number of values."""
        return self.values.size

    def to_numpy(self) -> np.ndarray:
        """The values as an array."""
        return self.values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.values if dtype is None else self.values.astype(dtype)

    def __len__(self) -> int:
        return len(self.values)


class ColumnTable:
    """A table, whose columns are read one by one.

    Args:
        columns: The columns by name.
        select_method: The method of the user's table that selects columns, for messages.
    """

    def __init__(self, columns: Mapping[str, TableColumn], select_method: str):
        self._columns = dict(columns)
        self.columns = list(columns)
        self.select_method = select_method

    def __getitem__(self, name: str) -> TableColumn:
        return self._columns[name]

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    def to_numpy(self) -> np.ndarray:
        """All values, `(rows, columns)`."""
        return np.stack([column.values for column in self._columns.values()], axis=1)


def as_tables(structure: Any, what: str) -> Any:
    """Replace tables and columns of pyarrow and `datasets` in a structure by the classes above.

    Args:
        structure: Anything that a user passes as data.
        what: Name for messages: `"x"`.

    Raises:
        TypeError: If it is a lazy table of polars, or several data sets in a dict.

    Example:
        >>> as_tables({"a": [1, 2]}, "x")
        {'a': [1, 2]}
    """
    if isinstance(structure, np.ndarray) or structure is None:
        return structure
    if isinstance(structure, dict):
        _refuse_dict_of_datasets(structure, what)
        parts = {name: as_tables(part, f"{what}[{name!r}]") for name, part in structure.items()}
        return parts if any(parts[name] is not structure[name] for name in parts) else structure
    if type(structure) in (list, tuple) and len(structure) < _MAX_TABLES:
        listed = [as_tables(part, f"{what}[{i}]") for i, part in enumerate(structure)]
        same = all(a is b for a, b in zip(listed, structure, strict=True))
        return structure if same else type(structure)(listed)
    if hasattr(structure, "collect_schema") and not hasattr(structure, "to_numpy"):
        raise TypeError(
            f"{what} is a {type(structure).__name__}, whose rows are not computed yet.\n"
            f"  Fix: {what} = {what}.collect()."
        )
    if _is_arrow_column(structure):
        return TableColumn(functools.partial(_arrow_values, structure))
    if _is_arrow_table(structure):
        return ColumnTable(
            {
                name: TableColumn(functools.partial(_arrow_values, structure.column(i)))
                for i, name in enumerate(structure.column_names)
            },
            "select",
        )
    if is_hugging_face_dataset(structure):
        return _hugging_face_table(structure)
    if hasattr(structure, "column_name") and hasattr(structure, "source"):
        return _hugging_face_column(structure)
    return structure


def _refuse_dict_of_datasets(value: dict[Any, Any], what: str) -> None:
    if value and all(map(is_hugging_face_dataset, value.values())):
        names = ", ".join(map(repr, value))
        raise TypeError(
            f"{what} is a {type(value).__name__}, which holds a data set for each of {names}.\n"
            f"  Fix: {what} = {what}[{next(iter(value))!r}]."
        )


def is_hugging_face_dataset(value: Any) -> bool:
    """Whether a value is a `datasets.Dataset`, whose rows can be taken by index."""
    return all(
        hasattr(value, name) for name in ("column_names", "features", "with_format", "num_rows")
    )


def _is_arrow_column(value: Any) -> bool:
    expected = ("to_numpy", "null_count", "type")
    return all(hasattr(value, name) for name in expected) and not hasattr(value, "dtype")


def _is_arrow_table(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("column_names", "schema", "num_rows", "column"))


def _arrow_values(column: Any) -> np.ndarray:
    values: np.ndarray = column.to_numpy(zero_copy_only=False)
    return values


def _hugging_face_table(dataset: Any) -> ColumnTable:
    dataset_format = getattr(dataset, "format", None) or {}
    if dataset_format.get("type") == "custom":  # a transform of the user's may add other columns
        values = dataset[:]
        columns = {
            name: TableColumn(functools.partial(_stack_values, values[name])) for name in values
        }
        return ColumnTable(columns, "select_columns")
    column_names = dataset_format.get("columns") or dataset.column_names
    as_numpy = dataset.with_format("numpy")

    def read(name: str) -> np.ndarray:
        return _stack_values(as_numpy[name][:])

    columns = {name: TableColumn(functools.partial(read, name)) for name in column_names}
    return ColumnTable(columns, "select_columns")


def _hugging_face_column(column: Any) -> TableColumn:
    names = getattr(getattr(column, "features", None), "names", None)
    if (
        is_hugging_face_dataset(column.source)
        and (column.source.format or {}).get("type") != "custom"
    ):
        column = column.source.with_format("numpy")[column.column_name]
    return TableColumn(lambda: _stack_values(column[:]), names if isinstance(names, list) else None)


def _stack_values(values: Any) -> np.ndarray:
    """Values as one array, with dtype object if they differ in shape or are text."""
    if hasattr(values, "detach") and hasattr(values, "cpu"):
        values = as_array(values)
    if isinstance(values, np.ndarray) and values.dtype.kind == "O" and values.ndim == 1:
        # Boolean columns with missing values contain arrays of one value.
        scalars = [v.item() if getattr(v, "shape", None) == () else v for v in values]
        values = np.empty(len(scalars), dtype=object)
        values[:] = scalars
    if isinstance(values, np.ndarray):
        # In an array of fixed-width text, each element needs as much memory as the longest.
        return values.astype(object) if values.dtype.kind == "U" else values
    parts = [as_array(value) for value in values]
    if parts and len({part.shape for part in parts}) == 1 and parts[0].dtype.kind not in "UO":
        return np.stack(parts)
    objects = np.empty(len(parts), dtype=object)
    objects[:] = list(values)
    return objects


def as_array(value: Any) -> np.ndarray:
    """A tensor, image, number or list as a NumPy array, without a copy where possible.

    Example:
        >>> as_array([1, 2]).shape
        (2,)
    """
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # a torch tensor
        value = value.detach().cpu()
        if "bfloat16" in str(value.dtype):  # which NumPy does not have
            value = value.float()
        return np.asarray(value.numpy())
    if hasattr(value, "numpy") and not isinstance(value, np.ndarray):  # a tensor of TensorFlow
        return np.asarray(value.numpy())
    return np.asarray(value)
