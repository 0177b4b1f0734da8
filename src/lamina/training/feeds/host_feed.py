"""Feeds for arrays in RAM or in a memory-mapped file that are too large to stay on the device."""

import mmap
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.types import PyTree
from lamina.training import checks
from lamina.training.feeds.chunks import (
    Buffers,
    Chunk,
    example_chunk,
    prefetch,
    stack_batches,
    steps_in_chunk,
    with_length,
)
from lamina.training.feeds.conversion import (
    convert,
    pack_x_y_sample_weight,
    size_in_bytes,
    to_array,
    unpack_x_y_sample_weight,
)
from lamina.training.feeds.feed import FeedOptions
from lamina.training.feeds.resident_feed import ResidentFeed

# Targets up to this size are checked as a whole before the first step.
_MOST_BYTES_CHECKED = 256 * 2**20
# To gather small rows at random from more memory than the cache holds takes longer than to compute
# with them. Then a thread gathers them: docs/performance.md, `small-rows`.
_BYTES_OF_SMALL_ROW = 256
_BYTES_BEYOND_CACHE = 48 * 2**20


class HostFeed(ResidentFeed):
    """Sends the batches of large arrays in chunks; their order is that of a `ResidentFeed`."""

    def example(self) -> tuple[Any, Any, Any]:
        x, y, sample_weight = unpack_x_y_sample_weight(self.host)

        def head(part: Any) -> PyTree:
            return jax.tree.map(lambda a: a[: self.batch_size], part)

        checks.fits_in_budget(size_in_bytes(head(self.host)), self.batch_size)
        if size_in_bytes(y) > _MOST_BYTES_CHECKED:
            y = head(y)
        return self.options.prepare(convert(head(x), text=True)), convert(y), sample_weight

    def use_batch_size(self, batch_size: Callable[[int], int]) -> None:
        pass  # chunks are limited in bytes, and the analysis of the rows was made for these batches

    def first_chunk(self) -> Chunk:
        return example_chunk(self.example(), self.batch_size, self.options.placement.put_batch)

    # Whether all rows have passed the checks. One epoch is enough.
    _all_checked = False

    def _chunks_of(self, order: Any, first: int, last: int) -> Iterator[Chunk]:
        chunks = self._gathered(order, first, last)
        yield from prefetch(chunks, self.options.placement.put_batch, lambda: self.interrupted())
        self._all_checked = self._all_checked or last == self.steps_in_pass

    def _check_rows(self, data: PyTree, rows: slice | np.ndarray) -> None:
        """Check rows before they are used, once in a run.

        Args:
            data: The rows, perhaps followed by unused ones.
            rows: Their numbers in the user's arrays.
        """
        if self._all_checked:
            return
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(self.samples))

        def check(part: slice) -> None:
            self.check(*unpack_x_y_sample_weight(jax.tree.map(lambda a: a[part], data)))

        try:
            check(slice(len(rows)))
        except ValueError as error:
            for i, row in enumerate(rows):
                try:
                    check(slice(i, i + 1))
                except ValueError as of_one:
                    # A wrong label is explained best with all labels, a NaN with its own row.
                    chosen = of_one if _is_not_finite(data, i) else error
                    chosen.add_note(f"  In row {int(row)} (from 0) of the data.")
                    raise chosen from None
            raise

    def _gathered(self, order: Any, first: int, last: int) -> Iterator[Chunk]:
        size, whole = self.batch_size, self.samples // self.batch_size
        one = jax.tree.map(lambda a: to_array(a[:1]), self.host)
        count = steps_in_chunk(size_in_bytes(one) * size)
        buffers = Buffers()
        for start in range(first, min(last, whole), count):
            stop = min(last, whole, start + count)
            rows = slice(start * size, stop * size)
            data, positions = self._rows(order, rows, count * size, buffers)
            yield Chunk(data, positions, size, 0, stop - start)
        if last > whole:
            rest = self.samples - whole * size
            data, positions = self._rows(order, slice(whole * size, None), rest, Buffers())
            yield Chunk(data, positions, rest, 0, 1)

    def _rows(self, order: Any, rows: slice, capacity: int, buffers: Buffers) -> tuple[Any, Any]:
        """Copy rows of all arrays to buffers of `capacity` rows.

        Returns:
            The arrays, and the position of each row in them; None if the rows are in order.
        """
        leaves, structure = jax.tree.flatten(self.host)
        picked, positions = None if order is None else order[rows], None
        mapped = [file for leaf in leaves if (file := _mapped_file(leaf)) is not None]
        if mapped and picked is not None:
            # A file is read in the order of its rows; the program restores the order of the epoch.
            sorted_order = np.argsort(picked)
            picked, positions = picked[sorted_order], np.empty(len(picked), np.int32)
            positions[sorted_order] = np.arange(len(picked), dtype=np.int32)
            positions = self.options.placement.put_batch(with_length(positions, capacity))
        for file in mapped:
            _check_still_whole(file)
        taken = buffers.take(
            [((capacity, *a.shape[1:]), to_array(np.asarray(a[:0])).dtype) for a in leaves]
        )
        for target, source in zip(taken, map(np.asarray, leaves), strict=True):
            if source.dtype != target.dtype:
                part = to_array(source[rows if picked is None else picked])
                target[: len(part)] = part
            elif picked is None:
                part = source[rows]
                target[: len(part)] = part
            else:
                # With `clip`, NumPy writes to the target directly; all numbers are in range.
                np.take(source, picked, axis=0, out=target[: len(picked)], mode="clip")
        data = jax.tree.unflatten(structure, taken)
        self._check_rows(data, rows if picked is None else picked)
        return data, positions


