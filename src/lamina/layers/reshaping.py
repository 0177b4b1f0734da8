"""Layers that rearrange values: Flatten, Reshape, Permute and RepeatVector."""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from lamina.core.configuration.config import standardize_data_format
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer.input_spec import InputSpec
from lamina.core.layer.layer import Layer
from lamina.core.types import Array, Shape
from lamina.core.user_data.arguments import check_integer
from lamina.layers.settings import known_sizes, same_dtype, settings_of


class Flatten(Layer):
    """Flattens every sample to a vector; the batch axis is kept.

    Args:
        data_format: With `"channels_first"` the channels are moved to the end first, so that the
            order is the same as for `"channels_last"`.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: `(batch, ...)`.
    Output shape: `(batch, values)`.

    Example:
        >>> Flatten()(np.zeros((32, 28, 28))).shape
        (32, 784)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)

    def call(self, inputs: Array) -> Array:
        """Flatten every sample.

        Args:
            inputs: Array `(batch, ...)`.

        Returns:
            Array `(batch, values)`.
        """
        self._check(inputs.shape)
        if self.data_format == "channels_first" and inputs.ndim > 2:
            inputs = jnp.moveaxis(inputs, 1, -1)
        return inputs.reshape(inputs.shape[0], math.prod(inputs.shape[1:]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check(input_shape)
        sizes = known_sizes(input_shape[1:])
        return (input_shape[0], None if sizes is None else math.prod(sizes))

    def compute_output_spec(self, inputs: KerasTensor) -> KerasTensor:
        return same_dtype(self, inputs, self.compute_output_shape(inputs.shape))

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "data_format")}

    def _check(self, shape: Shape) -> None:
        if len(shape) < 1:
            raise ValueError(
                f"{self._label} needs inputs (batch, ...) and received a single number.\n"
                "  Fix: x.reshape(1, 1) makes a batch of it."
            )


class Reshape(Layer):
    """Reshapes every sample.

    Args:
        target_shape: Shape of a sample, without the batch axis; -1 for an inferred size.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: `(batch, ...)`.
    Output shape: `(batch, *target_shape)`.

    Example:
        >>> Reshape((28, 28, 1))(np.zeros((32, 784))).shape
        (32, 28, 28, 1)
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        sizes = (target_shape,) if isinstance(target_shape, int) else tuple(target_shape)
        valid = all(isinstance(size, (int, np.integer)) and size >= -1 for size in sizes)
        if not valid or sizes.count(-1) > 1:
            raise ValueError(
                "Reshape: target_shape must be integers, at most one of them -1; "
                f"received {target_shape!r}."
            )
        self.target_shape = tuple(int(size) for size in sizes)

    def call(self, inputs: Array) -> Array:
        """Reshape every sample to the target shape.

        Args:
            inputs: Array `(batch, ...)`.

        Returns:
            Array `(batch, *target_shape)`.

        Raises:
            ValueError: If the numbers of values differ.
        """
        return inputs.reshape(inputs.shape[0], *self._resolve_shape(inputs.shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self._resolve_shape(input_shape))

    def compute_output_spec(self, inputs: KerasTensor) -> KerasTensor:
        return same_dtype(self, inputs, self.compute_output_shape(inputs.shape))

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "target_shape")}

    def _resolve_shape(self, input_shape: Shape) -> Shape:
        sizes = known_sizes(input_shape[1:])
        if sizes is None:
            return tuple(None if size == -1 else size for size in self.target_shape)
        values = math.prod(sizes)
        known_size = math.prod(size for size in self.target_shape if size != -1)
        if -1 in self.target_shape and known_size and values % known_size == 0:
            return tuple(values // known_size if size == -1 else size for size in self.target_shape)
        if -1 in self.target_shape or values != known_size:
            multiple = "a multiple of " if -1 in self.target_shape else ""
            raise ValueError(
                f"{self._label} cannot reshape {sizes} to {self.target_shape}.\n"
                f"  Received: {values} values per sample (input of shape {tuple(input_shape)}); "
                f"the target has {multiple}{known_size}."
            )
        return self.target_shape


class Permute(Layer):
    """Permutes the axes of every sample.

    Args:
        dims: The axes in their new order, counted from 1; the batch stays first.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: `(batch, ...)`.
    Output shape: `(batch, ...)`, the axes permuted.

    Example:
        >>> Permute((2, 1))(np.zeros((4, 10, 64))).shape
        (4, 64, 10)
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(dims, (list, tuple)) or sorted(dims) != list(range(1, len(dims) + 1)):
            raise ValueError(
                "Permute: dims must hold every axis of a sample once, counted from 1, e.g. (2, 1); "
                f"received {dims!r}."
            )
        self.dims = tuple(dims)
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Array) -> Array:
        """Reorder the axes of every sample.

        Args:
            inputs: Array `(batch, ...)`.

        Returns:
            Array of the same values.
        """
        return inputs.transpose(0, *self.dims)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *(input_shape[dim] for dim in self.dims))

    def compute_output_spec(self, inputs: KerasTensor) -> KerasTensor:
        return same_dtype(self, inputs, self.compute_output_shape(inputs.shape))

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "dims")}


class RepeatVector(Layer):
    """Repeats a vector as the time steps of a sequence.

    Args:
        n: Number of time steps.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: `(batch, features)`.
    Output shape: `(batch, n, features)`.

    Example:
        >>> RepeatVector(3)(np.array([[1.0, 2.0]])).tolist()
        [[[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]]
    """

    def __init__(self, n: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.n = check_integer("n", n, owner="RepeatVector")
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Array) -> Array:
        """Repeat every vector `n` times.

        Args:
            inputs: Array `(batch, features)`.

        Returns:
            Array `(batch, n, features)`.
        """
        return jnp.repeat(inputs[:, None], self.n, axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.n, input_shape[1])

    def compute_output_spec(self, inputs: KerasTensor) -> KerasTensor:
        return same_dtype(self, inputs, self.compute_output_shape(inputs.shape))

    def get_config(self) -> dict:
        return {**super().get_config(), **settings_of(self, "n")}
