"""Bidirectional: a recurrent layer run over a sequence in both directions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from lamina.core.layer.call_signature import signature_of
from lamina.core.layer.layer import Layer
from lamina.core.serialization import registry
from lamina.core.types import Array, ArrayLike, Inputs, Masks, Shape, Shapes
from lamina.core.variable.variable import Variable
from lamina.layers.wrapper import check_is_layer

_MERGE_FUNCTIONS: dict[str, Callable[[Array, Array], Array]] = {
    "sum": lambda forward, backward: forward + backward,
    "mul": lambda forward, backward: forward * backward,
    "ave": lambda forward, backward: (forward + backward) / 2,
    "concat": lambda forward, backward: jnp.concatenate([forward, backward], axis=-1),
}
_SHARED_SETTINGS = ("stateful", "return_sequences", "return_state")


class Bidirectional(Layer):
    """Runs a recurrent layer over a sequence in both directions and merges the outputs.

    The layer is copied for each direction, with new weights; masked steps are ignored in both.

    Args:
        layer: An RNN, LSTM, GRU or another layer with `go_backwards`, `return_sequences`,
            `return_state` and `stateful`.
        merge_mode: `"concat"`, `"sum"`, `"mul"`, `"ave"`, or None for a tuple of
            both outputs.
        weights: Initial weights: those of the forward layer, then those of the backward layer.
        backward_layer: Another layer for the backward direction, with the opposite `go_backwards`;
            a copy of `layer` if None.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Call arguments: `initial_state`, those of the forward layer, then those of the backward layer;
    `mask`, `(batch, time)`; `training`.

    Input shape: `(batch, time, features)`.
    Output shape: That of `layer`, twice as wide for `"concat"`; with `return_state` a tuple of it
    and the states of both.

    Source: Schuster and Paliwal, 1997, "Bidirectional Recurrent Neural Networks", IEEE
    Transactions on Signal Processing 45(11).

    Example:
        >>> from lamina.layers import LSTM
        >>> Bidirectional(LSTM(4))(jnp.ones((2, 6, 5))).shape
        (2, 8)
    """

    def __init__(
        self,
        layer: Layer,
        merge_mode: str | None = "concat",
        weights: Sequence[ArrayLike] | None = None,
        backward_layer: Layer | None = None,
        **kwargs: Any,
    ):
        check_is_layer("Bidirectional", "layer", layer)
        if merge_mode is not None and merge_mode not in _MERGE_FUNCTIONS:
            raise ValueError(
                "Bidirectional: merge_mode must be one of "
                f"{', '.join(map(repr, _MERGE_FUNCTIONS))} or None; received {merge_mode!r}."
            )
        missing = [n for n in ("go_backwards", *_SHARED_SETTINGS) if not hasattr(layer, n)]
        if missing:
            raise ValueError(
                f"Bidirectional needs a recurrent layer; {type(layer).__name__} has no "
                f"{missing[0]}.\n  Fix: e.g. Bidirectional(LSTM(32))."
            )
        super().__init__(**kwargs)
        self.forward_layer = _copy_for_direction(layer, "forward")
        if backward_layer is None:
            self.backward_layer = _copy_for_direction(layer, "backward", go_backwards=True)
        else:
            self.backward_layer = check_is_layer("Bidirectional", "backward_layer", backward_layer)
        self._check_directions()
        if hasattr(layer, "use_cudnn"):  # it is not in the config
            self.forward_layer.use_cudnn = self.backward_layer.use_cudnn = layer.use_cudnn
        for layer_copy in (self.forward_layer, self.backward_layer):
            if hasattr(layer_copy, "zero_output_for_mask"):
                layer_copy.zero_output_for_mask = layer_copy.return_sequences
        self.merge_mode = merge_mode
        self.stateful, self.return_sequences, self.return_state = (
            getattr(layer, name) for name in _SHARED_SETTINGS
        )
        self._initial_weights = None if weights is None else list(weights)
        self.supports_masking = True
        self.input_spec = layer.input_spec

    def build(self, sequences_shape: Shape, initial_state_shape: Shapes = None) -> None:
        """Make the weights of both layers.

        Args:
            sequences_shape: Shape of the sequences, `(batch, steps, features)`.
            initial_state_shape: Shapes of the states, if they are given; ignored.
        """
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(sequences_shape)
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)

    def call(
        self,
        sequences: Array,
        initial_state: Inputs = None,
        mask: Masks = None,
        training: bool | None = None,
    ) -> Any:
        """Run both layers over the sequence and merge their outputs.

        Args:
            sequences: Array `(batch, steps, features)`.
            initial_state: States of the forward layer, then those of the backward one; None for
                their own initial states.
            mask: True for the steps that count, `(batch, steps)`, or None.
            training: Whether dropout is applied.

        Returns:
            The merged outputs, or a list of two without a `merge_mode`; with `return_state` the
            states follow.
        """
        forward_state = backward_state = None
        if initial_state is not None:
            half = len(initial_state) // 2
            forward_state, backward_state = initial_state[:half], initial_state[half:]
        output, *states = self._run(self.forward_layer, sequences, forward_state, mask, training)
        backward_output, *backward_states = self._run(
            self.backward_layer, sequences, backward_state, mask, training
        )
        if self.return_sequences:
            backward_output = jnp.flip(backward_output, axis=1)
        if self.merge_mode is not None:
            merged: Any = _MERGE_FUNCTIONS[self.merge_mode](output, backward_output)
            return (merged, *states, *backward_states) if self.return_state else merged
        return (output, backward_output, *states, *backward_states)

    def _run(self, layer: Layer, x: Array, state: Any, mask: Any, training: Any) -> list:
        argument_names = signature_of(type(layer).call).names
        arguments = {"initial_state": state, "mask": mask, "training": training}
        outputs = layer(
            x, **{k: v for k, v in arguments.items() if k in argument_names and v is not None}
        )
        outputs = outputs if self.return_state else [outputs]
        return [output.astype(self.compute_dtype) for output in outputs]

    # -- states, shapes and masks ----------------------------------------------------------------

    @property
    def states(self) -> tuple[Variable, ...] | None:
        """The states of both layers after the last batch, if they are stateful."""
        layers: Any = (self.forward_layer, self.backward_layer)
        if any(layer.states is None for layer in layers):
            return None
        return tuple(state for layer in layers for state in layer.states)

    def reset_state(self) -> None:
        """Reset the states to zeros."""
        if not self.stateful:
            raise AttributeError(
                f"{self._label} keeps no state between batches.\n"
                "  Fix: create the inner layer with stateful=True."
            )
        layers: Any = (self.forward_layer, self.backward_layer)
        for layer in layers:
            layer.reset_state()

    def reset_states(self) -> None:
        """Alias of `reset_state`."""
        self.reset_state()

    def compute_output_shape(
        self, sequences_shape: Shape, initial_state_shape: Shapes = None
    ) -> Shapes:
        shape = self.forward_layer.compute_output_shape(sequences_shape)
        output, *states = shape if self.return_state else (shape,)
        if self.merge_mode is None:
            return (output, output, *states, *states)
        if self.merge_mode == "concat":
            output = (*output[:-1], 2 * output[-1])
        return (output, *states, *states) if self.return_state else output

    def compute_mask(self, sequences: Inputs, mask: Masks) -> Masks:
        """The mask of the output: that of the sequences with `return_sequences`, else none.

        Args:
            sequences: The sequences that the layer is called on.
            mask: Their mask, `(batch, steps)`, or None.

        Returns:
            A mask, or a list with one for every output; None where there is none.
        """
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        mask = mask if self.return_sequences else None
        return mask if self.merge_mode is not None else (mask, mask)

    # -- config ----------------------------------------------------------------------------------

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "merge_mode": self.merge_mode,
            "layer": registry.serialize(self.forward_layer),
            "backward_layer": registry.serialize(self.backward_layer),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: Mapping | None = None) -> "Bidirectional":
        """A new layer with the settings that `get_config` gave, not yet built.

        Args:
            config: Arguments of the constructor; the inner layers are serialized.
            custom_objects: Classes and functions by name that are not in Lamina.

        Returns:
            A layer with new weights.
        """
        layers = {
            name: registry.deserialize(config[name], custom_objects)
            for name in ("layer", "backward_layer")
            if config.get(name) is not None
        }
        return super().from_config({**config, **layers})

    def _check_directions(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ValueError(
                "Bidirectional: one layer must run forwards and one backwards; both have "
                f"go_backwards={forward.go_backwards}.\n  Fix: give backward_layer "
                f"go_backwards={not forward.go_backwards}."
            )
        for name in _SHARED_SETTINGS:
            values = getattr(forward, name), getattr(backward, name)
            if values[0] != values[1]:
                raise ValueError(
                    f"Bidirectional: both layers must have the same {name}; received {values[0]} "
                    f"for the forward layer and {values[1]} for the backward layer."
                )


def _copy_for_direction(layer: Layer, direction: str, **changes: Any) -> Any:
    """A copy of the layer with separate weights, named after its direction."""
    name = f"{direction}_{layer.name.removeprefix(f'{direction}_')}"
    record = registry.serialize(layer)
    record["config"] |= {"name": name, **changes}
    # Classes of users need not be registered to be copied.
    classes = {type(part).__name__: type(part) for part in layer._flatten_layers()}
    return registry.deserialize(record, classes)
