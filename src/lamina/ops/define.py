"""Decorators that turn functions of arrays into operations, which also take symbolic tensors.

    op = operations("numpy")

    @op("x")
    def roll(x, shift, axis=None): ...

`"numpy"` is the last part of the module that defines the operation in Keras,
`keras.src.ops.numpy`. `"x"` is the argument that holds a tensor; all other arguments are settings.
In a functional model, the call becomes an operation with the name that it has in Keras, `Roll`.
A model file contains both names, `keras.src.ops.numpy` and `Roll`, so they must be Keras's.
"""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from lamina.core.graph.operation import symbolic
from lamina.core.serialization import registry
from lamina.core.types import Array, ArrayLike
from lamina.ops.arrays import as_array, as_axes, as_pair, require_integers
from lamina.ops.specs import elementwise, integer_spec, with_index_arguments

F = TypeVar("F", bound=Callable)


class operations:
    """Decorators for the operations that one module of Keras defines.

    Args:
        module: The module's name in Keras, e.g. `"image"` for `keras.src.ops.image`. Model files
            contain it.
    """

    def __init__(self, module: str):
        self.namespace = f"keras.src.ops.{module}"
        # Functions made here get the name of the calling module, as in namedtuple.
        self.calling_module = sys._getframe(1).f_globals["__name__"]

    def __call__(
        self,
        *tensors: str,
        class_name: str | None = None,
        spec: Callable | None = None,
        index_arguments: Sequence[str] = (),
    ) -> Callable[[F], F]:
        """Decorator of one function.

        Args:
            *tensors: Names of the arguments that are tensors, e.g. `"images"`. The others are
                settings, which are in the operation's config.
            class_name: Name of the operation; the function's name in CamelCase if None.
            spec: The symbolic results, if tracing cannot find them.
            index_arguments: Arguments that are indices; a symbolic one may have a float dtype.
        """

        def decorate(function: F) -> F:
            name = class_name or camel_case(function.__name__)
            function.__module__ = self.calling_module
            spec_rule = (
                with_index_arguments(function, *index_arguments) if index_arguments else spec
            )
            wrapper, operation = symbolic(function, name, tensors or None, spec_rule)
            registry.register_namespace(self.namespace, {name: operation})
            return cast(F, wrapper)

        return decorate

    def _decorate_named(
        self,
        function: Callable,
        name: str,
        docstring: str,
        *tensors: str,
        class_name: str | None,
        spec: Callable | None = None,
    ) -> Callable[..., Any]:
        decorate = self(*tensors, class_name=class_name, spec=spec)
        return decorate(set_name_and_docstring(function, name, docstring))

    def unary(
        self,
        name: str,
        compute: Callable,
        summary: str,
        convert: Callable = as_array,
        class_name: str | None = None,
        returns: str = "Array of the same shape.",
    ) -> Callable[[ArrayLike], Array]:
        """`f(x)`, element by element; `convert=to_floats` to convert integers to floats."""

        def function(x: ArrayLike) -> Array:
            return compute(convert(x))

        docstring = make_docstring(summary, {"x": "Array of any shape."}, returns)
        return self._decorate_named(function, name, docstring, "x", class_name=class_name)

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
        """`f(x1, x2)`, element by element; shapes are broadcast against each other if `broadcast`.

        `convert=to_common_floats` to convert integers to floats; `returns` describes the result if
        it does not have the arguments' shape.
        """

        def function(x1: ArrayLike, x2: ArrayLike) -> Array:
            return compute(*convert(x1, x2))

        spec = elementwise(function) if broadcast else None
        broadcast_note = ", whose shape broadcasts against that of `x1`" if broadcast else ""
        arguments = {"x1": "Array or number.", "x2": f"Array or number{broadcast_note}."}
        docstring = make_docstring(summary, arguments, returns)
        return self._decorate_named(
            function, name, docstring, "x1", "x2", class_name=class_name, spec=spec
        )

    def bitwise(
        self, name: str, compute: Callable, summary: str
    ) -> Callable[[ArrayLike, ArrayLike], Array]:
        """`f(x, y)` of integers or booleans."""

        def function(x: ArrayLike, y: ArrayLike) -> Array:
            return compute(*require_integers(name, x, y))

        spec = integer_spec(function)
        arguments = {
            "x": "Integers or booleans.",
            "y": "Integers or booleans, of a shape that broadcasts against that of `x`.",
        }
        docstring = make_docstring(summary, arguments, "Array of the shape that both broadcast to.")
        return self._decorate_named(function, name, docstring, "x", "y", class_name=None, spec=spec)

    def reduction(
        self,
        name: str,
        compute: Callable,
        summary: str,
        convert: Callable = as_array,
        axis: str = "Axis or axes to reduce; None for all.",
    ) -> Callable[..., Array]:
        """`f(x, axis=None, keepdims=False)`: over one axis, several, or all for None.

        `axis` is the description of that argument.
        """

        def function(x: ArrayLike, axis: Any = None, keepdims: bool = False) -> Array:
            return compute(convert(x), axis=as_axes(axis), keepdims=keepdims)

        keeps = "Whether to keep the reduced axes with size 1."
        arguments = {"x": "Array of any shape.", "axis": axis, "keepdims": keeps}
        docstring = make_docstring(summary, arguments, "Array without the reduced axes.")
        return self._decorate_named(function, name, docstring, "x", class_name=None)


def make_docstring(summary: str, arguments: Mapping[str, str], returns: str) -> str:
    """A docstring made from a summary, arguments and result.

    Example:
        >>> print(make_docstring("Twice `x`.", {"x": "A number."}, "A number."))
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


def set_name_and_docstring(function: F, name: str, docstring: str) -> F:
    """Set the name and docstring of a function that was made inside another one."""
    for wrapped in (function, inspect.unwrap(function)):
        wrapped.__name__ = wrapped.__qualname__ = name
        wrapped.__doc__ = docstring
    return function


def camel_case(name: str) -> str:
    """The class name that Keras derives from a function: `logical_and` → `LogicalAnd`.

    Example:
        >>> camel_case("logical_and")
        'LogicalAnd'
    """
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
