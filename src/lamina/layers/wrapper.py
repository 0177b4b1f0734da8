"""Wrapper, base class of layers around another layer, and TimeDistributed."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.configuration import dtypes
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.layer.call_signature import is_shape, signature_of
from lamina.core.layer.layer import Layer
from lamina.core.messages.errors import ArgumentError
from lamina.core.serialization import registry
from lamina.core.types import Array, Masks, Outputs, Shape, Shapes
from lamina.core.variable.stateless import assign_all, stateless, values_of
from lamina.core.variable.variable import autocast


class Wrapper(Layer):
    """Base class of layers that contain another layer; subclass it and define `call`.

    Args:
        layer: The inner layer, stored as `self.layer`.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Raises:
        TypeError: If `layer` is not a layer.

    Example:
        >>> from lamina.layers import Dense
        >>> class Doubled(Wrapper):
        ...     def call(self, x):
        ...         return 2 * self.layer(x)
        >>> Doubled(Dense(3, kernel_initializer="ones"))(jnp.ones((1, 2))).tolist()
        [[4.0, 4.0, 4.0]]
    """

    def __init__(self, layer: Layer, **kwargs: Any):
        super().__init__(**kwargs)
        self.layer = check_is_layer(type(self).__name__, "layer", layer)

    def build(self, input_shape: Shapes = None) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)
            self.layer.built = True

    def get_config(self) -> dict:
        return {**super().get_config(), "layer": registry.serialize(self.layer)}

    @classmethod
    def from_config(cls, config: dict, custom_objects: Mapping | None = None) -> "Wrapper":
        """A new layer with the settings that `get_config` gave, not yet built.

        Args:
            config: Arguments of the constructor; the inner layer is serialized.
            custom_objects: Classes and functions by name that are not in Lamina.

        Returns:
            A layer with new weights.
        """
        layer = registry.deserialize(config["layer"], custom_objects)
        return super().from_config({**config, "layer": layer})


class TimeDistributed(Wrapper):
    """Applies the inner layer to every time step.

    Time steps and samples are merged into one axis and the layer is called once. Only a layer that
    keeps statistics of its batches in training, such as BatchNormalization, is called for one step
    after another.

    Args:
        layer: The inner layer; it must treat the samples of a batch independently.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Call arguments: `mask`, `(batch, time, ...)`, passed to the layer if it takes one; `training`.

    Input shape: `(batch, time, ...)`.
    Output shape: `(batch, time, ...)`, whose other axes are those of the inner output.

    Raises:
        TypeError: If `layer` is not a layer.
        ValueError: If the input has no time axis, or the mask is of another shape.

    Example:
        >>> from lamina.layers import Flatten
        >>> TimeDistributed(Flatten())(jnp.ones((2, 5, 3, 4))).shape
        (2, 5, 12)
    """

    def __init__(self, layer: Layer, **kwargs: Any):
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: Shapes = None) -> None:
        super().build(self._step_shape(input_shape))

    def call(self, inputs: Array, training: bool | None = None, mask: Masks = None) -> Outputs:
        """Apply the inner layer to every step.

        Args:
            inputs: Array `(batch, steps, ...)`.
            training: Passed to the inner layer, if it has this argument.
            mask: True for the steps that count, `(batch, steps)`, or None; also passed to the
                inner layer.

        Returns:
            Array `(batch, steps, ...)`.

        Raises:
            ValueError: If the inputs have no axis of steps.
        """
        self._step_shape(inputs.shape)
        signature = signature_of(type(self.layer).call)
        arguments: dict[str, Any] = {"training": training} if signature.has_training else {}
        masks = None
        if mask is not None:
            mask = self._check_mask(mask, inputs.shape)
            masks = mask if "mask" in signature.names else None

        def step(x: Array, mask: Any) -> Any:
            outputs = self.layer(x, **arguments, **({} if mask is None else {"mask": mask}))
            return jax.tree.map(lambda y: y.astype(self._output_dtype(y)), outputs)

        if training and any(
            layer._tracked["non_trainable"] for layer in self.layer._flatten_layers()
        ):
            return self._step_by_step(step, inputs, masks)
        rows, row_masks = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), (inputs, masks))
        outputs = step(rows, row_masks)
        return jax.tree.map(lambda y: y.reshape(*inputs.shape[:2], *y.shape[1:]), outputs)

    def _step_by_step(self, step: Any, inputs: Array, masks: Any) -> Any:
        variables = self.layer.non_trainable_variables
        pure = stateless(step, variables)

        def body(values: list, at_step: tuple) -> tuple[list, Any]:
            output, values = pure(values, *at_step)
            self.layer._clear_losses()
            return values, output

        time_major = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), (inputs, masks))
        with autocast(None):
            values = values_of(variables)
        values, outputs = jax.lax.scan(body, values, time_major)
        assign_all(variables, values)
        return jax.tree.map(lambda y: jnp.swapaxes(y, 0, 1), outputs)

    def compute_output_shape(self, input_shape: Shape) -> Shapes:
        step = self.layer.compute_output_shape(self._step_shape(input_shape))
        return jax.tree.map(lambda s: (s[0], input_shape[1], *s[1:]), step, is_leaf=is_shape)

    def compute_output_spec(self, inputs: KerasTensor, **kwargs: Any) -> Outputs:
        step = KerasTensor(self._step_shape(inputs.shape), inputs.dtype)
        return jax.tree.map(
            lambda t: KerasTensor(
                (t.shape[0], inputs.shape[1], *t.shape[1:]), self._output_dtype(t)
            ),
            self.layer.compute_output_spec(step),
        )

    def _output_dtype(self, output: Any) -> Any:
        return self.compute_dtype if dtypes.is_float(output.dtype) else output.dtype

    def _step_shape(self, shape: Any) -> Shape:
        if not is_shape(shape) or len(shape) < 3:
            raise ValueError(
                f"{self._label} needs one input (batch, time, ...) of at least 3 axes and received "
                f"shape {shape}.\n  Fix: x[..., None] makes steps of one number each."
            )
        return (shape[0], *shape[2:])

    def _check_mask(self, mask: Any, shape: Shape) -> Array:
        mask = jnp.asarray(mask)
        if mask.shape[:2] != shape[:2]:
            raise ValueError(
                f"{self._label}: the mask must begin with the axes (batch, time) of the input.\n"
                f"  Received: a mask of shape {mask.shape} for inputs of shape {shape}."
            )
        return mask


def check_is_layer(owner: str, name: str, layer: Any) -> Layer:
    """Check that an argument is a layer."""
    if not isinstance(layer, Layer):
        hint = f"\n  Fix: {layer.__name__}(…), an object." if isinstance(layer, type) else ""
        raise ArgumentError(f"{owner}: {name} must be a layer; received {layer!r}.{hint}")
    return layer
