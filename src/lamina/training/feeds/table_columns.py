"""Names of the columns of tables: a model remembers those that it was trained on.

Arrays have no column names, so columns are used by position. A table with the same columns in
another order would give wrong results without an error.
"""

from typing import Any

from lamina.core.types import Data, PyTree, Targets
from lamina.core.user_data.data_kinds import is_column, is_table
from lamina.training import checks
from lamina.training.trainable import Signature, Trainable


def refuse_other_order(learner: Trainable, x: Data, y: Targets = None) -> None:
    """Raise a ValueError if a table has the columns of training in another order."""
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
            choose = getattr(table, "choose", None)
            chosen = f".{choose}({list(trained)!r})" if choose else f"[{list(trained)!r}]"
            raise ValueError(
                f"{what} has the column {names[i]!r} in place {i}, where model "
                f"{learner.model.name!r} was trained on {trained[i]!r}; the columns of a table "
                f"go by position.\n  Fix: {what} = {what}{chosen}."
            )
        if len(names) == len(trained):
            checks.warn_once(
                f"columns of {what}",
                f"{what} has no column {missing[0]!r}, which model {learner.model.name!r} was "
                "trained on; the columns of a table go by position, so "
                f"{names[trained.index(missing[0])]!r} is taken for it.",
                learner,
            )


def refuse_one_row(signature: Signature, x: Data) -> None:
    """Raise a ValueError for one row of a table, which would be taken as many samples."""
    if not is_column(x) or len(signature.inputs) != 1:
        return
    sample_shape = signature.inputs[0].shape[1:]
    if len(x) > 1 and sample_shape == (len(x),):
        raise ValueError(
            f"x is one column of {len(x)} values, and the model takes {len(x)} columns.\n"
            "  Likely cause: one row of a table.\n"
            "  Fix: table.iloc[[0]] in place of table.iloc[0], or x = x.to_frame().T."
        )


def columns_of(x: Data, y: Targets = None) -> dict[str, tuple[Any, ...]]:
    """The column names of all tables in x and y, by the expression for the table (`"x['a']"`)."""
    tables = {**_tables(x, "x"), **_tables(y, "y")}
    return {what: tuple(table.columns) for what, table in tables.items()}


def _tables(structure: PyTree, what: str) -> dict[str, Any]:
    """Every table in a structure, by the expression for it."""
    if is_table(structure):
        return {what: structure}
    parts: Any = ()
    if isinstance(structure, dict):
        parts = structure.items()
    elif isinstance(structure, (list, tuple)) and len(structure) < _MANY:
        parts = enumerate(structure)
    found: dict[str, Any] = {}
    for key, part in parts:
        found |= _tables(part, f"{what}[{key!r}]")
    return found


_MANY = 100  # a longer list holds rows or numbers, not a table for each input
