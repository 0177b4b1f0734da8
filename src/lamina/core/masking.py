"""Masks that travel with tensors: which time steps of a padded batch are real.

A mask is `(batch, time)`, True where a step counts. Real arrays carry theirs as an attribute.
Traced arrays cannot, so inside one outermost call masks are kept in a table beside them.
"""

import threading
from typing import Any

import jax


class _Table(threading.local):
    def __init__(self) -> None:
        # id of a tracer → (the tracer, kept alive so that the id stays its own; its mask)
        self.masks: dict[int, tuple[Any, Any]] = {}


_table = _Table()


def get_mask(x: Any) -> Any:
    """The mask of a tensor, or None."""
    if isinstance(x, jax.core.Tracer):
        entry = _table.masks.get(id(x))
        return None if entry is None or entry[0] is not x else entry[1]
    return getattr(x, "_keras_mask", None)


def set_mask(x: Any, mask: Any) -> None:
    """Let a mask travel with a tensor."""
    if isinstance(x, jax.core.Tracer):
        _table.masks[id(x)] = (x, mask)
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
    """Let masks travel with all tensors of a structure (None where there is none)."""
    definition: Any
    tensors, definition = jax.tree.flatten(structure)
    if len(tensors) == 1:
        flat = [masks]
    elif isinstance(masks, (list, tuple, dict)):
        flat = definition.flatten_up_to(masks)
    else:
        return
    for tensor, mask in zip(tensors, flat, strict=True):
        if mask is not None:
            set_mask(tensor, mask)


def forget_masks() -> None:
    """Empty the table: an outermost call is over and its tracers are gone."""
    _table.masks.clear()
