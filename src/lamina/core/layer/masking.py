"""Masks that travel with tensors: which time steps of a padded batch are real.

A mask is `(batch, time)`, True where a step counts. Real arrays carry theirs as an attribute, and
so do the symbolic tensors of a functional model, so that its layers know while it is drawn that
there will be one. Traced arrays cannot, so their masks are kept in a table beside them until the
trace is over.
"""

from typing import Any

import jax

from lamina.core.configuration.context import context
from lamina.core.graph.keras_tensor import KerasTensor


def get_mask(x: Any) -> Any:
    """The mask of a tensor, or None."""
    if isinstance(x, jax.core.Tracer):
        entry = context.masks.get(id(x))
        return None if entry is None else entry[1]
    return getattr(x, "_keras_mask", None)


def set_mask(x: Any, mask: Any) -> None:
    """Let a mask travel with a tensor (a symbolic one with a symbolic tensor)."""
    if isinstance(x, jax.core.Tracer):
        context.masks[id(x)] = (x, mask)
    elif isinstance(x, (jax.Array, KerasTensor)):
        x._keras_mask = mask  # type: ignore[union-attr]


def forget_masks() -> None:
    """Empty the table of masks, unless more of the same trace is to come."""
    if context.bound is None:
        context.masks.clear()


def keeping_mask(before: Any, after: Any) -> Any:
    """`after`, with the mask that `before` carried."""
    mask = get_mask(before)
    if mask is not None:
        set_mask(after, mask)
    return after


def get_masks(structure: Any) -> Any:
    """The masks of all tensors in a structure; None if no tensor has one."""
    masks = jax.tree.map(get_mask, structure)
    return masks if jax.tree.leaves(masks) else None


def set_masks(structure: Any, masks: Any) -> None:
    """Let masks travel with the tensors of a structure that have none yet.

    A single mask belongs to the first tensor: a layer that also gives its states returns them
    after the sequence.
    """
    flat = jax.tree.leaves(masks, is_leaf=lambda mask: mask is None)
    for tensor, mask in zip(jax.tree.leaves(structure), flat, strict=False):
        if mask is not None and get_mask(tensor) is None:
            set_mask(tensor, mask)
