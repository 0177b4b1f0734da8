"""The one bridge between objects and JAX.

Layers, metrics and optimizers read and assign Variables; JAX compiles pure functions.
`stateless` makes the second out of the first. Everything that is compiled goes through it.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.configuration.context import context
from lamina.core.configuration.dtypes import is_float
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.variable.threads import exchange
from lamina.core.variable.variable import Bindings, Variable


@filter_traceback
def stateless(function: Callable[..., Any], variables: Any) -> Callable[..., Any]:
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
    _refuse_duplicates(boxes)

    @filter_traceback
    def pure(values: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        leaves = [
            leaf if isinstance(leaf, jax.Array) else jnp.asarray(leaf, box._value.dtype)
            for box, leaf in zip(boxes, structure.flatten_up_to(values), strict=True)
        ]
        with _bound(boxes, leaves) as inside:
            result = _values_in(function(*args, **kwargs))
        return result, structure.unflatten([inside.values[id(box)] for box in boxes])

    return pure


@contextlib.contextmanager
def scratch() -> Iterator[None]:
    """What is assigned inside is forgotten afterwards: for tracing code only for its shapes."""
    with _bound(open=True):
        yield


def traced_state() -> "contextlib.AbstractContextManager[Bindings]":
    """What is assigned inside is found in the bindings afterwards: `values` of its `boxes`."""
    return _bound(open=True)


@contextlib.contextmanager
def _bound(
    boxes: Sequence[Variable] = (), values: Sequence[Any] = (), open: bool = False
) -> Iterator[Bindings]:
    outer = context.bound
    context.bound = Bindings(outer, boxes, values, open)
    try:
        yield context.bound
    finally:
        context.bound = outer
        if outer is None:
            context.masks.clear()  # the tracers they belong to are gone


@contextlib.contextmanager
def still(variables: Any) -> Iterator[None]:
    """Inside, this thread finds the Variables as they are now, whatever other threads do.

    What it assigns to them is its own, and forgotten afterwards.

    Args:
        variables: A pytree of Variables.
    """
    boxes, _ = _flatten(variables)
    with _bound(boxes, lent_values_of(boxes), open=True):
        yield


def lent_values_of(variables: Any) -> Any:
    """The arrays inside a pytree of Variables, of one moment, for whoever goes on holding them.

    Training copies them before it overwrites any.
    """
    boxes, structure = _flatten(variables)
    with exchange:
        for box in boxes:
            box._lent = True
        return structure.unflatten([box._uncast() for box in boxes])


def values_of(variables: Any) -> Any:
    """The arrays inside a pytree of Variables, in the same structure."""
    # Without asking what a leaf is: this counts where one sample is predicted.
    found: tuple[list[Variable], Any] = jax.tree.flatten(variables)
    boxes, structure = found
    if context.bound is None and context.autocast is None:
        values = [b._value if b._first_value is None else b._read() for b in boxes]
    else:
        values = [box._read() for box in boxes]
    return structure.unflatten(values)


def own_values_of(variables: Any) -> Any:
    """The same for a program that may overwrite the arrays in place.

    An array that somebody may hold – a user who has read `variable.value`, another Variable, a
    thread that is reading it – is copied first. To be called with `exchange` held until the new
    values are assigned.
    """

    def own(box: Variable) -> jax.Array:
        if box._lent or box._readers:
            box._value, box._lent = jax.device_put(box._value, may_alias=False), False
        return box._value

    return jax.tree.map(own, variables, is_leaf=lambda v: isinstance(v, Variable))


def assign_all(variables: Any, values: Any) -> None:
    """Put a pytree of new arrays into a pytree of Variables of the same structure."""
    boxes, structure = _flatten(variables)
    for box, value in zip(boxes, structure.flatten_up_to(values), strict=True):
        if context.bound is None:
            box._value, box._lent = value, False
        else:
            box.assign(value)


@filter_traceback
def value_and_grad(
    function: Callable[..., Any], variables: Sequence[Variable]
) -> Callable[..., Any]:
    """Value and gradients of object-style code with respect to Variables.

    What `function` assigns besides – moving averages of BatchNormalization, random seeds,
    metrics – keeps its new value.

    Args:
        function: Returns a scalar loss, or a tuple `(loss, anything else)`.
        variables: What to differentiate with respect to.

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
    def differentiated(*args: Any, **kwargs: Any) -> tuple[Any, list[Any]]:
        assigned: dict[int, Variable] = {}

        def loss_of(values: list[Any]) -> tuple[Any, Any]:
            with _bound(variables, values, open=True) as inside:
                result = _values_in(function(*args, **kwargs))
            loss = result[0] if isinstance(result, tuple) else result
            given = {id(v): value for v, value in zip(variables, values, strict=True)}
            new = {k: v for k, v in inside.values.items() if k in inside.boxes}
            new = {k: v for k, v in new.items() if v is not given.get(k)}
            assigned.update((k, inside.boxes[k]) for k in new)
            return _scalar(loss), (result, new)

        with jax.named_scope("loss"):
            values = [v._uncast() for v in variables]
            grads, (result, new) = jax.grad(loss_of, has_aux=True)(values)
        for key, value in new.items():
            assigned[key].assign(value)
        return result, grads

    return differentiated


def _values_in(result: Any) -> Any:
    """What a function returned, with the values of Variables among it: a metric's state, say."""
    if not any(isinstance(leaf, Variable) for leaf in jax.tree.leaves(result)):
        return result
    return jax.tree.map(lambda leaf: leaf.value if isinstance(leaf, Variable) else leaf, result)


def _refuse_duplicates(boxes: Sequence[Variable]) -> None:
    if len({id(box) for box in boxes}) < len(boxes):
        twice = next(b for i, b in enumerate(boxes) if any(b is other for other in boxes[:i]))
        raise ValueError(f"Variable {twice.path!r} is listed twice; its value would be ambiguous.")


def _scalar(given: Any) -> jax.Array:
    loss = jnp.asarray(given)
    if loss.ndim or not is_float(loss.dtype):
        raise ValueError(
            f"A loss to differentiate must be one number; received {loss.dtype} of shape "
            f"{loss.shape}.\n  Fix: take its mean, e.g. loss.mean()."
        )
    return loss


def _flatten(variables: Any) -> tuple[list[Variable], Any]:
    return jax.tree.flatten(variables, is_leaf=lambda v: isinstance(v, Variable))
