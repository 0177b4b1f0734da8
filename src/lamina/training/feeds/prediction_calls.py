"""Divides the rows of `predict` into calls of a few compiled programs, for any number of rows.

A program is compiled for a fixed number of rows. With padding, a few programs suffice.
"""

import functools
from typing import Any

import jax
import numpy as np

from lamina.core.types import PyTree

# The largest number of batches in one call of a program.
_MAX_BATCHES = 64


@functools.lru_cache(maxsize=4096)
def plan_padded_calls(
    total: int, batch_size: int, by_step: bool, is_batch_size_fixed: bool
) -> list[tuple[int, int]]:
    """The calls for a number of rows, as pairs: the number of rows, and its padded size.

    Programs are compiled for a few sizes only: 1, 8, 32, 256 and 2,048 rows for batches of 32. Each
    program needs memory; see `sizes-of-predictions` in docs/performance.md.

    Args:
        total: Number of rows.
        batch_size: Rows in a batch.
        by_step: Whether every batch is a separate call.
        is_batch_size_fixed: Whether the model accepts only one batch size.
    """
    max_rows = batch_size * (1 if by_step else _MAX_BATCHES)
    if is_batch_size_fixed:
        row_counts = [min(max_rows, total - start) for start in range(0, total, max_rows)]
        return [(n, n if n < batch_size else -(-n // batch_size) * batch_size) for n in row_counts]
    calls: list[tuple[int, int]] = []
    rows_left, computed = total, 0
    while rows_left:
        larger, size = _neighbouring_sizes(rows_left, batch_size, max_rows)
        # Weigh padding against another call, possibly of a new program.
        last_size = calls[-1][1] if calls else 0
        if last_size >= rows_left and computed + last_size <= 1.5 * total:
            size = last_size
        elif larger is not None:
            max_padding = 2 if larger <= batch_size else 1.25
            if by_step or larger <= max_padding * rows_left:
                size = larger
        rows = min(rows_left, size)
        calls.append((rows, size))
        rows_left, computed = rows_left - rows, computed + size
    return calls


@functools.lru_cache(maxsize=4096)
def plan_exact_calls(total: int, batch_size: int, by_step: bool) -> list[tuple[int, int]]:
    """The calls if rows depend on each other: batches without padding, the last one may be shorter.

    There is one program for many batches, one for a few, and one for a single batch.
    """
    counts = (1,) if by_step else (_MAX_BATCHES, 8, 1)
    calls, rows_left = [], total
    while rows_left >= batch_size:
        rows = next(count * batch_size for count in counts if count * batch_size <= rows_left)
        calls.append((rows, rows))
        rows_left -= rows
    return [*calls, (rows_left, rows_left)] if rows_left else calls


@functools.lru_cache(maxsize=4096)
def padded_calls_keep_batches(
    total: int, batch_size: int, requested: int, by_step: bool, is_batch_size_fixed: bool
) -> bool:
    """Whether `plan_padded_calls` computes batches of the requested size, without padding."""
    rows_left = total
    for rows, size in plan_padded_calls(total, batch_size, by_step, is_batch_size_fixed):
        batch = min(size, batch_size)
        if rows != size or batch != min(requested, rows_left):
            return False
        rows_left -= rows
    return True


def _neighbouring_sizes(rows: int, batch_size: int, max_rows: int) -> tuple[int | None, int]:
    """The smallest program size above `rows`, if any, and the largest that is not above it."""
    larger = None
    for size in _sizes(batch_size, max_rows):
        if size <= rows:
            return larger, size
        larger = size
    raise ValueError(f"There are no programs for {rows} rows.")


@functools.cache
def _sizes(batch_size: int, max_rows: int) -> list[int]:
    """The numbers of rows for which programs are compiled, in descending order."""
    sizes = [max_rows] if max_rows == batch_size else [max_rows, batch_size * 8, batch_size]
    while sizes[-1] >= 16:
        sizes.append(sizes[-1] // 4)
    return [*sizes, 1] if sizes[-1] > 1 else sizes


def pad_rows(array: Any, size: int) -> PyTree:
    """Pad an array to `size` rows."""
    missing = size - array.shape[0]
    if missing == 0:
        return array
    if isinstance(array, jax.Array):
        array = np.asarray(array)
    # Repeat the last row: a layer might not accept zeros.
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])
