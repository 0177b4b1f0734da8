"""Propagates the dependence on rows through a program.

`predict` may pad its last batch only if no row of the outputs depends on another row of the batch.
To find that out, `analysis.py` traces the model with two numbers of rows. The two programs are
compared here, operation by operation, and each value of the program gets its dependence on the rows
(`values.py`). The rules for single operations are in `rules.py`; calls, loops and branches are
handled here.
"""

from collections.abc import Callable, Sequence
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from lamina.training.row_dependence.rules import RULES, changes_size
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


class DifferentProgramsError(Exception):
    """The two programs do not consist of the same operations, so they cannot be compared."""


def propagate(programs: Pair, values: Sequence[Value], sizes: tuple[int, int]) -> list[Value]:
    """The dependence of the results of a program, from that of its arguments.

    Args:
        programs: The program traced with each number of rows, as `Jaxpr` or `ClosedJaxpr`.
        values: The dependence of each argument.
        sizes: The two numbers of rows.

    Raises:
        DifferentProgramsError: If the programs do not consist of the same operations.
    """
    (first, first_constants), (second, second_constants) = map(_program_and_constants, programs)
    if first is second and not first.effects and all(value is CONSTANT for value in values):
        return [CONSTANT] * len(first.outvars)
    constants: list[Value] = [
        CONSTANT if equal(a, b) else MIXED
        for a, b in zip(first_constants, second_constants, strict=False)
    ]
    return _propagate_equations(first, second, constants, list(values), sizes)


def _propagate_equations(
    first: Jaxpr, second: Jaxpr, constants: list[Any], values: list[Any], sizes: tuple[int, int]
) -> list[Any]:
    if len(first.eqns) != len(second.eqns):
        raise DifferentProgramsError
    # For each variable of the first program: its dependence, and its counterpart in the second.
    dependence: dict[Any, Value] = {}
    counterpart: dict[Any, Any] = {}

    def record(variables: Pair, values: Sequence[Value]) -> None:
        if not len(variables[0]) == len(variables[1]) == len(values):
            raise DifferentProgramsError
        for a, b, value in zip(*variables, values, strict=True):
            dependence[a], counterpart[a] = _checked_shapes(value, a.aval, b.aval, sizes), b

    def read(a: Any, b: Any) -> Value:
        if isinstance(a, Literal) or isinstance(b, Literal):
            both = isinstance(a, Literal) and isinstance(b, Literal)
            return CONSTANT if both and equal(a.val, b.val) else MIXED
        return dependence[a] if counterpart[a] is b else MIXED

    record((first.constvars, second.constvars), constants)
    record((first.invars, second.invars), values)
    for equations in zip(first.eqns, second.eqns, strict=True):
        a, b = equations
        if a.primitive.name != b.primitive.name or len(a.invars) != len(b.invars):
            raise DifferentProgramsError
        operands = [read(*pair) for pair in zip(a.invars, b.invars, strict=True)]
        record((a.outvars, b.outvars), _results(Step(operands, equations, sizes)))
    if len(first.outvars) != len(second.outvars):
        raise DifferentProgramsError
    return [read(*pair) for pair in zip(first.outvars, second.outvars, strict=True)]


def _results(step: Step) -> list[Value]:
    name, count = step.equations[0].primitive.name, len(step.equations[0].outvars)
    control_flow_rule = _CONTROL_FLOW.get(name)
    if control_flow_rule is not None:
        return control_flow_rule(step)
    if MIXED in step.values or step.equations[0].effects:
        return [MIXED] * count
    if all(value in (CONSTANT, PER_ROW) for value in step.values) and not changes_size(step):
        dependence = PER_ROW if PER_ROW in step.values else CONSTANT
        return [dependence if step.agree(*step.equations[0].params) else MIXED] * count
    rule = RULES.get(name)
    results = MIXED if rule is None or PER_ROW in step.values else rule(step)
    return results if isinstance(results, list) else [results] * count


def _checked_shapes(value: Value, first: Any, second: Any, sizes: tuple[int, int]) -> Value:
    """`value` if only the batch axis depends on the number of rows in both programs, else `MIXED`.

    Args:
        value: The dependence that the rule of the operation has returned.
        first: Shape and dtype of the result in the first program.
        second: Shape and dtype of the result in the second program.
        sizes: The two numbers of rows.
    """
    a, b = getattr(first, "shape", None), getattr(second, "shape", None)
    if a is None or b is None or len(a) != len(b) or first.dtype != second.dtype:
        return MIXED
    if not isinstance(value, Batched):
        return value if a == b else MIXED
    factor = max(value.outer, 1) * value.inner
    has_batch_axis = value.axis < len(a) and (a[value.axis], b[value.axis]) == (
        factor * sizes[0],
        factor * sizes[1],
    )
    others_equal = all(m == n for i, (m, n) in enumerate(zip(a, b, strict=True)) if i != value.axis)
    return value if has_batch_axis and others_equal else MIXED