class SmallRowsFeed(HostFeed):
    """For many small rows, which a thread gathers while the device computes.

    The data would fit on the device, but the program would take longer to gather the rows.
    """

    _all_checked = True  # by `example`, which has all rows

    def example(self) -> tuple[Any, Any, Any]:
        return ResidentFeed.example(self)

    def first_chunk(self) -> Chunk:
        return ResidentFeed.first_chunk(self)

    @staticmethod
    def suits(arrays: PyTree, options: FeedOptions) -> bool:
        """Whether a thread gathers the rows faster than the program would."""
        leaves = jax.tree.leaves(arrays)
        shuffle, batch_size = options.shuffle, options.batch_size
        if not shuffle or shuffle == "batch" or options.placement.platform != "cpu":
            return False
        if any(type(leaf) is not np.ndarray for leaf in leaves):
            return False
        size, samples = size_in_bytes(leaves), len(leaves[0])
        many = size > _BYTES_BEYOND_CACHE and batch_size < samples
        return many and size <= samples * _BYTES_OF_SMALL_ROW


class BatchwiseFeed(HostFeed):
    """For text and sparse matrices, which are converted to numbers batch by batch."""

    def _gathered(self, order: Any, first: int, last: int) -> Iterator[Chunk]:
        def batch(step: int) -> PyTree:
            rows: Any = slice(step * self.batch_size, (step + 1) * self.batch_size)
            picked = rows if order is None else order[rows]
            one = jax.tree.map(lambda a: np.asarray(a[picked]), self.host)
            x, y, sample_weight = unpack_x_y_sample_weight(one)
            data = pack_x_y_sample_weight(self.options.prepare(x), y, sample_weight)
            self._check_rows(data, picked)
            return data

        return stack_batches(batch(step) for step in range(first, last))


def _is_not_finite(data: PyTree, row: int) -> bool:
    floats = [a for a in jax.tree.leaves(data) if jnp.issubdtype(a.dtype, jnp.floating)]
    return not all(np.isfinite(array[row]).all() for array in floats)


def _mapped_file(array: Any) -> mmap.mmap | None:
    """The file behind a memory-mapped array, or a view of one."""
    return getattr(array, "_mmap", None) if isinstance(array, np.memmap) else None


def _check_still_whole(file: mmap.mmap) -> None:
    # To read beyond its end would kill the process without a message.
    if file.size() < len(file):
        raise OSError(
            f"A memory-mapped file was shortened while it was read: {len(file):,} bytes were "
            f"mapped, and {file.size():,} are left.\n"
            "  Likely cause: another program writes the file anew.\n"
            "  Fix: write to another name and rename it, then load it again. The model keeps what "
            "it has learned."
        )
