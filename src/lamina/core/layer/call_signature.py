"""The arguments of a layer's `call`: training mode, masks, and the shapes that `build` needs.

`Layer.__call__` uses `CallSignature` to find these arguments, whether passed by position or name.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from lamina.core.configuration.context import context
from lamina.core.messages.errors import ArgumentError


@functools.lru_cache(maxsize=1024)
def signature_of_method(method: Callable[..., Any]) -> inspect.Signature:
    """The signature of a function of a class, inspected once for all of its objects."""
    return inspect.signature(method)


class CallSignature:
    """The arguments of a class's `call`, inspected once."""

    def __init__(self, call: Callable[..., Any]):
        parameters = list(inspect.signature(call).parameters.values())[1:]
        self.names = [
            p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        ]
        self.has_training = "training" in self.names
        self.training_position = self._position("training")
        default = next((p.default for p in parameters if p.name == "training"), None)
        self.training_default = default if isinstance(default, bool) else None
        # `mask` belongs to the first argument, `query_mask` to the argument `query`.
        self.masks = [
            (name, None if name == "mask" else name.removesuffix("_mask"))
            for name in self.names
            if name == "mask"
            or (name.endswith("_mask") and name.removesuffix("_mask") in self.names)
        ]

    def _position(self, name: str) -> int:
        return self.names.index(name) if name in self.names else 10_000

    def positional(self, name: str, args: tuple[Any, ...]) -> Any:
        """The value of an argument passed by position; None if it was not."""
        position = self._position(name)
        return args[position] if position < len(args) else None

    def value(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The value of an argument passed by position or name; None if it was not passed."""
        return kwargs.get(name, self.positional(name, args))

    def first_argument(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The value of the first argument, passed by position or by name."""
        if args:
            return args[0]
        return next((kwargs[name] for name in (*self.names, *kwargs) if name in kwargs), None)

    def shapes(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        """The shapes that `build` or `compute_output_shape` is called with, by argument name."""
        parameters = [
            p
            for p in list(signature_of_method(function).parameters.values())[1:]
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        ]
        names = [p.name for p in parameters]
        values = dict(zip(self.names, args, strict=False)) if self.names else {}
        values.update((name, kwargs[name]) for name in self.names if name in kwargs)
        shapes = {
            f"{name}_shape": jax.tree.map(shape_of, value)
            for name, value in values.items()
            if value is not None and _has_shapes(value)
        }
        if len(names) == 1:
            first = next(iter(shapes.values())) if shapes else _shapes_of(args)
            return {names[0]: first}
        required = [p.name for p in parameters if p.default is p.empty]
        shape_names = [f"{name}_shape" for name in self.names]
        unknown = [name for name in required if name not in shape_names]
        if unknown:
            raise ArgumentError(
                f"{function.__qualname__}() has the argument {unknown[0]!r}, which is not the "
                f"shape of an argument of call().\n  Fix: for several shapes, name each after an "
                f"argument of call(), e.g. {', '.join(shape_names[:2])}."
            )
        return {name: shapes[name] for name in names if name in shapes}


@functools.cache
def signature_of(call: Callable[..., Any]) -> CallSignature:
    """The `CallSignature` of a `call` method."""
    return CallSignature(call)


def _has_shapes(value: Any) -> bool:
    leaves = jax.tree.leaves(value)
    return bool(leaves) and all(hasattr(leaf, "shape") for leaf in leaves)


def _shapes_of(args: tuple[Any, ...]) -> Any:
    return jax.tree.map(shape_of, args[0]) if args else ()


def shape_of(array: Any) -> tuple[Any, ...]:
    """The shape of an array, with None for an axis that is unknown while shapes are inferred.

    The size of the last axis, the features, is not replaced by None: it is rarely unknown, and
    weights depend on it.
    """
    shape = tuple(getattr(array, "shape", ()))
    if context.traced_size is None:
        return shape
    return (*(None if size == context.traced_size else size for size in shape[:-1]), *shape[-1:])


def is_shape(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(
        s is None or isinstance(s, (int, np.integer)) for s in value
    )
