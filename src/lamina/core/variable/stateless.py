"""Pure functions, as JAX needs them, from code that reads and assigns Variables.

Layers, metrics and optimizers read and assign Variables; JAX compiles pure functions. `stateless`
turns such code into a pure function. Lamina compiles only functions made by `stateless`.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.configuration.context import context
from lamina.core.configuration.dtypes import is_float
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import PyTree
from lamina.core.variable.threads import value_lock
from lamina.core.variable.variable import Bindings, Variable


@filter_traceback
def stateless(function: Callable[..., Any], variables: PyTree) -> Callable[..., Any]:
    """A pure version of a function that reads and assigns Variables.

    Args:
        function: A function `function(*args)` that may read and assign the Variables.
        variables: A pytree (list, dict …) of the Variables that the function reads or assigns.

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
    flat, structure = _flatten(variables)
    _refuse_duplicates(flat)

    @filter_traceback
    def pure(values: PyTree, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        leaves = [
            leaf if isinstance(leaf, jax.Array) else jnp.asarray(leaf, variable._value.dtype)
            for variable, leaf in zip(flat, structure.flatten_up_to(values), strict=True)
        ]
        with _bind(flat, leaves) as bindings:
            result = _replace_by_values(function(*args, **kwargs))
        return result, structure.unflatten([bindings.values[id(variable)] for variable in flat])

    return pure


@contextlib.contextmanager
def discard_assignments() -> Iterator[None]:
    """Context manager that discards assignments, for code that is traced only to infer shapes."""
    with _bind(allow_others=True):
        yield


def collect_assignments() -> "contextlib.AbstractContextManager[Bindings]":
    """Context manager that yields the assigned `variables` and their new `values`, by id."""
    return _bind(allow_others=True)


@contextlib.contextmanager
def _bind(
    flat: Sequence[Variable] = (), values: Sequence[Any] = (), allow_others: bool = False
) -> Iterator[Bindings]:
    outer = context.bindings
    context.bindings = Bindings(outer, flat, values, allow_others)
    try:
        yield context.bindings
    finally:
        context.bindings = outer
        if outer is None:
            context.masks.clear()  # their tracers are no longer used


@contextlib.contextmanager
def snapshot(variables: Any) -> Iterator[None]:
    """Context manager in which this thread sees a copy of the values of Variables.

    Assignments of other threads do not change the copy. Assignments of this thread are discarded at
    the end.

    Args:
        variables: A pytree of Variables.
    """
    flat, _ = _flatten(variables)
    with _bind(flat, shared_values_of(flat), allow_others=True):
        yield


def shared_values_of(variables: Any) -> Any:
    """The arrays of a pytree of Variables, for code that refers to them for longer.

    All are read at one time, and marked as shared: training copies them before it overwrites any.
    """
    flat, structure = _flatten(variables)
    with value_lock:
        for variable in flat:
            variable._shared = True
        return structure.unflatten([variable._read_uncast() for variable in flat])


def values_of(variables: Any) -> Any:
    """The arrays of a pytree of Variables, in the same structure."""
    flat, structure = _flatten(variables)
    if context.bindings is None and context.autocast is None:
        values = [v._value if v._deferred_initializer is None else v._read() for v in flat]
    else:
        values = [variable._read() for variable in flat]
    return structure.unflatten(values)


def donatable_values_of(variables: Any) -> Any:
    """The arrays of a pytree of Variables, for a program that donates (overwrites) its arguments.

    An array is copied first if something else may refer to it: a user who has read
    `variable.value`, another Variable, a thread that is reading it. The caller holds `value_lock`
    until the new values are assigned.
    """

    def copy_if_shared(variable: Variable) -> jax.Array:
        if variable._shared or variable._readers:
            variable._value, variable._shared = copy_of(variable._value), False
        return variable._value

    flat, structure = _flatten(variables)
    return structure.unflatten(map(copy_if_shared, flat))


def copy_of(array: jax.Array) -> jax.Array:
    """A copy of an array on the devices that it is on."""
    if array.is_fully_addressable:
        copy: jax.Array = jax.device_put(array, may_alias=False)
        return copy
    return jnp.copy(array)  # a part is on devices of another process


def assign_all(variables: Any, values: Any) -> None:
    """Assign a pytree of arrays to a pytree of Variables of the same structure."""
    flat, structure = _flatten(variables)
    pairs = zip(flat, structure.flatten_up_to(values), strict=True)
    if context.bindings is None:
        for variable, value in pairs:
            variable._value, variable._shared = value, False
    else:
        for variable, value in pairs:
            variable.assign(value)


@filter_traceback
def value_and_grad(
    function: Callable[..., Any], variables: Sequence[Variable]
) -> Callable[..., Any]:
    """Value and gradients of a function that reads Variables, with respect to these Variables.

    Other Variables that `function` assigns, such as moving averages of BatchNormalization, random
    seeds and metrics, keep their new values.

    Args:
        function: Returns a scalar loss, or a tuple `(loss, anything else)`.
        variables: The Variables to differentiate with respect to.

    Returns:
        A function with the arguments of `function` that returns `(its result, gradients)`,
        gradients as a list in the order of `variables`.

    Example:
        >>> v = Variable(3.0)
        >>> loss, grads = value_and_grad(lambda: v.value ** 2, [v])()
        >>> float(loss), float(grads[0])
        (9.0, 6.0)
    """
    variables = list(variables)
    for variable in variables:
        if not isinstance(variable, Variable):
            raise TypeError(
                f"value_and_grad() needs a list of Variables and received {variable!r} in it.\n"
                "  Fix: e.g. model.trainable_variables."
            )
        if not is_float(variable.dtype):
            raise ValueError(
                f"Variable {variable.path!r} holds {variable.dtype} and has no gradient.\n"
                "  Fix: list only weights, e.g. model.trainable_variables."
            )
    _refuse_duplicates(variables)

    @filter_traceback
    def value_and_gradients(*args: Any, **kwargs: Any) -> tuple[Any, list[Any]]:
        assigned: dict[int, Variable] = {}

        def compute_loss(values: list[Any]) -> tuple[Any, Any]:
            with _bind(variables, values, allow_others=True) as bindings:
                result = _replace_by_values(function(*args, **kwargs))
            loss = result[0] if isinstance(result, tuple) else result
            # Values by id of the Variable; `new_values` has only those that the function assigned.
            old_values = {id(v): value for v, value in zip(variables, values, strict=True)}
            new_values = {
                key: value
                for key, value in bindings.values.items()
                if key in bindings.variables and value is not old_values.get(key)
            }
            assigned.update((key, bindings.variables[key]) for key in new_values)
            return _check_scalar_loss(loss), (result, new_values)

        with jax.named_scope("loss"):
            values = [v._read_uncast() for v in variables]
            grads, (result, new_values) = jax.grad(compute_loss, has_aux=True)(values)
        for key, value in new_values.items():
            assigned[key].assign(value)
        return result, grads

    return value_and_gradients


def _replace_by_values(result: Any) -> Any:
    """A function's result with Variables, such as a metric's state, replaced by their values."""
    if not any(isinstance(leaf, Variable) for leaf in jax.tree.leaves(result)):
        return result
    return jax.tree.map(lambda leaf: leaf.value if isinstance(leaf, Variable) else leaf, result)


def _refuse_duplicates(flat: Sequence[Variable]) -> None:
    if len({id(variable) for variable in flat}) < len(flat):
        duplicate = next(
            variable
            for i, variable in enumerate(flat)
            if any(variable is earlier for earlier in flat[:i])
        )
        raise ValueError(
            f"Variable {duplicate.path!r} is listed twice; its value would be ambiguous."
        )


def _check_scalar_loss(value: Any) -> jax.Array:
    loss = jnp.asarray(value)
    if loss.ndim or not is_float(loss.dtype):
        raise ValueError(
            f"A loss to differentiate must be one number; received {loss.dtype} of shape "
            f"{loss.shape}.\n  Fix: take its mean, e.g. loss.mean()."
        )
    return loss


def _flatten(variables: PyTree) -> tuple[list[Variable], Any]:
    # Without `is_leaf`, which would take a noticeable part of the time to predict one sample.
    flattened: tuple[list[Variable], Any] = jax.tree.flatten(variables)
    return flattened
