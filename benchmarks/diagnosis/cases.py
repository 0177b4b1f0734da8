"""Cases: which faults are put into which programs, with which seed, and in which order."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from injectors import INJECTORS, Injector

from programs import ODD, PROGRAMS, Program

Make = Callable[[int], Program]


class Case(NamedTuple):
    """A healthy program, or one with a fault."""

    make: Make
    injector: Injector | None
    seed: int

    @property
    def fault(self) -> str | None:
        """Name of the fault; None for a healthy program."""
        return None if self.injector is None else self.injector.name

    def program(self) -> Program | None:
        """The program; None where the fault has no meaning for it."""
        program = self.make(self.seed)
        if self.injector is None:
            return program
        return self.injector.inject(program, np.random.default_rng(self.seed))


def case_named(program: str, fault: str | None, seed: int) -> Case:
    """The case of a recorded run.

    Args:
        program: Name of the program.
        fault: Name of the fault, or None.
        seed: The seed.
    """
    make = next(make for make in (*PROGRAMS, *ODD) if make(seed).name == program)
    injector = next((one for one in INJECTORS if one.name == fault), None)
    return Case(make, injector, seed)


def pairs(programs: str = "", faults: str = "") -> list[tuple[Make, Injector]]:
    """Programs and the faults that have a meaning for them.

    Args:
        programs: A part of the name of the function that makes the program.
        faults: A part of the name of the fault.
    """
    return [
        (make, injector)
        for make in PROGRAMS
        if programs in make.__name__
        for injector in INJECTORS
        if faults in injector.name and Case(make, injector, 0).program() is not None
    ]


def dealt(
    pairs: Sequence[tuple[Make, Injector]], seeds: Sequence[int], deal: int = 0
) -> list[Case]:
    """Every pair once, each with one of the seeds, drawn so that seeds have equally many.

    Neighbours in the shuffled order have the same fault, so that its programs get different seeds.

    Args:
        pairs: Programs and faults.
        seeds: The seeds.
        deal: Below the number of seeds. Each deal gives a pair another seed.
    """
    chosen = random.Random(0)
    order = sorted(pairs, key=lambda pair: (pair[1].name, chosen.random()))
    start = chosen.randrange(len(seeds)) + deal
    return [
        Case(make, injector, seeds[(start + number) % len(seeds)])
        for number, (make, injector) in enumerate(order)
    ]


def healthy(seeds: Iterable[int], programs: str = "") -> list[Case]:
    """Every healthy program with every seed, those that look odd among them."""
    makes = [make for make in (*PROGRAMS, *ODD) if programs in make.__name__]
    return [Case(make, None, seed) for seed in seeds for make in makes]


def balanced(cases: Sequence[Case]) -> list[Case]:
    """The cases in an order in which every beginning has all seeds, programs and faults alike."""
    chosen = random.Random(1)
    rest = list(cases)
    chosen.shuffle(rest)
    totals = _counts(rest)
    done: Counter[object] = Counter()
    ordered: list[Case] = []
    while rest:
        after = [sum((done[key] + 1) / totals[key] for key in _keys(case)) for case in rest]
        case = rest.pop(int(np.argmin(after)))
        done.update(_keys(case))
        ordered.append(case)
    return ordered


def _keys(case: Case) -> tuple[object, ...]:
    return ("fault", case.fault), ("program", case.make.__name__), ("seed", case.seed)


def _counts(cases: Iterable[Case]) -> Counter[object]:
    return Counter(key for case in cases for key in _keys(case))
