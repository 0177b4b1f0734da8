"""Propagates the dependence on rows through a program.

`analysis.py` traces a function with two numbers of rows. The two programs are compared here,
operation by operation, to find how the results of each operation depend on the rows. The rules for
single operations are in `rules.py`; loops and branches are handled here.
"""

from collections.abc import Callable, Sequence
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from lamina.training.row_dependence.rules import RULES, grows
from lamina.training.row_dependence.values import (
    CONSTANT,
    MIXED,
    PER_ROW,
    Batched,
    Pair,
    Step,
    Value,
    equal,
    join,
)


class UnlikeProgramsError(Exception):
    """The two programs do not consist of the same operations, so they cannot be compared."""


def propagate(
    programs: tuple[ClosedJaxpr, ClosedJaxpr], values: Sequence[Value], sizes: tuple[int, int]
) -> list[Any]:
    """The dependence of the results of a program, from that of its arguments.

    Args:
        programs: The program traced with each number of rows.
        values: The dependence of each argument.
        sizes: The two numbers of rows.

    Raises:
        UnlikeProgramsError: If the programs do not consist of the same operations.
    """
    return _propagate(programs, values, sizes)


def _through_equations(
    one: Jaxpr, other: Jaxpr, constants: list[Any], values: list[Any], sizes: tuple[int, int]
) -> list[Any]:
    if len(one.eqns) != len(other.eqns):
        raise UnlikeProgramsError
    known: dict[Any, Value] = {}
    twin: dict[Any, Any] = {}

    def note(variables: Pair, found: Sequence[Value]) -> None:
        if not len(variables[0]) == len(variables[1]) == len(found):
            raise UnlikeProgramsError
        for a, b, value in zip(*variables, found, strict=True):
            known[a], twin[a] = _confirmed(value, a.aval, b.aval, sizes), b

    def read(a: Any, b: Any) -> Value:
        if isinstance(a, Literal) or isinstance(b, Literal):
            both = isinstance(a, Literal) and isinstance(b, Literal)
            return CONSTANT if both and equal(a.val, b.val) else MIXED
        return known[a] if twin[a] is b else MIXED

    note((one.constvars, other.constvars), constants)
    note((one.invars, other.invars), values)
    for equations in zip(one.eqns, other.eqns, strict=True):
        a, b = equations
        if a.primitive.name != b.primitive.name or len(a.invars) != len(b.invars):
            raise UnlikeProgramsError
        operands = [read(*pair) for pair in zip(a.invars, b.invars, strict=True)]
        note((a.outvars, b.outvars), _results(Step(operands, equations, sizes)))
    if len(one.outvars) != len(other.outvars):
        raise UnlikeProgramsError
    return [read(*pair) for pair in zip(one.outvars, other.outvars, strict=True)]


def _results(step: Step) -> list[Value]:
    name, count = step.equations[0].primitive.name, len(step.equations[0].outvars)
    follow = _CONTROL_FLOW.get(name)
    if follow is not None:
        return follow(step)
    if MIXED in step.values or step.equations[0].effects:
        return [MIXED] * count
    if all(value in (CONSTANT, PER_ROW) for value in step.values) and not grows(step):
        kind = PER_ROW if PER_ROW in step.values else CONSTANT
        return [kind if step.agree(*step.equations[0].params) else MIXED] * count
    rule = RULES.get(name)
    found = MIXED if rule is None or PER_ROW in step.values else rule(step)
    return found if isinstance(found, list) else [found] * count


def _confirmed(value: Value, one: Any, other: Any, sizes: tuple[int, int]) -> Value:
    """The value, if in both programs no axis but the batch axis depends on the number of rows."""
    a, b = getattr(one, "shape", None), getattr(other, "shape", None)
    if a is None or b is None or len(a) != len(b) or one.dtype != other.dtype:
        return MIXED
    if not isinstance(value, Batched):
        return value if a == b else MIXED
    factor = max(value.outer, 1) * value.inner
    fits = value.axis < len(a) and (a[value.axis], b[value.axis]) == (
        factor * sizes[0],
        factor * sizes[1],
    )
    alike = all(m == n for i, (m, n) in enumerate(zip(a, b, strict=True)) if i != value.axis)
    return value if fits and alike else MIXED


def _inner(program: Any) -> tuple[Jaxpr, list[Any]]:
    return (program.jaxpr, program.consts) if isinstance(program, ClosedJaxpr) else (program, [])


def _propagate(programs: Pair, values: Sequence[Value], sizes: tuple[int, int]) -> list[Value]:
    (one, first), (other, second) = map(_inner, programs)
    if one is other and not one.effects and all(value is CONSTANT for value in values):
        return [CONSTANT] * len(one.outvars)
    constants: list[Value] = [
        CONSTANT if equal(a, b) else MIXED for a, b in zip(first, second, strict=False)
    ]
    return _through_equations(one, other, constants, list(values), sizes)


