"""Masks of tensors: which time steps of a padded batch are data.

A mask is `(batch, time)`, True for data and False for padding. Arrays store their mask as an
attribute. So do the symbolic tensors of a functional model, so that its layers know when the graph
is built that there will be a mask. Traced arrays cannot have attributes, so their masks are
kept in a table until the trace ends.
"""

from typing import Any

import jax

from lamina.core.configuration.context import context
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.types import Masks, PyTree


def get_mask(x: PyTree) -> Masks:
    """The mask of a tensor, or None."""
    if isinstance(x, jax.core.Tracer):
        entry = context.masks.get(id(x))
        return None if entry is None else entry[1]
    return getattr(x, "_keras_mask", None)


def set_mask(x: Any, mask: Any) -> None:
    """Attach a mask to a tensor (a symbolic mask to a symbolic tensor)."""
    if isinstance(x, jax.core.Tracer):
        context.masks[id(x)] = (x, mask)
    elif isinstance(x, (jax.Array, KerasTensor)):
        x._keras_mask = mask  # type: ignore[union-attr]


def clear_masks() -> None:
    """Clear the table of masks, unless a trace is running."""
    if context.bindings is None:
        context.masks.clear()


def with_mask_of(source: Any, tensor: Any) -> Any:
    """`tensor`, with the mask of `source`."""
    mask = get_mask(source)
    if mask is not None:
        set_mask(tensor, mask)
    return tensor


def get_masks(structure: PyTree) -> Masks:
    """The masks of all tensors in a structure; None if no tensor has one."""
    masks = jax.tree.map(get_mask, structure)
    return masks if jax.tree.leaves(masks) else None


def set_masks(structure: Any, masks: Any) -> None:
    """Attach masks to the tensors of a structure that have none yet.

    A single mask belongs to the first tensor, because a layer that also returns its states returns
    them after the sequence.
    """
    flat = jax.tree.leaves(masks, is_leaf=lambda mask: mask is None)
    for tensor, mask in zip(jax.tree.leaves(structure), flat, strict=False):
        if mask is not None and get_mask(tensor) is None:
            set_mask(tensor, mask)
