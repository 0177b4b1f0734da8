"""Pipeline: several layers as one."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from lamina.core.layer import masking
from lamina.core.layer.call_signature import signature_of
from lamina.core.layer.layer import Layer
from lamina.core.messages.errors import ArgumentError
from lamina.core.serialization import registry


class Pipeline(Layer):
    """Applies several layers in order, e.g. for preprocessing or augmentation.

    Unlike a Sequential model it is a plain layer, which is not compiled or trained on its own.

    Args:
        layers: The layers, first to last.
        name: See `Layer`.
        **kwargs: `dtype`, `trainable`; see `Layer`.

    Call arguments: `training`, True by default.

    Input shape: That of the first layer.
    Output shape: That of the last layer.

    Raises:
        TypeError: If an element of `layers` is not a layer.

    Example:
        >>> import numpy as np
        >>> from lamina.layers import Flatten, Rescaling
        >>> Pipeline([Rescaling(0.5), Flatten()])(np.ones((1, 2, 1))).tolist()
        [[0.5, 0.5]]
    """

    holds_layers = True  # its inner layers may have weights

    def __init__(self, layers: Sequence[Layer], name: str | None = None, **kwargs: Any):
        super().__init__(name=name, **kwargs)
        if not isinstance(layers, (list, tuple)):
            raise ArgumentError(f"Pipeline needs a list of layers; received {layers!r}.")
        for layer in layers:
            if not isinstance(layer, Layer):
                raise TypeError(f"Pipeline needs a list of layers; {layer!r} is not a layer.")
        self._pipeline_layers = list(layers)

    @property
    def layers(self) -> list[Layer]:
        """The layers, first to last."""
        return self._pipeline_layers

    def call(self, inputs: Any, training: bool = True, mask: Any = None) -> Any:
        """Call the layers in order.

        Args:
            inputs: Inputs of the first layer.
            training: Whether layers behave as in training.
            mask: Mask of the inputs, or None.

        Returns:
            The result of the last layer.
        """
        for layer in self._pipeline_layers:
            signature = signature_of(type(layer).call)
            call_arguments: dict[str, Any] = (
                {"training": training} if signature.has_training else {}
            )
            if ("mask", None) in signature.masks:
                call_arguments["mask"] = mask
            inputs = layer(inputs, **call_arguments)
            mask = jax.tree.map(masking.get_mask, inputs)
        return inputs

    def get_config(self) -> dict:
        return {"name": self.name, "layers": registry.serialize(list(self._pipeline_layers))}

    @classmethod
    def from_config(cls, config: dict, custom_objects: Mapping | None = None) -> "Pipeline":
        """A new pipeline from the result of `get_config`.

        Args:
            config: Arguments of the constructor; the layers are serialized.
            custom_objects: Classes and functions by name that are not in Lamina.

        Returns:
            A pipeline of new layers.

        Raises:
            ValueError: If there are no layers in the config.
        """
        layers = config.get("layers")
        if not isinstance(layers, (list, tuple)):
            raise ValueError(
                "The config of a Pipeline must have a list of configs as 'layers'; "
                f"received {layers!r}."
            )
        return cls(**{**config, "layers": registry.deserialize(layers, custom_objects)})
