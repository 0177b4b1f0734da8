"""Column names of tables: a model remembers the names that it was trained on.

A table becomes an array, whose columns have positions and no names. So a table with the same
columns in another order would give wrong results without an error.
"""

from typing import Any

from lamina.core.types import Data, PyTree, Targets
from lamina.core.user_data.data_kinds import is_column, is_table
from lamina.training import checks
from lamina.training.trainable import Signature, Trainable


def refuse_reordered_columns(learner: Trainable, x: Data, y: Targets = None) -> None:
    """Raise a ValueError if a table has the columns of the training data in another order."""
    if not learner.columns:
        return
    for what, table in {**_tables(x, "x"), **_tables(y, "y")}.items():
        names = tuple(table.columns)
        trained = learner.columns.get(what, names)
        if trained == names:
            continue
        missing = [name for name in trained if name not in names]
        if not missing:
            i = next(i for i, name in enumerate(trained) if names[i] != name)
            select_method = getattr(table, "select_method", None)
            columns = repr(list(trained))
            selection = f".{select_method}({columns})" if select_method else f"[{columns}]"
            raise ValueError(
                f"{what} has the column {names[i]!r} at position {i}, where model "
                f"{learner.model.name!r} was trained on {trained[i]!r}; the columns of a table "
                f"are used by position.\n  Fix: {what} = {what}{selection}."
            )
        if len(names) == len(trained):
            checks.warn_once(
                f"columns of {what}",
                f"{what} has no column {missing[0]!r}, which model {learner.model.name!r} was "
                "trained on; the columns of a table are used by position, so "
                f"{names[trained.index(missing[0])]!r} is used in its place.",
                learner,
            )


def refuse_one_row(signature: Signature, x: Data) -> None:
    """Raise a ValueError for a single row of a table, which would be treated as many samples."""
    if not is_column(x) or len(signature.inputs) != 1:
        return
    sample_shape = signature.inputs[0].shape[1:]
    if len(x) > 1 and sample_shape == (len(x),):
        raise ValueError(
            f"x is one column of {len(x)} values, and the model takes {len(x)} columns.\n"
            "  Likely cause: one row of a table.\n"
            "  Fix: table.iloc[[0]] in place of table.iloc[0], or x = x.to_frame().T."
        )


def column_names_of(x: Data, y: Targets = None) -> dict[str, tuple[Any, ...]]:
    """The column names of all tables in x and y, by the table's expression (`"x['a']"`)."""
    tables = {**_tables(x, "x"), **_tables(y, "y")}
    return {what: tuple(table.columns) for what, table in tables.items()}


def _tables(structure: PyTree, what: str) -> dict[str, Any]:
    """All tables in a structure, by the expression for each."""
    if is_table(structure):
        return {what: structure}
    parts: Any = ()
    if isinstance(structure, dict):
        parts = structure.items()
    elif isinstance(structure, (list, tuple)) and len(structure) < _MAX_TABLES:
        parts = enumerate(structure)
    tables: dict[str, Any] = {}
    for key, part in parts:
        tables |= _tables(part, f"{what}[{key!r}]")
    return tables


_MAX_TABLES = 100  # a longer list contains rows or numbers, not a table for each input
