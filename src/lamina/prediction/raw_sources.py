"""Shared by the modules that convert inputs: their result, files of folders, and messages."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from lamina.contract import Column, Contract
from lamina.core.messages.errors import type_with_article

# Example values of columns, for the code in messages.
_EXAMPLES = {"number": 1.0, "date": "2024-01-31", "text": "a text"}
_MAX_COLUMNS = 8


class Failure(NamedTuple):
    """A source that could not be read.

    Args:
        name: Name of the source.
        why: The reason.
        before: Number of samples that were read before it.
    """

    name: str
    why: str
    before: int


@dataclass
class RawInputs:
    """Samples converted to inputs of a model.

    Args:
        x: Inputs, with one row per sample; None if nothing could be read.
        names: The name of each sample: a file, `"rows.csv, row 3"`, a text.
        failures: Sources that could not be read.
        remarks: Remarks for the user, e.g. on columns that were not used.
    """

    x: Any
    names: list[str]
    failures: list[Failure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def fail(self, name: str, why: str) -> None:
        """Record that a source could not be read, in the order of the sources."""
        self.failures.append(Failure(name, why, len(self.names)))

    @property
    def errors(self) -> dict[str, str]:
        """From the names of sources that could not be read to the reasons."""
        return {failure.name: failure.why for failure in self.failures}


def unsupported_input_error(contract: Contract, received: str) -> TypeError:
    """An error that says which inputs a model takes, and a line to type.

    Args:
        contract: The contract of the model.
        received: The input in words, e.g. `"None"`.
    """
    inputs, fix = _accepted_inputs(contract)
    return TypeError(f"The model takes {inputs}; received {received}.\n  Fix: {fix}")


def describe_value(value: Any) -> str:
    """A value in words, for messages: a number itself, and the type of other values.

    Example:
        >>> describe_value(None), describe_value(3), describe_value([]), describe_value({"a": 1})
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
        for column in columns[:_MAX_COLUMNS]
    }
    more = len(columns) > _MAX_COLUMNS
    return repr(row)[:-1] + (", …}" if more else "}")


def names_of(columns: Sequence[Column]) -> str:
    """The names of columns for a message."""
    more = ", …" if len(columns) > _MAX_COLUMNS else ""
    return ", ".join(column.name for column in columns[:_MAX_COLUMNS]) + more


def expand_folders(
    sources: Sequence[Any], endings: frozenset[str], result: RawInputs
) -> Iterator[Any]:
    """The sources, with folders replaced by their files; records empty folders in `result`."""
    for source in sources:
        if isinstance(source, (str, os.PathLike)) and is_folder(source):
            files = sorted(
                path
                for path in Path(source).rglob("*")
                if path.suffix.lower() in endings
                and not any(p.startswith(".") for p in path.relative_to(source).parts)
            )
            if not files:
                result.fail(str(source), "has nothing in it that the model can take")
            yield from files
        else:
            yield source


def is_file(source: Any) -> bool:
    """Whether a source is the path of an existing file or folder."""
    if not isinstance(source, (str, os.PathLike)) or str(source).strip() in ("", "."):
        return False
    try:
        return Path(source).exists()
    except (OSError, ValueError):  # a text may be too long for a path, or contain a null character
        return False


def is_folder(source: Any) -> bool:
    """Whether a path is a folder."""
    try:
        return Path(source).is_dir()
    except (OSError, ValueError):
        return False


def reason(error: Exception, name: str) -> str:
    """The first line of an error, without the name that it begins with."""
    return str(error).splitlines()[0].removeprefix(f"{name} ").rstrip(".:")


def name_of(source: Any, default: str) -> str:
    """The name of a source: its path, or a default if it is not a path."""
    return str(source) if isinstance(source, (str, os.PathLike)) else default


def _accepted_inputs(contract: Contract) -> tuple[str, str]:
    """The inputs that a model takes, in words, and a line of code with such an input."""
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
