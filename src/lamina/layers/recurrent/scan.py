"""The loop over time of all recurrent layers: masks, direction and states."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from lamina.core.types import Array
from lamina.core.variable.stateless import stateless, values_of
from lamina.core.variable.variable import Variable, autocast

# `(inputs at a step, states) → (output, new states)`.
Step = Callable[[Any, Any], tuple[Array, Any]]


def scan_steps(
    step: Step,
    inputs: Array,
    states: Any,
    *,
    mask: Array | None = None,
    backwards: bool = False,
    unroll: bool = False,
    zero_masked_outputs: bool = False,
    return_all_outputs: bool = True,
    output_is_state: bool = False,
    variables: Sequence[Variable] = (),
) -> tuple[Array | None, Array, Any, list]:
    """Run a step along the first axis of its inputs, in a compiled loop.

    Where the mask is False, states and output do not change. Before the first step that
    counts, the output is the first state if it has the shape of an output, else 0.

    Args:
        step: `(inputs at a step, states) → (output, new states)`.
        inputs: `(time, batch, ...)`.
        states: Structure of arrays, `(batch, ...)`.
        mask: `(time, batch)`, True where a step counts.
        backwards: Whether to begin with the last step; outputs come in the order of execution.
        unroll: Whether to unroll the loop, which makes compilation slow.
        zero_masked_outputs: Whether the output is 0 where the mask is False, instead of the
            previous output.
        return_all_outputs: Whether to return all outputs, not just the last.
        output_is_state: Whether the output of a step is the first of its new states; then it is
            not carried separately for masked steps.
        variables: Variables that the step assigns, e.g. the state of a random generator.

    Returns:
        All outputs `(time, batch, ...)` or None, the last output, the states after it, and the
        values that the variables then have, for the caller to assign.
    """
    variables = list(variables)
    pure_step = stateless(step, variables)
    with autocast(None):
        values = values_of(variables)
    carries_output = zero_masked_outputs or not output_is_state
    output: Any = None
    if carries_output:
        (shape, _), _ = jax.eval_shape(pure_step, values, inputs[0], states)
        first_state = jax.tree.leaves(states)[0]
        starts_from_state = first_state.shape == shape.shape and not zero_masked_outputs
        output = (
            first_state.astype(shape.dtype)
            if starts_from_state
            else jnp.zeros(shape.shape, shape.dtype)
        )

    def body(carry: tuple, at_step: tuple) -> tuple:
        states, output, values = carry
        x, mask_at_step = at_step
        (new_output, new_states), values = pure_step(values, x, states)
        new_states = jax.tree.map(lambda n, o: n.astype(o.dtype), new_states, states)
        if mask_at_step is not None:
            new_states = jax.tree.map(lambda n, o: _where(mask_at_step, n, o), new_states, states)
            if carries_output:
                masked_output = jnp.zeros_like(new_output) if zero_masked_outputs else output
                new_output = _where(mask_at_step, new_output, masked_output)
        if not carries_output:
            new_output = jax.tree.leaves(new_states)[0]
        carry = new_states, new_output if carries_output else None, values
        return carry, new_output if return_all_outputs else None

    outputs: Any
    carry = (states, output, values)
    (states, output, values), outputs = lax.scan(
        body, carry, (inputs, mask), reverse=backwards, unroll=unroll
    )
    if backwards and return_all_outputs:
        outputs = jnp.flip(outputs, axis=0)
    last = output if carries_output else jax.tree.leaves(states)[0]
    return outputs, last, states, values


def _where(mask: Array, new: Array, old: Array) -> Array:
    """`new` for the samples where the mask is True, else `old`, with any axes after the batch."""
    return jnp.where(mask.reshape(mask.shape + (1,) * (new.ndim - 1)), new, old)
