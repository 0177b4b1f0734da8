"""Lambda: a function as a layer."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax

from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer.call_signature import is_shape
from lamina.core.layer.layer import Layer
from lamina.core.messages.errors import ArgumentError
from lamina.core.serialization import registry
from lamina.core.types import Inputs, Masks, Outputs, Shapes


class Lambda(Layer):
    """Applies a function, e.g. for a line of arithmetic in the middle of a model.

    A model file contains data and never code. A model with a lambda can be trained but not saved;
    one with a named function can be saved, and loaded if the function is given: `load_model(path,
    custom_objects={"name": function})`. A layer class with `call` has neither limit.

    Args:
        function: Function of the input, which may also take `mask` and `training`. Variables that
            it uses are not trained; for these, write a layer class.
        output_shape: Shape of the output without the batch, or a function from the input's shape
            to the whole shape; None to find it by tracing.
        mask: Mask of the output: an array, or a function of the input and its mask.
        arguments: Further keyword arguments of the function.
        **kwargs: `name`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: The result of the function.

    Raises:
        TypeError: If `function` cannot be called.

    Example:
        >>> import numpy as np
        >>> Lambda(lambda x, factor: x * factor, arguments={"factor": 3})(np.array([2.0])).tolist()
        [6.0]
    """

    def __init__(
        self,
        function: Callable,
        output_shape: Shapes = None,
        mask: Masks = None,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not callable(function):
            raise ArgumentError(f"Lambda needs a function; received {function!r}.")
        self.function = function
        self.arguments = dict(arguments or {})
        self.mask = mask
        self.supports_masking = mask is not None
        self._output_shape = output_shape
        parameters = inspect.signature(function).parameters
        self._optional_argument_names = [
            name for name in ("mask", "training") if name in parameters
        ]

    def call(self, inputs: Inputs, mask: Masks = None, training: bool | None = None) -> Outputs:
        """Call the function.

        Args:
            inputs: Array, or structure of arrays.
            mask: Passed to the function, if it has this argument.
            training: Passed to the function, if it has this argument.

        Returns:
            The result of the function.
        """
        optional_arguments = {"mask": mask, "training": training}
        keyword_arguments = {
            name: optional_arguments[name] for name in self._optional_argument_names
        }
        return self.function(inputs, **{**self.arguments, **keyword_arguments})

    def compute_mask(self, inputs: Inputs, previous_mask: Masks = None) -> Masks:
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape: Shapes) -> Shapes:
        if self._output_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self._output_shape):
            return self._output_shape(input_shape)
        first = jax.tree.leaves(input_shape, is_leaf=is_shape)[0]
        return jax.tree.map(lambda shape: (first[0], *shape), self._output_shape, is_leaf=is_shape)

    def compute_output_spec(self, inputs: Inputs, **kwargs: Any) -> Outputs:
        if self._output_shape is None:
            return self._trace_call((inputs,), kwargs)
        shape = self.compute_output_shape(jax.tree.map(lambda x: x.shape, inputs))
        return jax.tree.map(lambda s: KerasTensor(s, self.compute_dtype), shape, is_leaf=is_shape)

    def get_config(self) -> dict:
        config = {
            **super().get_config(),
            "function": _as_data(self.function),
            "arguments": registry.serialize(self.arguments),
        }
        if self._output_shape is not None:
            config["output_shape"] = _as_data(self._output_shape)
        if self.mask is not None:
            config["mask"] = _as_data(self.mask)
        return config

    @classmethod
    def from_config(
        cls, config: dict, custom_objects: Mapping | None = None, safe_mode: bool | None = None
    ) -> "Lambda":
        """The layer of a config.

        Args:
            config: Result of `get_config`.
            custom_objects: The user's own functions by name.
            safe_mode: Accepted for compatibility with Keras; a config never holds code here.

        Returns:
            A new layer.
        """
        config = {**config, "arguments": registry.deserialize(config.get("arguments"))}
        for name in ("function", "output_shape", "mask"):
            if name == "function" or isinstance(config.get(name), dict):
                config[name] = registry.deserialize_function(config[name], custom_objects)
        if isinstance(config.get("output_shape"), list):
            config["output_shape"] = tuple(config["output_shape"])
        return super().from_config(config)


def _as_data(value: Any) -> Any:
    """A function by its name; a lambda has none, is returned unchanged, and cannot be saved."""
    return value if getattr(value, "__name__", "") == "<lambda>" else registry.serialize(value)
