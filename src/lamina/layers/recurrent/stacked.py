"""StackedRNNCells: several cells as one, each with the output of the previous as input."""

from collections.abc import Mapping, Sequence
from typing import Any

from lamina.core.layer.layer import Layer
from lamina.core.serialization import registry
from lamina.core.types import Array, Shape
from lamina.layers.recurrent.cell_interface import (
    build_cell,
    check_cell,
    initial_state_of,
    output_size_of,
    run_cell,
)


class StackedRNNCells(Layer):
    """Several cells as one: the input of each is the output of the previous.

    Args:
        cells: The cells, first to last.
        **kwargs: `name`, `dtype`, `trainable`; see `Layer`.

    Input shape: `(batch, features)`, and a list of the cells' states.
    Output shape: That of the last cell.

    Raises:
        ValueError: If a cell has no `call` method or no `state_size`.

    Example:
        >>> import numpy as np
        >>> from lamina.layers import LSTMCell, RNN
        >>> RNN(StackedRNNCells([LSTMCell(4), LSTMCell(3)]))(np.ones((2, 6, 5))).shape
        (2, 3)
    """

    def __init__(self, cells: Sequence[Any], **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(cells, (list, tuple)) or not cells:
            raise ValueError(
                f"StackedRNNCells takes a list of at least one cell; received {cells!r}."
            )
        for cell in cells:
            check_cell(cell)
        self.cells = list(cells)

    @property
    def state_size(self) -> list:
        """The state sizes of all cells, one entry per cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """Size of the output of the last cell."""
        return output_size_of(self.cells[-1])

    def build(self, input_shape: Shape) -> None:
        for cell in self.cells:
            build_cell(cell, input_shape)
            input_shape = (input_shape[0], output_size_of(cell))

    def call(self, inputs: Array, states: Any, training: bool = False) -> tuple[Array, list]:
        """Compute one step of every cell.

        Args:
            inputs: Array `(batch, features)`.
            states: The states after the previous step, one entry per cell.
            training: Whether dropout is applied.

        Returns:
            The last cell's output `(batch, units)`, and the new states, one entry per cell.
        """
        new_states = []
        for cell, cell_states in zip(self.cells, states, strict=True):
            is_list = isinstance(cell_states, (list, tuple))
            inputs, new_cell_states = run_cell(
                cell, inputs, list(cell_states) if is_list else [cell_states], training
            )
            new_states.append(new_cell_states if is_list else new_cell_states[0])
        return inputs, new_states

    def get_initial_state(self, batch_size: int | None = None) -> list:
        """The initial states of all cells, one entry per cell.

        Args:
            batch_size: Number of samples.

        Returns:
            The list.
        """
        return [initial_state_of(cell, batch_size) for cell in self.cells]

    def get_config(self) -> dict:
        return {**super().get_config(), "cells": [registry.serialize(c) for c in self.cells]}

    @classmethod
    def from_config(cls, config: dict, custom_objects: Mapping | None = None) -> "StackedRNNCells":
        """A new stack with the settings that `get_config` gave, not yet built.

        Args:
            config: Arguments of the constructor; the cells are serialized.
            custom_objects: Classes and functions by name that are not in Lamina.

        Returns:
            A stack with new weights.
        """
        cells = [registry.deserialize(cell, custom_objects) for cell in config["cells"]]
        return super().from_config({**config, "cells": cells})
