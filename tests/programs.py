"""Compiled programs, for tests that count: how many there are, and what they consist of."""

import contextlib
import logging
import math
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import jax

from lamina.training.compiled_function import clear_programs

# A computation is `%name (parameters) -> result {`, one instruction a line, `}`; an instruction
# `%name = shape opcode(operands), attributes`, where the shape may be a tuple of shapes.
_COMPUTATION = re.compile(r"^(?:ENTRY )?%(\S+) \(.*\{$")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%\S+ = (\(.*?\)|\S+) ([a-z][\w-]*)\(")
_CALLED = re.compile(r"(?:calls|to_apply|body|condition)=%([\w.-]+)|computations=\{([^}]*)\}")
_TARGET = re.compile(r'custom_call_target="([^"]*)"')
_ORIGIN = re.compile(r'op_name="[^"]*?([^"/]*)"')
_ARRAY = re.compile(r"(pred|[a-z]+?(\d+)[a-z0-9]*)\[([\d,]*)\]")

# These name, group or view values and cost nothing when the program runs.
_FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "while", "call"}


class Compilations:
    """Names of the programs that were compiled since the last `reset()`."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def reset(self) -> None:
        self.names.clear()

    def count(self, name: str) -> int:
        """How many programs whose name contains `name` were compiled."""
        return sum(name in compiled for compiled in self.names)


@contextlib.contextmanager
def counted_compilations() -> Iterator[Compilations]:
    """Count what XLA compiles (or loads from the cache) inside."""
    clear_programs()  # of other tests
    counter = Compilations()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found = re.search(r"Finished XLA compilation of (\S+)", record.getMessage())
            if found:
                counter.names.append(found.group(1))

    logger = logging.getLogger("jax._src.dispatch")
    handler, level, propagate = Handler(logging.DEBUG), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    jax.config.update("jax_log_compiles", True)
    try:
        yield counter
    finally:
        jax.config.update("jax_log_compiles", False)
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


@contextlib.contextmanager
def compiled_as_for_users() -> Iterator[None]:
    """Programs are optimised inside, which most tests do without."""
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", False)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)


class Instruction(NamedTuple):
    """One line of a compiled program."""

    opcode: str
    bytes: int  # of its result
    target: str  # the library function that a custom call calls, else ""
    origin: str  # JAX's name of what it came from, such as `dot_general`, or ""
    calls: tuple[str, ...]  # computations


class Program:
    """A compiled program: its computations, and which of them are run step after step.

    Args:
        text: What `as_text()` of the compiled function gives.

    Attributes:
        computations: Their instructions, by name.
        overwritten: Number of arguments whose memory becomes that of a result.
    """

    def __init__(self, text: str):
        self.overwritten = len(re.findall("(?:may|must)-alias", text.partition("\n")[0]))
        self.computations: dict[str, list[Instruction]] = {}
        current: list[Instruction] = []
        for line in text.splitlines():
            if begins := _COMPUTATION.match(line):
                current = self.computations[begins[1]] = []
            elif found := _INSTRUCTION.match(line):
                current.append(_instruction(line, *found.groups()))

    @property
    def size(self) -> int:
        """Number of instructions, which the time of compiling goes with."""
        return sum(map(len, self.computations.values()))

    def in_loops(self) -> list[Instruction]:
        """What is computed inside of loops, down to the parts of fused kernels."""
        return self._reached(self._loops(), through=lambda instruction: True)

    def kernels(self) -> list[Instruction]:
        """What is started inside of loops, one by one: a fused kernel is one."""
        opened = {"while", "call", "conditional"}
        found = self._reached(self._loops(), through=lambda i: i.opcode in opened)
        return [instruction for instruction in found if instruction.opcode not in _FREE]

    def _loops(self) -> list[str]:
        every = (i for instructions in self.computations.values() for i in instructions)
        return [name for i in every if i.opcode == "while" for name in i.calls]

    def _reached(self, names: Iterable[str], through) -> list[Instruction]:
        wanted, seen = list(names), {}
        while wanted:
            name = wanted.pop()
            if name not in seen:
                seen[name] = self.computations[name]
                wanted += [called for i in seen[name] if through(i) for called in i.calls]
        return [instruction for found in seen.values() for instruction in found]


def _instruction(line: str, shape: str, opcode: str) -> Instruction:
    groups = [one or several for one, several in _CALLED.findall(line)]
    calls = tuple(name.strip().lstrip("%") for group in groups for name in group.split(","))
    target, origin = (found.search(line) for found in (_TARGET, _ORIGIN))
    return Instruction(
        opcode, _bytes(shape), target[1] if target else "", origin[1] if origin else "", calls
    )


def _bytes(shape: str) -> int:
    arrays = (
        (math.prod(map(int, filter(None, sizes.split(",")))), int(bits or 8))
        for _, bits, sizes in _ARRAY.findall(shape)
    )
    return sum(count * bits // 8 for count, bits in arrays)
