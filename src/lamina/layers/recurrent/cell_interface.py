"""Functions for any recurrent cell: one of Lamina's, a user's layer or a plain object."""

from typing import Any

import jax.numpy as jnp

from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.graph.output_specs import trace_spec
from lamina.core.layer.call_signature import signature_of
from lamina.core.layer.layer import Layer
from lamina.core.types import Array, Shape


def check_cell(cell: Any) -> None:
    """Refuse objects that are not cells."""
    for name, requirement in (
        ("call", "a method call(inputs, states) that returns an output and the new states"),
        ("state_size", "a state_size: an integer, or a list of them, one for each state"),
    ):
        if getattr(cell, name, None) is None:
            raise ValueError(
                f"A recurrent cell needs {requirement}; {type(cell).__name__} has none.\n"
                f"  Received: {cell!r}."
            )


def run_cell(cell: Any, inputs: Array, states: list, training: bool) -> tuple[Array, list]:
    """One step of any cell, with the states as a list."""
    arguments = {}
    if isinstance(cell, Layer) and signature_of(type(cell).call).has_training:
        arguments["training"] = training
    output, states = (cell if callable(cell) else cell.call)(inputs, states, **arguments)
    return output, as_list(states)


def initial_state_of(cell: Any, batch_size: Any) -> Any:
    """The initial states of a cell: its `get_initial_state`, or zeros."""
    if hasattr(cell, "get_initial_state"):
        return cell.get_initial_state(batch_size=batch_size)
    dtype = getattr(cell, "compute_dtype", None)
    if isinstance(cell.state_size, int):
        return jnp.zeros((batch_size, cell.state_size), dtype)
    return [jnp.zeros((batch_size, size), dtype) for size in cell.state_size]


def output_size_of(cell: Any) -> Any:
    """Size of a cell's output: its `output_size`, or the size of its first state."""
    size = getattr(cell, "output_size", None)
    if size is not None:
        return size
    return cell.state_size[0] if isinstance(cell.state_size, (list, tuple)) else cell.state_size


def build_cell(cell: Any, step_shape: Shape) -> None:
    """Make the weights of a cell that is a layer and has none yet.

    Args:
        cell: Any cell.
        step_shape: Shape of the inputs at one time step, `(batch, ...)`.
    """
    if not isinstance(cell, Layer) or cell.built:
        return
    if getattr(type(cell).build, "builds_by_tracing", False):  # only the layers in it have weights
        trace_spec(
            lambda x: run_cell(cell, x, as_list(initial_state_of(cell, x.shape[0])), False),
            KerasTensor(step_shape),
        )
    else:
        cell.build(step_shape)
    cell.built = True


def as_list(states: Any) -> list:
    """The states of a cell as a list, even if there is only one."""
    return list(states) if isinstance(states, (list, tuple)) else [states]
