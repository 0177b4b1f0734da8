"""How an operation is made: one function of arrays, which also takes symbolic tensors.

    op = operations("numpy")

    @op("x")
    def roll(x, shift, axis=None): ...

In a functional model the call becomes an operation named as in Keras, `Roll`, so that files can be
read by either; the arguments named in `op(...)` are its tensors, the others its settings.
"""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from lamina.core.graph.operation import symbolic
from lamina.core.serialization import registry
from lamina.core.types import Array, ArrayLike
from lamina.ops.arrays import as_array, as_axes, as_pair, whole_numbers
from lamina.ops.specs import elementwise, of_whole_numbers, with_places

F = TypeVar("F", bound=Callable)


class operations:
    """Decorators for the operations that Keras keeps in one of its modules.

    Args:
        module: The module's name, e.g. `"numpy"` for `keras.src.ops.numpy`.
    """

    def __init__(self, module: str):
        self.namespace = f"keras.src.ops.{module}"
        # What is made inside a function here belongs to the module that asks, as in namedtuple.
        self.home = sys._getframe(1).f_globals["__name__"]

    def __call__(
        self,
        *tensors: str,
        class_name: str | None = None,
        spec: Callable | None = None,
        places: Sequence[str] = (),
    ) -> Callable[[F], F]:
        """Decorator of one function.

        Args:
            *tensors: Arguments that Keras gives to the operation's call.
            class_name: Of the operation; the function's name in CamelCase if None.
            spec: What it gives for symbolic tensors, where tracing cannot tell.
            places: Arguments that count places; a symbolic one may be declared as floats.
        """

        def decorate(function: F) -> F:
            name = class_name or camel_case(function.__name__)
            function.__module__ = self.home
            rule = with_places(function, *places) if places else spec
            wrapper, operation = symbolic(function, name, tensors or None, rule)
            registry.register_namespace(self.namespace, {name: operation})
            return cast(F, wrapper)

        return decorate

    def _named(
        self,
        function: Callable,
        name: str,
        docstring: str,
        *tensors: str,
        class_name: str | None,
        spec: Callable | None = None,
    ) -> Callable[..., Any]:
        decorate = self(*tensors, class_name=class_name, spec=spec)
        return decorate(named(function, name, docstring))

    def unary(
        self,
        name: str,
        compute: Callable,
        summary: str,
        convert: Callable = as_array,
        class_name: str | None = None,
        returns: str = "Array of the same shape.",
    ) -> Callable[[ArrayLike], Array]:
        """`f(x)`, value by value; `convert=floats` where whole numbers must become floats."""

        def function(x: ArrayLike) -> Array:
            return compute(convert(x))

        docstring = described(summary, {"x": "Array of any shape."}, returns)
        return self._named(function, name, docstring, "x", class_name=class_name)

    def binary(
        self,
        name: str,
        compute: Callable,
        summary: str,
        convert: Callable = as_pair,
        class_name: str | None = None,
        broadcast: bool = True,
        returns: str = "Array of the shape that both broadcast to.",
    ) -> Callable[[ArrayLike, ArrayLike], Array]:
        """`f(x1, x2)`, value by value; shapes are broadcast against each other if `broadcast`.

        `convert=floats_together` where whole numbers must become floats; `returns` describes the
        result where it is not the arguments' shape.
        """

        def function(x1: ArrayLike, x2: ArrayLike) -> Array:
            return compute(*convert(x1, x2))

        spec = elementwise(function) if broadcast else None
        fits = ", whose shape broadcasts against that of `x1`" if broadcast else ""
        arguments = {"x1": "Array or number.", "x2": f"Array or number{fits}."}
        docstring = described(summary, arguments, returns)
        return self._named(function, name, docstring, "x1", "x2", class_name=class_name, spec=spec)

    def bitwise(
        self, name: str, compute: Callable, summary: str
    ) -> Callable[[ArrayLike, ArrayLike], Array]:
        """`f(x, y)` of whole numbers or truth values."""

        def function(x: ArrayLike, y: ArrayLike) -> Array:
            return compute(*whole_numbers(name, x, y))

        spec = of_whole_numbers(function)
        arguments = {
            "x": "Whole numbers or truth values.",
            "y": "The same, of a shape that broadcasts against that of `x`.",
        }
        docstring = described(summary, arguments, "Array of the shape that both broadcast to.")
        return self._named(function, name, docstring, "x", "y", class_name=None, spec=spec)

    def reduction(
        self,
        name: str,
        compute: Callable,
        summary: str,
        convert: Callable = as_array,
        axis: str = "Axis or axes to go over; None for all.",
    ) -> Callable[..., Array]:
        """`f(x, axis=None, keepdims=False)`: over one axis, several, or all for None.

        `axis` describes that argument, where it is one axis alone.
        """

        def function(x: ArrayLike, axis: Any = None, keepdims: bool = False) -> Array:
            return compute(convert(x), axis=as_axes(axis), keepdims=keepdims)

        keeps = "Whether what was gone over stays, as an axis of size 1."
        arguments = {"x": "Array of any shape.", "axis": axis, "keepdims": keeps}
        docstring = described(summary, arguments, "Array without that axis, or those axes.")
        return self._named(function, name, docstring, "x", class_name=None)


def described(summary: str, arguments: Mapping[str, str], returns: str) -> str:
    """The docstring of a function that is made from parts, like many others.

    Example:
        >>> print(described("Twice `x`.", {"x": "A number."}, "A number."))
        Twice `x`.
        <BLANKLINE>
        Args:
            x: A number.
        <BLANKLINE>
        Returns:
            A number.
    """
    entries = "\n".join(f"    {name}: {text}" for name, text in arguments.items())
    return f"{summary}\n\nArgs:\n{entries}\n\nReturns:\n    {returns}"


def named(function: F, name: str, docstring: str) -> F:
    """Give a function that was made inside another one the name it is exported under."""
    for wrapped in (function, inspect.unwrap(function)):
        wrapped.__name__ = wrapped.__qualname__ = name
        wrapped.__doc__ = docstring
    return function


def camel_case(name: str) -> str:
    """The class that Keras names after a function: `logical_and` → `LogicalAnd`.

    Example:
        >>> camel_case("logical_and")
        'LogicalAnd'
    """
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
