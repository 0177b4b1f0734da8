"""Masks that travel with tensors: which time steps of a padded batch are real.

A mask is `(batch, time)`, True where a step counts. Real arrays carry theirs as an attribute.
Traced arrays cannot, so their masks are kept in a table beside them, for as long as they live.
"""

import threading
import weakref
from typing import Any

import jax


class _Table(threading.local):
    def __init__(self) -> None:
        # id of a tracer → (a reference that empties its entry, the mask)
        self.masks: dict[int, tuple[weakref.ref, Any]] = {}


_table = _Table()


def get_mask(x: Any) -> Any:
    """The mask of a tensor, or None."""
    if isinstance(x, jax.core.Tracer):
        entry = _table.masks.get(id(x))
        return None if entry is None else entry[1]
    return getattr(x, "_keras_mask", None)


def set_mask(x: Any, mask: Any) -> None:
    """Let a mask travel with a tensor."""
    if isinstance(x, jax.core.Tracer):
        masks, key = _table.masks, id(x)
        masks[key] = (weakref.ref(x, lambda _: masks.pop(key, None)), mask)
    elif isinstance(x, jax.Array):
        x._keras_mask = mask  # type: ignore[attr-defined]


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