def _program_and_constants(program: Any) -> tuple[Jaxpr, list[Any]]:
    return (program.jaxpr, program.consts) if isinstance(program, ClosedJaxpr) else (program, [])


def _call(step: Step) -> list[Value]:
    params = step.equations[0].params
    name = next(n for n in ("jaxpr", "call_jaxpr", "fun_jaxpr") if n in params)
    programs = tuple(equation.params[name] for equation in step.equations)
    return propagate(programs, step.values, step.sizes)


def _cond(step: Step) -> list[Value]:
    index, *values = step.values
    branches = list(zip(*(equation.params["branches"] for equation in step.equations), strict=True))
    by_branch = [propagate(pair, values, step.sizes) for pair in branches]
    results = by_branch[0]
    for branch_results in by_branch[1:]:
        results = [join(a, b) for a, b in zip(results, branch_results, strict=True)]
    if index is PER_ROW:
        return [PER_ROW if value in (CONSTANT, PER_ROW) else MIXED for value in results]
    return results if index is CONSTANT else [MIXED] * len(results)


def _while(step: Step) -> list[Value]:
    params = step.equations[0].params
    cond_count, body_count = params["cond_nconsts"], params["body_nconsts"]
    cond_values = step.values[:cond_count]
    body_values = step.values[cond_count : cond_count + body_count]
    carry = step.values[cond_count + body_count :]

    def body(carry: list[Value]) -> list[Value]:
        programs = tuple(equation.params["body_jaxpr"] for equation in step.equations)
        return propagate(programs, [*body_values, *carry], step.sizes)

    carry = _fixed_point(body, carry)
    programs = tuple(equation.params["cond_jaxpr"] for equation in step.equations)
    (condition,) = propagate(programs, [*cond_values, *carry], step.sizes)
    if condition is PER_ROW:
        return [PER_ROW if value in (CONSTANT, PER_ROW) else MIXED for value in carry]
    return carry if condition is CONSTANT else [MIXED] * len(carry)


def _scan(step: Step) -> list[Value]:
    params = step.equations[0].params
    const_count, carry_count = params["num_consts"], params["num_carry"]
    constants = step.values[:const_count]
    carry = step.values[const_count : const_count + carry_count]
    stacked = step.values[const_count + carry_count :]
    over_rows = not step.agree("length")
    slices = [_slice_of(value, over_rows) for value in stacked]
    programs = tuple(equation.params["jaxpr"] for equation in step.equations)

    def body(carry: list[Value]) -> list[Value]:
        return propagate(programs, [*constants, *carry, *slices], step.sizes)

    carry = _fixed_point(lambda carry: body(carry)[:carry_count], carry)
    outputs = [_stack_of(value, over_rows) for value in body(carry)[carry_count:]]
    if over_rows:
        # A carry that is passed from row to row depends on earlier rows.
        unknown: list[Value] = [MIXED] * len(step.equations[0].outvars)
        return unknown if carry_count else outputs
    return [*carry, *outputs]


def _slice_of(value: Value, over_rows: bool) -> Value:
    """The dependence of a slice along axis 0, which the body of a scan receives."""
    if not isinstance(value, Batched):
        return value if not over_rows or value is MIXED else MIXED
    if over_rows:
        return PER_ROW if value.axis == 0 and max(value.outer, 1) * value.inner == 1 else MIXED
    return value._replace(axis=value.axis - 1) if value.axis else MIXED


def _stack_of(value: Value, over_rows: bool) -> Value:
    """The dependence of the outputs of a scan, which are stacked along axis 0."""
    if over_rows:
        return Batched(0) if value in (PER_ROW, CONSTANT) else MIXED
    return value._replace(axis=value.axis + 1) if isinstance(value, Batched) else value


def _fixed_point(body: Callable[[list[Any]], list[Any]], carry: list[Value]) -> list[Value]:
    while True:
        next_carry = [join(a, b) for a, b in zip(carry, body(carry), strict=True)]
        if next_carry == carry:
            return carry
        carry = next_carry


def _linear_solve(step: Step) -> list[Value]:
    lengths = step.parameter("const_lengths")
    matrix_count = lengths.matvec + lengths.vecmat
    constants = step.values[matrix_count : matrix_count + lengths.solve]
    right_sides = step.values[sum(lengths) :]
    programs = tuple(equation.params["jaxprs"].solve for equation in step.equations)
    # The solver also uses the matrix itself, which must not be mixed.
    if any(value is MIXED for value in step.values[:matrix_count]):
        return [MIXED] * len(right_sides)
    return propagate(programs, [*constants, *right_sides], step.sizes)


_CONTROL_FLOW: dict[str, Callable[[Step], list[Value]]] = {
    **dict.fromkeys(("jit", "pjit", "closed_call", "core_call", "remat2", "checkpoint"), _call),
    **dict.fromkeys(("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"), _call),
    "cond": _cond,
    "while": _while,
    "scan": _scan,
    "custom_linear_solve": _linear_solve,
}
