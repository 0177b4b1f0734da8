"""RNN: runs a cell over the time steps of a sequence. Base class of recurrent layers."""

import contextlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.layer.call_signature import is_shape
from lamina.core.layer.layer import Layer
from lamina.core.serialization import registry
from lamina.core.types import Array, Inputs, Masks, Outputs, Shape, Shapes
from lamina.core.variable.stateless import assign_all
from lamina.core.variable.variable import Variable, autocast, name_scope
from lamina.layers.recurrent.cell_interface import (
    as_list,
    build_cell,
    check_cell,
    initial_state_of,
    output_size_of,
    run_cell,
)
from lamina.layers.recurrent.cells import KernelCell
from lamina.layers.recurrent.scan import scan_steps
from lamina.layers.recurrent.stacked import StackedRNNCells
from lamina.layers.settings import settings_of

_FLAGS = (
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "unroll",
    "zero_output_for_mask",
)


class RNN(Layer):
    """Runs a cell over the time steps of a sequence, in one compiled loop.

    Args:
        cell: A cell, or a list of cells to stack. A cell is an object with a `state_size` (a whole
            number, or a list of them) and a method `call(inputs, states)` that returns the output
            and the new states of one time step; it may have an `output_size` and a method
            `get_initial_state(batch_size)`.
        return_sequences: Whether to return the output of every step, not just the last.
        return_state: Whether to return the last states, too, after the output.
        go_backwards: Whether to begin with the last step; outputs come in the order of execution.
        stateful: Whether a batch starts with the last states of the previous batch. Requires
            batches of equal size, given as `lamina.Input(shape, batch_size=…)`.
        unroll: Whether to unroll the loop, which makes compilation slow.
        zero_output_for_mask: Whether the output of masked steps is 0 instead of the previous one.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`; see `Layer`.

    Call arguments: `initial_state`, zeros if None; `mask`, `(batch, time)`, False for steps that
    are skipped; `training`.

    Input shape: `(batch, time, ...)`; Lamina's cells take `(batch, time, features)`.
    Output shape: `(batch, units)`, or `(batch, time, units)` for every step; with `return_state` a
    tuple of it and the states.

    Raises:
        ValueError: If the cell is not a cell, or `initial_state` does not fit it.

    Example:
        >>> class Sum(Layer):
        ...     state_size = 3
        ...     def call(self, inputs, states):
        ...         total = inputs + states[0]
        ...         return total, [total]
        >>> RNN(Sum())(jnp.ones((1, 4, 3))).tolist()
        [[4.0, 4.0, 4.0]]
    """

    states: Any

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        check_cell(cell)
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.supports_masking = True
        # Not among the weights: states are neither trained nor saved.
        object.__setattr__(self, "states", None)

    @property
    def state_size(self) -> list:
        """The size of every state of the cell."""
        return as_list(self.cell.state_size)

    @property
    def variables(self) -> list[Variable]:
        return [*super().variables, *jax.tree.leaves(self.states)]

    def build(self, sequences_shape: Shape, initial_state_shape: Shapes = None) -> None:
        """Make the weights of the cell, and the states of a stateful layer.

        Args:
            sequences_shape: Shape of the sequences, `(batch, steps, ...)`.
            initial_state_shape: Shapes of the states, if they are given; ignored.

        Raises:
            ValueError: If the sequences have too few axes.
        """
        self._check(sequences_shape)
        build_cell(self.cell, (sequences_shape[0], *sequences_shape[2:]))
        if self.stateful:
            self._create_states(sequences_shape)

    def call(
        self,
        sequences: Array,
        initial_state: Inputs = None,
        mask: Array | None = None,
        training: bool = False,
    ) -> Outputs:
        """Run the cell over the steps of every sequence.

        Args:
            sequences: Array `(batch, steps, ...)`, usually `(batch, steps, features)`.
            initial_state: List of the initial states; the cell's own for None, or those that
                the last batch ended with in a stateful layer.
            mask: True for the steps that count, `(batch, steps)`, or None; a masked step changes
                nothing.
            training: Whether dropout is applied.

        Returns:
            The last output `(batch, units)`, or all of them `(batch, steps, units)` with
            `return_sequences`; with `return_state` a tuple of it and the last states.

        Raises:
            ValueError: If the sequences have no step, or the states don't fit.
        """
        self._check(getattr(sequences, "shape", None))
        if sequences.shape[1] == 0:
            raise ValueError(
                f"{self._label} received no time step: axis 1 of shape {sequences.shape} is 0.\n"
                "  Fix: leave out empty sequences, or pad them to one masked step."
            )
        states = self._initial_states(sequences, initial_state)
        time_major = jnp.swapaxes(sequences, 0, 1)
        outputs, last, states = self._run(
            self.cell, time_major, states, self._time_major_mask(mask, sequences), training
        )
        if self.stateful:
            for variable, state in zip(
                jax.tree.leaves(self.states), jax.tree.leaves(states), strict=True
            ):
                variable.assign(state)
        output = jnp.swapaxes(outputs, 0, 1) if self.return_sequences else last
        output, states = jax.tree.map(lambda x: x.astype(self.compute_dtype), (output, states))
        return (output, *states) if self.return_state else output

    def _run(
        self,
        cell: Any,
        inputs: Array,
        states: Any,
        mask: Any,
        training: bool,
        feeds_another_cell: bool = False,
    ) -> tuple[Any, Array, Any]:
        """Run a cell over `(time, batch, ...)`; in a stack, all but the last feed another one."""
        if type(cell) is StackedRNNCells:
            return self._run_stack(cell, inputs, states, mask, training, feeds_another_cell)
        scan_arguments: dict[str, Any] = {
            "mask": mask,
            "backwards": self.go_backwards,
            "unroll": bool(self.unroll),
            "zero_masked_outputs": self.zero_output_for_mask and not feeds_another_cell,
            "return_all_outputs": self.return_sequences or feeds_another_cell,
        }
        if isinstance(cell, KernelCell) and type(cell).call is KernelCell.call:
            # The products of the inputs of all steps are one product before the loop.
            with name_scope(cell.name), autocast(cell._autocast_dtype):
                inputs = inputs.astype(cell.compute_dtype)
                input_masks, masks = cell.draw_masks(inputs, states[0], training)
                if masks is None and not self.unroll:
                    results = cell.run_all_steps(
                        inputs, states, input_masks, mask, self.go_backwards
                    )
                    if results is not None:
                        return (
                            self._set_masked_outputs_to_zero(*results, mask)
                            if scan_arguments["zero_masked_outputs"]
                            else results
                        )
                step = cell.make_step(masks)
                projected = cell.project(inputs, input_masks)
                return scan_steps(step, projected, states, output_is_state=True, **scan_arguments)[
                    :3
                ]
        return self._run_any_cell(cell, inputs, states, training, scan_arguments)

    def _set_masked_outputs_to_zero(
        self, outputs: Array, last: Array, states: list, mask: Any
    ) -> tuple:
        if mask is not None:
            mask = jnp.flip(mask, axis=0) if self.go_backwards else mask
            outputs = jnp.where(mask[..., None], outputs, 0)
            last = outputs[-1]
        return outputs, last, states

    def _run_any_cell(
        self, cell: Any, inputs: Array, states: Any, training: bool, scan_arguments: dict
    ) -> tuple[Any, Array, Any]:
        """Run any cell; Variables that it assigns and losses that it adds are kept."""
        layers = cell._flatten_layers() if isinstance(cell, Layer) else []
        assigned_variables = cell.non_trainable_variables if layers else []
        penalty = Variable(0.0, shape=(), trainable=False, autocast=False, name="penalty")

        def step(inputs: Array, states: Any) -> tuple[Array, Any]:
            output, new_states = run_cell(cell, inputs, states, training)
            for layer in layers:
                penalty.assign_add(sum(layer._own_losses))
                layer._own_losses.clear()
            return output, new_states

        is_kernel_cell = isinstance(cell, KernelCell)  # a subclass with its own `call`
        dropout_context = (
            cell.same_masks(inputs, states[0], training)
            if is_kernel_cell
            else contextlib.nullcontext()
        )
        with dropout_context:
            *result, values = scan_steps(
                step, inputs, states, variables=[*assigned_variables, penalty], **scan_arguments
            )
        assign_all(assigned_variables, values[:-1])
        self.add_loss(values[-1])
        return tuple(result)

    def _run_stack(
        self,
        stack: StackedRNNCells,
        x: Array,
        states: Any,
        mask: Any,
        training: bool,
        feeds_another_cell: bool,
    ) -> tuple[Any, Array, Any]:
        """Run each cell over all steps, so that the products of the next one can be one product."""
        new_states = []
        for position, (cell, cell_states) in enumerate(zip(stack.cells, states, strict=True), 1):
            feeds_next_cell = feeds_another_cell or position < len(stack.cells)
            x, last, new_cell_states = self._run(
                cell, x, as_list(cell_states), mask, training, feeds_another_cell=feeds_next_cell
            )
            if self.go_backwards and feeds_next_cell:
                x = jnp.flip(x, axis=0)  # in the order of the steps, not of execution
            new_states.append(
                new_cell_states if isinstance(cell_states, (list, tuple)) else new_cell_states[0]
            )
        return x, last, new_states

    # -- states ----------------------------------------------------------------------------------

    def get_initial_state(self, batch_size: int) -> list:
        """The initial states of the cell, a list with one entry for each state.

        Args:
            batch_size: Number of samples.

        Returns:
            The list.
        """
        return as_list(initial_state_of(self.cell, batch_size))

    def reset_state(self) -> None:
        """Reset the states of a stateful layer to zeros."""
        for variable in jax.tree.leaves(self.states):
            variable.assign(jnp.zeros_like(variable.value))

    def reset_states(self) -> None:
        """Alias of `reset_state`."""
        self.reset_state()

    def _create_states(self, sequences_shape: Shape) -> None:
        batch = sequences_shape[0]
        if batch is None:
            raise ValueError(
                f"{self._label} is stateful and must know the size of the batches; received shape "
                f"{tuple(sequences_shape)}.\n  Fix: put lamina.Input(shape, batch_size=32) in "
                "front, for batches of 32."
            )
        states = jax.tree.map(
            lambda x: Variable(x, dtype=self.variable_dtype, trainable=False, name="rnn_state"),
            self.get_initial_state(batch),
        )
        object.__setattr__(self, "states", states)

    def _initial_states(self, sequences: Array, initial_state: Any) -> list:
        batch = sequences.shape[0]
        if self.stateful and jax.tree.leaves(self.states)[0].shape[0] != batch:
            size = jax.tree.leaves(self.states)[0].shape[0]
            raise ValueError(
                f"{self._label} is stateful for batches of {size} and received one of {batch}.\n"
                "  Fix: give it whole batches only, e.g. cut the data to a multiple of the batch "
                "size and call fit(…, batch_size=…, shuffle=False)."
            )
        expected_states = jax.eval_shape(lambda: self.get_initial_state(batch))
        if initial_state is None and self.stateful:
            initial_state = jax.tree.map(lambda v: v.value, self.states)
        elif initial_state is None:
            initial_state = self.get_initial_state(batch)
        flat = jax.tree.leaves(initial_state)
        expected_shapes = [state.shape for state in jax.tree.leaves(expected_states)]
        if [jnp.shape(state) for state in flat] != expected_shapes:
            raise ValueError(
                f"{self._label}: initial_state does not fit the cell.\n"
                f"  Received: {len(flat)} of shapes {[jnp.shape(state) for state in flat]}.\n"
                f"  Expected: {len(expected_shapes)} of shapes {expected_shapes}."
            )
        flat = [
            jnp.asarray(state, shape.dtype)
            for state, shape in zip(flat, jax.tree.leaves(expected_states), strict=True)
        ]
        return jax.tree.unflatten(jax.tree.structure(expected_states), flat)

    # -- shapes and masks ------------------------------------------------------------------------

    def compute_output_shape(
        self, sequences_shape: Shape, initial_state_shape: Shapes = None
    ) -> Shapes:
        self._check(sequences_shape)
        batch, time = sequences_shape[:2]
        size = output_size_of(self.cell)
        if not isinstance(size, int):
            raise ValueError(
                f"{self._label}: the cell's output_size must be an integer; received {size!r}."
            )
        output = (batch, time, size) if self.return_sequences else (batch, size)
        if not self.return_state:
            return output
        return (output, *jax.tree.map(lambda units: (batch, units), self.state_size))

    def compute_mask(self, sequences: Inputs, mask: Masks) -> Masks:
        """The mask of the output: that of the sequences with `return_sequences`, else none.

        Args:
            sequences: The sequences that the layer is called on.
            mask: Their mask, `(batch, steps)`, or None.

        Returns:
            A mask, or a list with one for every output; None where there is none.
        """
        mask = next(iter(jax.tree.leaves(mask)), None)
        output_mask = mask if self.return_sequences else None
        return [output_mask, *(None for _ in self.state_size)] if self.return_state else output_mask

    def _time_major_mask(self, mask: Any, sequences: Array) -> Array | None:
        """The mask in the order of the loop, `(time, batch)`."""
        mask = next(iter(jax.tree.leaves(mask)), None)
        if mask is None:
            return None
        mask = jnp.asarray(mask)
        if mask.ndim < 2 or mask.shape[:2] != sequences.shape[:2]:
            raise ValueError(
                f"{self._label}: the mask must have the shape (batch, time) of the input.\n"
                f"  Received: a mask of shape {mask.shape} for inputs of shape {sequences.shape}."
            )
        step_mask = mask.astype(bool).reshape(*mask.shape[:2], -1).any(axis=-1)
        return step_mask.T

    def _check(self, shape: Any) -> None:
        if not is_shape(shape):
            raise ValueError(
                f"{self._label} takes one sequence and received several inputs.\n"
                "  Fix: give states by name, layer(x, initial_state=[…])."
            )
        if len(shape) < 3:
            raise ValueError(
                f"{self._label} needs inputs (batch, time, ...) of at least 3 axes and received "
                f"shape {tuple(shape)}.\n  Fix: x[..., None] makes a sequence of one number per "
                "step of each row, x[:, None] a single step of it."
            )

    # -- config ----------------------------------------------------------------------------------

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            **settings_of(self, *_FLAGS),
            "cell": registry.serialize(self.cell),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: Mapping | None = None) -> "RNN":
        """A new layer with the settings that `get_config` gave, not yet built.

        Args:
            config: Arguments of the constructor; the cell is serialized.
            custom_objects: Classes and functions by name that are not in Lamina.

        Returns:
            A layer with new weights.
        """
        if "cell" in config:
            config = {**config, "cell": registry.deserialize(config["cell"], custom_objects)}
        return super().from_config(config)
