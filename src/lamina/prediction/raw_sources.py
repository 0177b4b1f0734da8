"""What the makers of inputs share: their result, the files among the sources, and messages."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from lamina.contract import Column, Contract
from lamina.core.messages.errors import type_with_article

# What stands for a value of a column in the lines that messages propose.
_EXAMPLES = {"number": 1.0, "date": "2024-01-31", "text": "a text"}
_MOST_COLUMNS = 8


class Failure(NamedTuple):
    """A source that could not be read.

    Args:
        name: What it is called.
        why: The reason.
        before: How many samples were read before it.
    """

    name: str
    why: str
    before: int


@dataclass
class RawInputs:
    """Samples as a model takes them.

    Args:
        x: Inputs, with one row per sample; None if nothing could be read.
        names: What each sample is called: a file, `"rows.csv, row 3"`, a text.
        failures: What could not be read.
        remarks: What the user should know, e.g. columns that were not used.
    """

    x: Any
    names: list[str]
    failures: list[Failure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def fail(self, name: str, why: str) -> None:
        """Note that a source could not be read, in the order of the sources."""
        self.failures.append(Failure(name, why, len(self.names)))

    @property
    def errors(self) -> dict[str, str]:
        """Why what could not be read could not, by name."""
        return {failure.name: failure.why for failure in self.failures}


def refused(contract: Contract, received: str) -> TypeError:
    """The error for what a model cannot take: what it takes, and the line to type.

    Args:
        contract: What the model was trained on.
        received: What came in, e.g. `"None"`.
    """
    takes, fix = _takes(contract)
    return TypeError(f"The model takes {takes}; received {received}.\n  Fix: {fix}")


def described(value: Any) -> str:
    """A value for messages: numbers as they are, of others the type.

    Example:
        >>> described(None), described(3), described([]), described({"a": 1})
        ('None', '3', 'an empty list', 'a dict')
    """
    if value is None or isinstance(value, (bool, int, float, complex)):
        return repr(value)
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and hasattr(value, "dtype"):
        return f"an array of {value.dtype}, of shape {shape}"
    if isinstance(value, (list, tuple, dict, set, frozenset)) and not value:
        return f"an empty {type(value).__name__}"
    return type_with_article(type(value))


def example_row(columns: Sequence[Column]) -> str:
    """A row for these columns, as Python code."""
    row = {
        column.name: (column.categories or ("",))[0]
        if column.kind == "category"
        else _EXAMPLES[column.kind]
        for column in columns[:_MOST_COLUMNS]
    }
    more = len(columns) > _MOST_COLUMNS
    return repr(row)[:-1] + (", …}" if more else "}")


def names_of(columns: Sequence[Column]) -> str:
    """The names of columns for a message."""
    more = ", …" if len(columns) > _MOST_COLUMNS else ""
    return ", ".join(column.name for column in columns[:_MOST_COLUMNS]) + more


def files_in(sources: Sequence[Any], endings: frozenset[str], found: RawInputs) -> Iterator[Any]:
    """The sources, with the files of folders in place of the folders."""
    for source in sources:
        if isinstance(source, (str, os.PathLike)) and is_folder(source):
            inside = sorted(
                path
                for path in Path(source).rglob("*")
                if path.suffix.lower() in endings
                and not any(p.startswith(".") for p in path.relative_to(source).parts)
            )
            if not inside:
                found.fail(str(source), "has nothing in it that the model can take")
            yield from inside
        else:
            yield source


def is_file(source: Any) -> bool:
    """Whether a source is the path of something that exists."""
    if not isinstance(source, (str, os.PathLike)) or str(source).strip() in ("", "."):
        return False
    try:
        return Path(source).exists()
    except (OSError, ValueError):  # a text may be too long for a path, or have a zero in it
        return False


def is_folder(source: Any) -> bool:
    """Whether a path is that of a folder."""
    try:
        return Path(source).is_dir()
    except (OSError, ValueError):
        return False


def reason(error: Exception, name: str) -> str:
    """The first line of an error, without the name that it begins with."""
    return str(error).splitlines()[0].removeprefix(f"{name} ").rstrip(".:")


def name_of(source: Any, otherwise: str) -> str:
    """What a source is called: its path, if it is one."""
    return str(source) if isinstance(source, (str, os.PathLike)) else otherwise


def _takes(contract: Contract) -> tuple[str, str]:
    """What a model takes, and a line that gives it that."""
    columns = contract.columns
    if contract.kind == "images":
        return (
            "pictures: paths, bytes, Pillow images or arrays (height, width, 3), or a list of them",
            "predictor.answer('photo.jpg')",
        )
    if contract.kind == "table":
        return (
            f"rows with the columns {names_of(columns)}: dicts, a data frame or the path of a "
            "table, or a list of them",
            f"predictor.answer({example_row(columns)})",
        )
    if contract.kind == "text":
        return (
            "texts: strings or paths of .txt files, or a list of them",
            "predictor.answer('a text')",
        )
    steps = contract.series.window if contract.series else 1
    line = "predictor.answer('table.csv')"
    if len(columns) == 1:
        numbers = ", ".join(map(str, range(1, min(steps, 3) + 1))) + ", …" * (steps > 3)
        line += f", or the numbers themselves: predictor.answer([{numbers}])"
    return (
        f"a series of at least {steps} steps with the columns {names_of(columns)}: a data frame, "
        "the path of a table, a dict of lists or an array (steps, columns)",
        line,
    )