def _call(step: Step) -> list[Value]:
    params = step.equations[0].params
    name = next(n for n in ("jaxpr", "call_jaxpr", "fun_jaxpr") if n in params)
    programs = tuple(equation.params[name] for equation in step.equations)
    return _propagate(programs, step.values, step.sizes)


def _cond(step: Step) -> list[Value]:
    index, *values = step.values
    branches = list(zip(*(equation.params["branches"] for equation in step.equations), strict=True))
    found = [_propagate(pair, values, step.sizes) for pair in branches]
    results = found[0]
    for other in found[1:]:
        results = [join(a, b) for a, b in zip(results, other, strict=True)]
    if index is PER_ROW:
        return [PER_ROW if value in (CONSTANT, PER_ROW) else MIXED for value in results]
    return results if index is CONSTANT else [MIXED] * len(results)


def _while(step: Step) -> list[Value]:
    params = step.equations[0].params
    tests, bodies = params["cond_nconsts"], params["body_nconsts"]
    test_values, body_values = step.values[:tests], step.values[tests : tests + bodies]
    carry = step.values[tests + bodies :]

    def body(carry: list[Value]) -> list[Value]:
        programs = tuple(equation.params["body_jaxpr"] for equation in step.equations)
        return _propagate(programs, [*body_values, *carry], step.sizes)

    carry = _fixed_point(body, carry)
    programs = tuple(equation.params["cond_jaxpr"] for equation in step.equations)
    (again,) = _propagate(programs, [*test_values, *carry], step.sizes)
    if again is PER_ROW:
        return [PER_ROW if value in (CONSTANT, PER_ROW) else MIXED for value in carry]
    return carry if again is CONSTANT else [MIXED] * len(carry)


def _scan(step: Step) -> list[Value]:
    params = step.equations[0].params
    consts, count = params["num_consts"], params["num_carry"]
    fixed, carry, stacked = (
        step.values[:consts],
        step.values[consts : consts + count],
        step.values[consts + count :],
    )
    over_rows = not step.agree("length")
    slices = [_slice_of(value, over_rows) for value in stacked]
    programs = tuple(equation.params["jaxpr"] for equation in step.equations)

    def body(carry: list[Value]) -> list[Value]:
        return _propagate(programs, [*fixed, *carry, *slices], step.sizes)

    carry = _fixed_point(lambda carry: body(carry)[:count], carry)
    found = [_stack_of(value, over_rows) for value in body(carry)[count:]]
    if over_rows:
        # A carry from row to row depends on the rows before.
        unknown: list[Value] = [MIXED] * len(step.equations[0].outvars)
        return unknown if count else found
    return [*carry, *found]


def _slice_of(value: Value, over_rows: bool) -> Value:
    """One slice along axis 0, as the body of a scan gets it."""
    if not isinstance(value, Batched):
        return value if not over_rows or value is MIXED else MIXED
    if over_rows:
        return PER_ROW if value.axis == 0 and max(value.outer, 1) * value.inner == 1 else MIXED
    return value._replace(axis=value.axis - 1) if value.axis else MIXED


def _stack_of(value: Value, over_rows: bool) -> Value:
    if over_rows:
        return Batched(0) if value in (PER_ROW, CONSTANT) else MIXED
    return value._replace(axis=value.axis + 1) if isinstance(value, Batched) else value


def _fixed_point(body: Callable[[list[Any]], list[Any]], carry: list[Value]) -> list[Value]:
    while True:
        after = [join(a, b) for a, b in zip(carry, body(carry), strict=True)]
        if after == carry:
            return carry
        carry = after


def _linear_solve(step: Step) -> list[Value]:
    lengths = step.parameter("const_lengths")
    before = lengths.matvec + lengths.vecmat
    constants = step.values[before : before + lengths.solve]
    right = step.values[sum(lengths) :]
    programs = tuple(equation.params["jaxprs"].solve for equation in step.equations)
    # The solver also uses the matrix itself, which must not be mixed.
    if any(value is MIXED for value in step.values[:before]):
        return [MIXED] * len(right)
    return _propagate(programs, [*constants, *right], step.sizes)


_CONTROL_FLOW: dict[str, Callable[[Step], list[Value]]] = {
    **dict.fromkeys(("jit", "pjit", "closed_call", "core_call", "remat2", "checkpoint"), _call),
    **dict.fromkeys(("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"), _call),
    "cond": _cond,
    "while": _while,
    "scan": _scan,
    "custom_linear_solve": _linear_solve,
}
