"""KerasTensor: a symbolic tensor, with a shape and a dtype but no values.

Calling layers on KerasTensors makes the graph of a functional model. Output shapes come from
`compute_output_shape` of the layer, if it has one, or from tracing the layer (`trace_spec`).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax

from lamina.core.configuration.dtypes import standardize_dtype
from lamina.core.messages.representation import safe_repr
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.core.serialization import naming
from lamina.core.types import DTypeLike, PyTree
from lamina.core.variable.variable import to_shape_tuple


def _operation(name: str) -> Callable[..., Any]:
    # Imported here, because the operations import this file.
    from lamina.ops import numpy

    operation: Callable[..., Any] = getattr(numpy, name)
    return operation


def _operator(name: str) -> Callable[..., Any]:
    @filter_traceback
    def method(self: Any, *operands: Any) -> Any:
        return _operation(name)(self, *operands)

    return method


def _make_reflected_operator(name: str) -> Callable[..., Any]:
    @filter_traceback
    def method(self: Any, other: Any) -> Any:
        return _operation(name)(other, self)

    return method


class KerasHistory(NamedTuple):
    """The origin of a symbolic tensor: the operation, the index of its call and of the output."""

    operation: Any
    node_index: int
    tensor_index: int


class NoValuesError(ValueError, NotImplementedError, TypeError):
    """A symbolic tensor was used as an array. Inherits from all errors that Keras raises for it."""


@filter_tracebacks_of_methods
class KerasTensor:
    """A symbolic tensor: shape (None for an axis of unknown size), dtype and name.

    Arithmetic, comparison and indexing return new symbolic tensors: `x + y`, `x[:, 0]`, `x > 0`.
    `==` compares identity.

    Args:
        shape: Sizes of the axes, None for an unknown size.
        dtype: Type of the values.
        sparse, ragged: Must be False; Lamina has no sparse or ragged tensors.
        name: Name of the tensor; chosen automatically if None.

    Example:
        >>> KerasTensor((None, 28, 28)).shape
        (None, 28, 28)
    """

    # Higher than for arrays of NumPy and JAX, so that `array * tensor` calls the tensor's operator.
    __array_priority__ = 10_000

    sparse = ragged = False  # attributes of Keras's class; tensors here are always dense

    def __init__(
        self,
        shape: Sequence[int | None],
        dtype: DTypeLike | None = "float32",
        sparse: bool = False,
        ragged: bool = False,
        name: str | None = None,
    ):
        if sparse or ragged:
            raise ValueError(
                "Lamina has no sparse or ragged tensors.\n  Fix: leave sparse and ragged out."
            )
        self.shape = to_shape_tuple(shape)
        self.dtype = standardize_dtype(dtype)
        self.name = name or naming.auto_name(type(self))
        self.history: KerasHistory | None = None

    @property
    def _keras_history(self) -> KerasHistory | None:
        return self.history

    @property
    def ndim(self) -> int:
        """Number of axes, including the batch axis."""
        return len(self.shape)

    @safe_repr
    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    __add__, __radd__ = _operator("add"), _make_reflected_operator("add")
    __sub__, __rsub__ = _operator("subtract"), _make_reflected_operator("subtract")
    __mul__, __rmul__ = _operator("multiply"), _make_reflected_operator("multiply")
    __truediv__, __rtruediv__ = _operator("true_divide"), _make_reflected_operator("true_divide")
    __floordiv__, __rfloordiv__ = (
        _operator("floor_divide"),
        _make_reflected_operator("floor_divide"),
    )
    __mod__, __rmod__ = _operator("mod"), _make_reflected_operator("mod")
    __pow__, __rpow__ = _operator("power"), _make_reflected_operator("power")
    __matmul__, __rmatmul__ = _operator("matmul"), _make_reflected_operator("matmul")
    __and__, __rand__ = _operator("logical_and"), _make_reflected_operator("logical_and")
    __or__, __ror__ = _operator("logical_or"), _make_reflected_operator("logical_or")
    __xor__, __rxor__ = _operator("logical_xor"), _make_reflected_operator("logical_xor")
    __lt__, __le__ = _operator("less"), _operator("less_equal")
    __gt__, __ge__ = _operator("greater"), _operator("greater_equal")
    __neg__, __abs__ = _operator("negative"), _operator("absolute")
    __invert__, __getitem__ = _operator("logical_not"), _operator("get_item")

    def reshape(self, newshape: int | Sequence[int]) -> "KerasTensor":
        """The same values in another shape, see `lamina.ops.reshape`.

        Args:
            newshape: The shape; one size may be -1, which is computed from the others.

        Returns:
            A KerasTensor.
        """
        tensor: KerasTensor = _operation("reshape")(self, newshape)
        return tensor

    def squeeze(self, axis: int | Sequence[int] | None = None) -> "KerasTensor":
        """The tensor without its axes of size 1, see `lamina.ops.squeeze`.

        Args:
            axis: Axis or axes of size 1 to remove; all of them for None.

        Returns:
            A KerasTensor.
        """
        tensor: KerasTensor = _operation("squeeze")(self, axis)
        return tensor

    def __round__(self, ndigits: int | None = None) -> Any:
        return _operation("round")(self, ndigits or 0)

    @filter_traceback
    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise NoValuesError(
            f"{self!r} has no values yet: it only describes an input of a model.\n"
            "  Likely cause: a NumPy function was applied to it.\n"
            "  Fix: use lamina.ops, e.g. lamina.ops.relu(x), or a layer."
        )

    @property  # a property, because JAX raises its own error if it finds a method
    @filter_traceback
    def __jax_array__(self) -> Any:
        raise NoValuesError(
            f"{self!r} has no values yet: it only describes an input of a model.\n"
            "  Likely cause: a jax.numpy function was applied to it.\n"
            "  Fix: use lamina.ops, e.g. lamina.ops.relu(x), or a layer that does it in call()."
        )

    @filter_traceback
    def __bool__(self) -> bool:
        raise NoValuesError(f"{self!r} has no values yet, so it is neither true nor false.")

    @filter_traceback
    def __float__(self) -> float:
        raise NoValuesError(f"{self!r} has no values yet and is not a number.")

    @filter_traceback
    def __int__(self) -> int:
        raise NoValuesError(f"{self!r} has no values yet and is not a number.")

    @filter_traceback
    def __iter__(self) -> Any:
        raise NoValuesError(f"{self!r} has no values yet and cannot be iterated over.")

    def __len__(self) -> int:
        if not self.shape or self.shape[0] is None:
            raise TypeError(f"{self!r} has no known length.")
        return self.shape[0]


def is_symbolic(*structures: Any) -> bool:
    """True if a KerasTensor is anywhere in the structures."""
    return any(isinstance(leaf, KerasTensor) for leaf in jax.tree.leaves(structures))


@filter_traceback
def is_keras_tensor(x: Any) -> bool:
    """Whether `x` is a symbolic tensor of a functional model rather than an array.

    Args:
        x: Anything.

    Returns:
        True or False.

    Example:
        >>> is_keras_tensor(KerasTensor((None, 3))), is_keras_tensor([1.0])
        (True, False)
    """
    return isinstance(x, KerasTensor)


@filter_traceback
def get_source_inputs(tensor: Any) -> Any:
    """The inputs of a model that a symbolic tensor is computed from, without duplicates.

    Args:
        tensor: The symbolic tensor; anything else is returned unchanged.

    Returns:
        A list of symbolic tensors.

    Example:
        >>> from lamina.layers import Dense, Input
        >>> x = Input((3,), name="features")
        >>> [source.name for source in get_source_inputs(Dense(2)(x))]
        ['features']
    """
    if not isinstance(tensor, KerasTensor):
        return tensor
    sources: list[KerasTensor] = []
    stack, visited = [tensor], {id(tensor)}
    while stack:
        history = stack[0].history
        node = history and history.operation._inbound_nodes[history.node_index]
        parents = node.input_tensors if node else []
        if not parents:
            sources.append(stack[0])
        new_parents = [parent for parent in parents if id(parent) not in visited]
        visited.update(map(id, new_parents))
        stack = [*new_parents, *stack[1:]]
    return sources


def refuse_text(structure: PyTree) -> None:
    """Raise a TypeError if a symbolic tensor has the dtype `"string"`."""
    for leaf in jax.tree.leaves(structure):
        if isinstance(leaf, KerasTensor) and leaf.dtype == "string":
            raise TypeError(
                f"The input {leaf.name!r} is text, and this operation needs numbers.\n"
                "  Fix: put a TextVectorization or StringLookup layer before it; or, if it is "
                "numbers written as text, x = numpy.asarray(x, 'float32')."
            )
