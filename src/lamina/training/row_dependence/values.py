"""Describes how a value in a program depends on the rows of a batch.

A value does not depend on the rows (`CONSTANT`), or it has a batch axis and each row of it depends
only on the same row of the input (`Batched`), or it is anything else (`MIXED`). A function is
traced with two numbers of rows, and both programs are compared (`propagation.py`): differences
between them come from the number of rows.
"""

import enum
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

# Larger constants are not compared.
_MAX_BYTES_COMPARED = 2**26


class Dependence(enum.Enum):
    """The dependence of values without a batch axis."""

    CONSTANT = "independent of the rows"
    PER_ROW = "belongs to the row that a loop over the batch is at"
    MIXED = "depends on several rows or on their number, or unknown"


CONSTANT, PER_ROW, MIXED = Dependence.CONSTANT, Dependence.PER_ROW, Dependence.MIXED


class Batched(NamedTuple):
    """A value with a batch axis; each of its rows depends only on the same row of the input.

    Args:
        axis: The batch axis. Other axes may have been merged with it by a reshape; its size is
            `outer * rows * inner`, or `rows * inner` if all entries along it are equal.
        outer: Size of the axes merged before it; 0 if all entries along the axis are equal.
        inner: Size of the axes merged after it.
    """

    axis: int
    outer: int = 1
    inner: int = 1


Value = Dependence | Batched
Pair = tuple[Any, Any]  # corresponding objects of the two programs


class Step(NamedTuple):
    """One operation in both programs.

    Args:
        values: The dependence of its operands.
        equations: The equation in both programs.
        sizes: Number of rows in both programs.
    """

    values: list[Value]
    equations: Pair
    sizes: tuple[int, int]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the operands in the first program."""
        return [variable.aval.shape for variable in self.equations[0].invars]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the first result in the first program."""
        shape: tuple[int, ...] = self.equations[0].outvars[0].aval.shape
        return shape

    def parameter(self, name: str) -> Any:
        """A parameter of the equation in the first program."""
        return self.equations[0].params[name]

    def agree(self, *names: str, excluding: int | None = None) -> bool:
        """Whether parameters are equal in both programs, except for the entry at `excluding`."""
        first, second = (equation.params for equation in self.equations)
        for name in names:
            a, b = first[name], second[name]
            if excluding is not None and isinstance(a, (tuple, list)):
                a, b = (tuple(v for i, v in enumerate(p) if i != excluding) for p in (a, b))
            if not equal(a, b):
                return False
        return True


def equal(a: Any, b: Any) -> bool:
    """Whether two constants or parameters are equal; False if the comparison is expensive."""
    if a is b:
        return True
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    if hasattr(a, "dtype") and hasattr(a, "shape"):
        if getattr(b, "shape", None) != a.shape or getattr(b, "dtype", None) != a.dtype:
            return False
        if getattr(a, "nbytes", 0) > _MAX_BYTES_COMPARED or not hasattr(a, "__array__"):
            return False
        return np.asarray(a).tobytes() == np.asarray(b).tobytes()
    if isinstance(a, float) and isinstance(b, float) and a != a and b != b:
        return True
    try:
        return type(a) is type(b) and bool(a == b)
    except (TypeError, ValueError):
        return False


def combine(values: Sequence[Value]) -> Value:
    """The dependence of an element-wise operation's result, from that of its operands."""
    rows = [value for value in values if isinstance(value, Batched)]
    if not rows or any(value not in (CONSTANT, *rows) for value in values):
        return MIXED
    first = next((value for value in rows if value.outer), rows[0])
    factor = max(first.outer, 1) * first.inner
    for value in rows:
        is_constant = value.outer == 0 and value.axis == first.axis and value.inner == factor
        if value != first and not is_constant:
            return MIXED
    return first


def join(a: Value, b: Value) -> Value:
    """The dependence of a value that is either `a` or `b`, as after a branch."""
    if a == b:
        return a
    if {a, b} == {CONSTANT, PER_ROW}:
        return PER_ROW
    return combine([a, b]) if isinstance(a, Batched) and isinstance(b, Batched) else MIXED
