"""How a function of arrays is made one for symbolic tensors, too, under the name Keras saves."""

from collections.abc import Callable
from typing import TypeVar, cast

from lamina.core import registry
from lamina.core.operation import symbolic

F = TypeVar("F", bound=Callable)


def export(function: F, module: str, class_name: str, *tensors: str) -> F:
    """Let a function take symbolic tensors.

    Args:
        function: Any traceable function of arrays.
        module: Where Keras keeps it, which is what it writes in files: `"image"` for
            `keras.src.ops.image`.
        class_name: Name of the operation in files, e.g. `"Resize"`.
        *tensors: The arguments that are tensors; the others are settings.
    """
    wrapper, operation = symbolic(function, class_name, tensors or ("x",))
    registry.register_namespace(f"keras.src.ops.{module}", {class_name: operation})
    return cast(F, wrapper)
