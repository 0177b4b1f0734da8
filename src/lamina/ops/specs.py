"""Symbolic results of operations for which tracing cannot find the shapes of unknown axes.

Tracing uses sample sizes for an unknown axis. If such an axis is broadcast against a known one,
as in `(None, 4) + (7, 4)`, only one size fits, so the rules of broadcasting are applied instead.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.graph.output_specs import spec_of_operation, trace_spec
from lamina.core.types import ArrayLike
from lamina.core.variable.variable import Variable


def broadcast_shapes(*shapes: Sequence[int | None]) -> tuple[int | None, ...] | None:
    """The shape that all of these are broadcast to; None if two known sizes do not fit.

    An unknown axis that is broadcast against a known one gets its size.

    Example:
        >>> broadcast_shapes((None, None, 4), (1, 7, 4)), broadcast_shapes((2,), (3,))
        ((None, 7, 4), None)
    """
    result: list[int | None] = []
    for position in range(1, max(map(len, shapes), default=0) + 1):
        sizes = {shape[-position] for shape in shapes if len(shape) >= position}
        longer = sizes - {1, None}
        if len(longer) > 1:
            return None
        result.append(longer.pop() if longer else None if None in sizes else 1)
    return tuple(reversed(result))


def elementwise(function: Callable) -> Callable[..., KerasTensor | None]:
    """The spec of an element-wise function that broadcasts all of its arguments."""

    def spec(*args: Any, **kwargs: Any) -> KerasTensor | None:
        shapes = [_shape(value) for value in (*args, *kwargs.values())]
        shape = broadcast_shapes(*shapes)
        if shape is None or not any(None in known_shape for known_shape in shapes):
            return None  # tracing raises a clear error
        scalar = spec_of_operation(
            function, *map(_as_scalar, args), **{k: _as_scalar(v) for k, v in kwargs.items()}
        )
        return KerasTensor(shape, scalar.dtype)

    return spec


def _shape(value: Any) -> tuple:
    return tuple(value.shape) if hasattr(value, "shape") else np.shape(value)


def _as_scalar(value: Any) -> Any:
    """A single value of the dtype of an array."""
    if isinstance(value, KerasTensor):
        return KerasTensor((), value.dtype)
    if isinstance(value, (list, tuple)):
        value = jnp.asarray(value)
    if isinstance(value, (jax.Array, np.ndarray, Variable)):
        return np.ones((), value.dtype)
    return value


def integer_spec(function: Callable) -> Callable[..., Any]:
    """The spec of a function of integers, which also accepts symbolic floats.

    As in Keras, a graph can be made with such an operation, but a call with floats raises an error.
    """
    spec_from_shapes, spec_from_function = elementwise(_sum), elementwise(function)

    def spec(*args: Any, **kwargs: Any) -> Any:
        arguments = (*args, *kwargs.values())
        if any(isinstance(x, KerasTensor) and _is_float(x) for x in arguments):
            output = spec_from_shapes(*arguments)
            return trace_spec(_sum, *arguments) if output is None else output
        return spec_from_function(*args, **kwargs)

    return spec


def _sum(*xs: Any) -> jax.Array:
    return sum(map(jnp.asarray, xs), jnp.zeros((), "bool"))


def with_index_arguments(function: Callable, *names: str) -> Callable[..., Any]:
    """The spec of a function with index arguments; symbolic ones may have any dtype."""
    signature = inspect.signature(function)

    def as_integers(value: Any) -> Any:
        if isinstance(value, KerasTensor) and _is_float(value):
            return KerasTensor(value.shape, "int32")
        return value

    def spec(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        for name in names:
            if name in bound.arguments:
                bound.arguments[name] = jax.tree.map(as_integers, bound.arguments[name])
        return trace_spec(function, *bound.args, **bound.kwargs)

    return spec


def with_known_sizes(caller: str, *axes: int) -> Callable[..., None]:
    """Refuses a first argument with unknown sizes on these axes, as Keras does.

    Functions of whole matrices are not defined for an unknown size.
    """

    def spec(x: ArrayLike, *args: Any, **kwargs: Any) -> None:
        for part in jax.tree.leaves(x):
            refuse_unknown_sizes(caller, part, axes)

    return spec


def refuse_unknown_sizes(caller: str, tensor: Any, axes: Sequence[int]) -> None:
    """Raises a ValueError if a symbolic tensor has no size on one of these axes."""
    shape = _shape(tensor)
    if any(len(shape) >= -axis and shape[axis] is None for axis in axes):
        axis_list = ", ".join(map(str, axes))
        raise ValueError(
            f"{caller} needs a known size on axis {axis_list}; received shape {shape}.\n"
            "  Fix: give Input the sizes, e.g. lamina.Input((4, 4))."
        )


def _is_float(tensor: KerasTensor) -> bool:
    return tensor.dtype != "string" and jnp.issubdtype(tensor.dtype, jnp.floating)
