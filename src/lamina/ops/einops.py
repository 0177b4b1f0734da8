"""Axes rearranged by name, in the notation of einops."""

import math
import re

import jax.numpy as jnp

from lamina.core.types import Array, ArrayLike
from lamina.ops.arrays import as_array
from lamina.ops.define import operations

__all__ = ["rearrange"]

op = operations("einops")

_GROUP = re.compile(r"\(([^()]*)\)|(\S+)")


@op()
def rearrange(tensor: ArrayLike, pattern: str, **axes_lengths: int) -> Array:
    """Transposes, splits and merges axes by their names.

    Args:
        tensor: Any array.
        pattern: Names of the axes before and after, e.g. `"b h w c -> b c h w"`. Parentheses
            merge axes on the right, `"b (h w) c"`, and split them on the left.
        **axes_lengths: Sizes of axes that are split off, e.g. `h=2`; one size of each
            group may be left out.

    Returns:
        Array of the same values.

    Raises:
        ValueError: If names or sizes do not fit.

    Source: Rogozhnikov, 2022, "Einops: Clear and Reliable Tensor Manipulations with
    Einstein-like Notation", ICLR.

    Example:
        >>> rearrange(jnp.arange(4), "(rows columns) -> columns rows", rows=2).tolist()
        [[0, 2], [1, 3]]
    """
    x = as_array(tensor)
    before, arrow, after = pattern.partition("->")
    groups, groups_after = _groups(before), _groups(after)
    names = [name for group in groups for name in group]
    new_names = [name for group in groups_after for name in group]
    if not arrow or len(set(names)) < len(names) or sorted(names) != sorted(new_names):
        raise ValueError(
            f"rearrange needs every axis once on both sides of '->'; received {pattern!r}."
        )
    if len(groups) != x.ndim:
        raise ValueError(f"rearrange {pattern!r} names {len(groups)} axes of shape {x.shape}.")
    sizes: dict[str, int] = {}
    for group, size in zip(groups, x.shape, strict=True):
        sizes.update(_sizes(group, size, axes_lengths, pattern))
    split = jnp.reshape(x, [sizes[name] for name in names])
    transposed = jnp.transpose(split, [names.index(name) for name in new_names])
    return jnp.reshape(
        transposed, [math.prod(sizes[name] for name in group) for group in groups_after]
    )


def _groups(side: str) -> list[list[str]]:
    return [(joined or single).split() for joined, single in _GROUP.findall(side)]


def _sizes(
    group: list[str], size: int, known_sizes: dict[str, int], pattern: str
) -> dict[str, int]:
    """The sizes of the axes that one axis is split into."""
    names_without_size = [name for name in group if name not in known_sizes]
    known_product = math.prod(known_sizes[name] for name in group if name in known_sizes)
    if len(names_without_size) > 1:
        raise ValueError(
            f"rearrange {pattern!r} needs sizes of all but one of {', '.join(names_without_size)}."
        )
    if size % known_product or (not names_without_size and size != known_product):
        raise ValueError(f"rearrange {pattern!r} cannot split an axis of {size} by {known_sizes}.")
    return {name: known_sizes.get(name, size // known_product) for name in group}
