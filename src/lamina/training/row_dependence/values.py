"""What is known of a value in a program about the rows of a batch.

A value is the same whatever the rows are (`SAME`), or has the batch axis somewhere and in each row
what that row alone gives (`Rows`), or is anything else (`MIXED`). Programs are looked at in pairs,
one and the same function traced with two numbers of rows (`row_flow.py`): what differs between
them comes from the number of rows.
"""

import enum
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

# Larger tables that are made anew for every trace are not compared.
_MOST_BYTES_COMPARED = 2**26


class Kind(enum.Enum):
    """Values that have no batch axis."""

    SAME = "whatever the rows are"
    OWN = "a function of one row, inside of a loop over the rows"
    MIXED = "of several rows, or of their number, or unknown"


SAME, OWN, MIXED = Kind.SAME, Kind.OWN, Kind.MIXED


class Rows(NamedTuple):
    """A value with a batch axis: what stands in a row depends on that row of the input alone.

    Args:
        axis: The batch axis. Other axes may have been merged with it: its size is
            `outer * rows * inner`, counted as if there were three axes.
        outer: Size of what was merged before; 0 if all along the axis the values are the same.
        inner: Size of what was merged behind.
    """

    axis: int
    outer: int = 1
    inner: int = 1


Value = Kind | Rows
Pair = tuple[Any, Any]  # the same in both programs


class Step(NamedTuple):
    """One operation in both programs.

    Args:
        values: What is known of its operands.
        equations: The equation in both programs.
        sizes: Number of rows in both.
    """

    values: list[Value]
    equations: Pair
    sizes: tuple[int, int]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of the operands, in the first program."""
        return [variable.aval.shape for variable in self.equations[0].invars]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first result, in the first program."""
        return self.equations[0].outvars[0].aval.shape

    def parameter(self, name: str) -> Any:
        return self.equations[0].params[name]

    def agree(self, *names: str, but: int | None = None) -> bool:
        """Whether parameters are the same in both programs, entries at place `but` aside."""
        one, other = (equation.params for equation in self.equations)
        for name in names:
            a, b = one[name], other[name]
            if but is not None and isinstance(a, (tuple, list)):
                a, b = (tuple(v for i, v in enumerate(p) if i != but) for p in (a, b))
            if not equal(a, b):
                return False
        return True


def equal(a: Any, b: Any) -> bool:
    """Whether two constants or parameters are the same, as far as can be told quickly."""
    if a is b:
        return True
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    if hasattr(a, "dtype") and hasattr(a, "shape"):
        if getattr(b, "shape", None) != a.shape or getattr(b, "dtype", None) != a.dtype:
            return False
        if getattr(a, "nbytes", 0) > _MOST_BYTES_COMPARED or not hasattr(a, "__array__"):
            return False
        return np.asarray(a).tobytes() == np.asarray(b).tobytes()
    if isinstance(a, float) and isinstance(b, float) and a != a and b != b:
        return True
    try:
        return type(a) is type(b) and bool(a == b)
    except (TypeError, ValueError):
        return False


def meet(values: Sequence[Value]) -> Value:
    """Operands that are taken row by row: the batch axis they share."""
    rows = [value for value in values if isinstance(value, Rows)]
    if not rows or any(value not in (SAME, *rows) for value in values):
        return MIXED
    first = next((value for value in rows if value.outer), rows[0])
    factor = max(first.outer, 1) * first.inner
    for value in rows:
        even = value.outer == 0 and value.axis == first.axis and value.inner == factor
        if value != first and not even:
            return MIXED
    return first


def join(a: Value, b: Value) -> Value:
    """What is known of a value that is one or the other."""
    if a == b:
        return a
    if {a, b} == {SAME, OWN}:
        return OWN
    return meet([a, b]) if isinstance(a, Rows) and isinstance(b, Rows) else MIXED
