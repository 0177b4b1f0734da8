"""The one bridge between objects and JAX.

Layers, metrics and optimizers read and assign Variables; JAX compiles pure functions.
`stateless` makes the second out of the first. Everything that is compiled goes through it.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax

from lamina.core.variable import Variable, context


def stateless(function: Callable, variables: Any) -> Callable:
    """A pure version of a function that reads and assigns Variables.

    Args:
        function: Object-style code, `function(*args)`.
        variables: A pytree (list, dict …) of the Variables that it may touch.

    Returns:
        `pure(values, *args) → (result, new_values)`, where `values` has the structure of
        `variables` with arrays in place of Variables.

    Example:
        >>> v = Variable(1.0)
        >>> def double():
        ...     v.assign(v.value * 2)
        ...     return "done"
        >>> pure = stateless(double, [v])
        >>> result, new = pure([3.0])
        >>> float(new[0]), float(v.value)
        (6.0, 1.0)
    """
    boxes, structure = _flatten(variables)

    def pure(values: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        leaves = structure.flatten_up_to(values)
        outer = context.bound
        context.bound = {**(outer or {}), **{id(b): v for b, v in zip(boxes, leaves, strict=True)}}
        if isinstance(outer, _Scratch):
            context.bound = _Scratch(context.bound)
        try:
            result = function(*args, **kwargs)
            inner = context.bound
        finally:
            context.bound = outer
        new = [inner.pop(id(b)) for b in boxes]
        # What was assigned but not listed would be lost without a word.
        if any(inner.get(key, value) is not value for key, value in (outer or {}).items()):
            raise RuntimeError(
                "A Variable was assigned inside a differentiated function that does not list it.\n"
                "  Fix: pass it in value_and_grad(function, variables, state=[…]), or assign it "
                "outside."
            )
        return result, structure.unflatten(new)

    return pure


class _Scratch(dict):
    """Bindings that take any Variable."""

    def __contains__(self, key: object) -> bool:
        return True


@contextlib.contextmanager
def scratch() -> Iterator[None]:
    """What is assigned inside is forgotten afterwards: for tracing code only for its shapes."""
    outer = context.bound
    context.bound = _Scratch(outer or {})
    try:
        yield
    finally:
        context.bound = outer


def values_of(variables: Any) -> Any:
    """The arrays inside a pytree of Variables, in the same structure."""
    return jax.tree.map(lambda v: v.value, variables, is_leaf=lambda v: isinstance(v, Variable))


def assign_all(variables: Any, values: Any) -> None:
    """Put a pytree of arrays into a pytree of Variables of the same structure."""
    boxes, structure = _flatten(variables)
    for box, value in zip(boxes, structure.flatten_up_to(values), strict=True):
        if context.bound is None:
            box._value = value
        else:
            box.assign(value)


def value_and_grad(
    function: Callable, variables: Sequence[Variable], state: Sequence[Variable] = ()
) -> Callable:
    """Value and gradients of object-style code with respect to Variables.

    Args:
        function: Returns a scalar loss, or a tuple `(loss, anything else)`.
        variables: What to differentiate with respect to.
        state: Other Variables that `function` assigns, such as the moving averages of
            BatchNormalization, random seeds and metrics. They keep their new values.

    Returns:
        A function with the arguments of `function` that returns `(its result, gradients)`,
        gradients as a list in the order of `variables`.

    Example:
        >>> v = Variable(3.0)
        >>> loss, grads = value_and_grad(lambda: v.value ** 2, [v])()
        >>> float(loss), float(grads[0])
        (9.0, 6.0)
    """
    variables, state = list(variables), list(state)

    def differentiated(*args: Any, **kwargs: Any) -> tuple[Any, list]:
        def loss_of(values: list, state_values: list) -> tuple[Any, Any]:
            def run() -> Any:
                return function(*args, **kwargs)

            pure = stateless(run, (variables, state))
            result, (new_values, new_state) = pure((values, state_values))
            loss = result[0] if isinstance(result, tuple) else result
            return loss, (result, new_values, new_state)

        with jax.named_scope("loss"):
            grads, (result, new_values, new_state) = jax.grad(loss_of, has_aux=True)(
                values_of(variables), values_of(state)
            )
        assign_all((variables, state), (new_values, new_state))
        return result, grads

    return differentiated


def _flatten(variables: Any) -> tuple[list[Variable], Any]:
    return jax.tree.flatten(variables, is_leaf=lambda v: isinstance(v, Variable))
