"""Input: the symbolic input of a model, with its shape and dtype."""

from collections.abc import Sequence
from typing import Any

from lamina.core.configuration.dtypes import standardize_dtype
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.graph.operation import Node
from lamina.core.layer.layer import Layer
from lamina.core.messages.errors import ArgumentError
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import DTypeLike
from lamina.core.variable.variable import to_shape_tuple


class InputLayer(Layer):
    """Holds the shape that a model takes; usually made by `Input`.

    Args:
        shape: Shape of one sample, without the batch axis.
        batch_size: Number of samples in a batch, if it is always the same.
        dtype: Dtype of the input.
        sparse, ragged: Accepted for compatibility with Keras; there are no sparse or ragged
            tensors, so True is refused.
        batch_shape: Shape with the batch axis, instead of `shape` and `batch_size`.
        input_tensor: A symbolic tensor to use instead of a new one.
        optional: Whether None may be given for this input.
        name: Name of the input; the key in dictionaries of inputs.
        **kwargs: `input_shape` and `batch_input_shape` of Keras 2.

    Example:
        >>> InputLayer(shape=(28, 28)).batch_shape
        (None, 28, 28)
    """

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: DTypeLike | None = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Sequence[int | None] | None = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ):
        if "input_shape" in kwargs and shape is None:
            shape = kwargs.pop("input_shape")
        if "batch_input_shape" in kwargs and batch_shape is None:
            batch_shape = kwargs.pop("batch_input_shape")
        super().__init__(name=name, **kwargs)
        if sparse or ragged:
            raise ValueError(
                "Lamina has no sparse or ragged inputs.\n  Fix: give dense arrays, padded to one "
                "length where rows differ."
            )
        if input_tensor is not None:
            if not isinstance(input_tensor, KerasTensor):
                raise ArgumentError(f"Input: tensor must be symbolic; received {input_tensor!r}.")
            _check_like(input_tensor, shape, batch_size, batch_shape, dtype)
            batch_shape, dtype = input_tensor.shape, input_tensor.dtype
        elif batch_size is not None and batch_shape is not None:
            raise ValueError(
                "Input takes either batch_size or batch_shape, and received both.\n"
                "  Fix: give the size as batch_shape[0] alone."
            )
        elif shape is not None and batch_shape is not None:
            raise ValueError("Input takes either shape or batch_shape, and received both.")
        elif shape is not None:
            batch_shape = (batch_size, *to_shape_tuple(shape))
        elif batch_shape is None:
            raise ValueError(
                "Input needs the shape of one sample.\n  Fix: lamina.Input(shape=(28, 28)), or "
                "lamina.Input(shape=()) for one number per sample."
            )
        self.batch_shape = to_shape_tuple(batch_shape)
        self.optional = optional
        if input_tensor is None or input_tensor.history is not None:
            # The output of another layer keeps its history.
            input_tensor = KerasTensor(self.batch_shape, dtype, name=self.name)
        self._dtype = input_tensor.dtype
        Node(self, (), {}, input_tensor)
        self.built = True

    @property
    def dtype(self) -> str:
        """Name of the dtype of the input."""
        return self._dtype

    @property
    def sparse(self) -> bool:
        """False: inputs are dense."""
        return False

    @property
    def ragged(self) -> bool:
        """False: rows have one length."""
        return False

    def call(self, *args: Any) -> None:
        """Nothing to compute; a model uses its input instead of this layer.

        Args:
            *args: Must be empty.

        Raises:
            TypeError: If it is called on something.
        """
        if args:
            raise TypeError("An input layer only describes the input; it cannot be called.")

    def compute_output_shape(self) -> tuple:
        return self.batch_shape

    def get_config(self) -> dict:
        return {
            "batch_shape": self.batch_shape,
            "dtype": self.dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": self.optional,
        }


@filter_traceback
def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: DTypeLike | None = None,
    sparse: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: KerasTensor | None = None,
    optional: bool = False,
) -> KerasTensor:
    """Start a functional model: a symbolic tensor to call layers on.

    Args:
        shape: Shape of one sample, without the batch axis; None for an axis of any size.
        batch_size: Number of samples in a batch, if it is always the same.
        dtype: Dtype, `floatx()` by default.
        sparse: Accepted for compatibility with Keras; there are no sparse tensors, so True is
            refused.
        batch_shape: Shape with the batch axis, instead of `shape` and `batch_size`.
        name: Name of the input; the key in dictionaries of inputs.
        tensor: A symbolic tensor to use instead of a new one.
        optional: Whether None may be given for this input.

    Returns:
        A symbolic tensor, `(batch, ...)`.

    Example:
        >>> Input(shape=(28, 28), name="image").shape
        (None, 28, 28)
    """
    layer = InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        batch_shape=batch_shape,
        name=name,
        input_tensor=tensor,
        optional=optional,
    )
    return layer.output


def _check_like(
    tensor: KerasTensor, shape: Any, batch_size: Any, batch_shape: Any, dtype: DTypeLike | None
) -> None:
    """Refuse arguments that contradict the tensor."""
    values = {
        "shape": (None if shape is None else to_shape_tuple(shape), tensor.shape[1:]),
        "batch_size": (batch_size, tensor.shape[0] if tensor.shape else None),
        "batch_shape": (None if batch_shape is None else to_shape_tuple(batch_shape), tensor.shape),
        "dtype": (None if dtype is None else standardize_dtype(dtype), tensor.dtype),
    }
    for name, (value, tensor_value) in values.items():
        if value is not None and value != tensor_value:
            raise ValueError(
                f"Input: {name}={value!r} contradicts the tensor, which has {name} "
                f"{tensor_value!r}.\n"
                f"  Fix: leave {name} out; the tensor has it."
            )
