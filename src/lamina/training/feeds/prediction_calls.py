"""How `predict` divides rows over calls of a few compiled programs, for any number of rows."""

import functools
from typing import Any

import jax
import numpy as np

from lamina.core.types import PyTree

# The most batches that one call of a program computes.
_BATCHES = 64


@functools.lru_cache(maxsize=4096)
def padded_calls(total: int, batch_size: int, by_step: bool, fixed: bool) -> list[tuple[int, int]]:
    """The calls that compute a number of rows: how many rows each takes, and its padded size.

    Programs are compiled for a few sizes only: 1, 8, 32, 256 and 2,048 rows for batches of 32. Each
    takes memory: docs/performance.md, `sizes-of-predictions`.

    Args:
        total: Number of rows.
        batch_size: Rows in a batch.
        by_step: Whether every batch gets a call of its own.
        fixed: Whether the model takes batches of one size only.
    """
    longest = batch_size * (1 if by_step else _BATCHES)
    if fixed:
        taken = [min(longest, total - at) for at in range(0, total, longest)]
        return [(n, n if n < batch_size else -(-n // batch_size) * batch_size) for n in taken]
    found: list[tuple[int, int]] = []
    left, computed = total, 0
    while left:
        above, size = _neighbours(left, batch_size, longest)
        # Choose between one more call, perhaps of a new program, and some padding.
        used = found[-1][1] if found else 0
        if used >= left and computed + used <= 1.5 * total:
            size = used
        elif above is not None:
            spare = 2 if above <= batch_size else 1.25
            if by_step or above <= spare * left:
                size = above
        rows = min(left, size)
        found.append((rows, size))
        left, computed = left - rows, computed + size
    return found


@functools.lru_cache(maxsize=4096)
def exact_calls(total: int, batch_size: int, by_step: bool) -> list[tuple[int, int]]:
    """The calls for rows that depend on each other: whole batches, and a shorter last batch.

    There is one program for many batches, one for a few, and one for a single batch.
    """
    counts = (1,) if by_step else (_BATCHES, 8, 1)
    found, left = [], total
    while left >= batch_size:
        rows = next(count * batch_size for count in counts if count * batch_size <= left)
        found.append((rows, rows))
        left -= rows
    return [*found, (left, left)] if left else found


@functools.lru_cache(maxsize=4096)
def keeps_batches(total: int, batch_size: int, asked: int, by_step: bool, fixed: bool) -> bool:
    """Whether `padded_calls` computes exactly the batches of the requested size, unpadded."""
    left = total
    for rows, size in padded_calls(total, batch_size, by_step, fixed):
        batch = min(size, batch_size)
        if rows != size or batch != min(asked, left):
            return False
        left -= rows
    return True


def _neighbours(rows: int, batch_size: int, longest: int) -> tuple[int | None, int]:
    """The smallest program size above a number of rows, if any, and the largest up to it."""
    above = None
    for size in _sizes(batch_size, longest):
        if size <= rows:
            return above, size
        above = size
    raise ValueError(f"There are no programs for {rows} rows.")


@functools.cache
def _sizes(batch_size: int, longest: int) -> list[int]:
    """The numbers of rows that programs are made for, the largest first."""
    sizes = [longest] if longest == batch_size else [longest, batch_size * 8, batch_size]
    while sizes[-1] >= 16:
        sizes.append(sizes[-1] // 4)
    return [*sizes, 1] if sizes[-1] > 1 else sizes


def padded(array: Any, size: int) -> PyTree:
    missing = size - array.shape[0]
    if missing == 0:
        return array
    if isinstance(array, jax.Array):
        array = np.asarray(array)
    # Repeat the last row: a layer might not accept zeros.
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])
