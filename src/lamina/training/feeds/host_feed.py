"""Feeds for arrays in memory, or in a memory-mapped file, that do not stay on the device.

`choice.py` selects them. A thread gathers the rows of the next chunk while the device trains on the
current one.
"""

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
    extend_rows,
    prefetch,
    stack_batches,
    steps_in_chunk,
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

# Targets up to this size are all checked before the first step.
_MAX_BYTES_CHECKED = 256 * 2**20
# Gathering small rows at random from an array larger than the processor's cache takes longer than
# computing with them. In this case a thread gathers them; see `small-rows` in docs/performance.md.
_SMALL_ROW_BYTES = 256
_CACHE_BYTES = 48 * 2**20


class HostFeed(ResidentFeed):
    """Copies large arrays to the device in chunks, in the order that a `ResidentFeed` has."""

    def example(self) -> tuple[Any, Any, Any]:
        x, y, sample_weight = unpack_x_y_sample_weight(self.host_arrays)

        def first_batch(arrays: PyTree) -> PyTree:
            return jax.tree.map(lambda a: a[: self.batch_size], arrays)

        checks.warn_of_large_batch(size_in_bytes(first_batch(self.host_arrays)), self.batch_size)
        if size_in_bytes(y) > _MAX_BYTES_CHECKED:
            y = first_batch(y)
        return self.options.prepare(convert(first_batch(x), text=True)), convert(y), sample_weight

    def use_batch_size(self, batch_size: Callable[[int], int]) -> None:
        pass  # the size of chunks is limited in bytes

    def first_chunk(self) -> Chunk:
        return example_chunk(self.example(), self.batch_size, self.options.placement.put_batch)

    # Whether all rows have passed the checks, which is true after one pass.
    _all_checked = False

    def _chunks_of(self, order: Any, first: int, last: int) -> Iterator[Chunk]:
        chunks = self._gather_chunks(order, first, last)
        yield from prefetch(chunks, self.options.placement.put_chunk, lambda: self.interrupted())
        self._all_checked = self._all_checked or last == self.steps_in_pass

    def _check_rows(self, data: PyTree, rows: slice | np.ndarray) -> None:
        """Check rows before their first use in a run.

        Args:
            data: Arrays whose first rows are checked; unused rows may follow.
            rows: The numbers of the rows in the user's arrays.
        """
        if self._all_checked:
            return
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(self.samples))

        def check(rows_of_data: slice) -> None:
            self.check(*unpack_x_y_sample_weight(jax.tree.map(lambda a: a[rows_of_data], data)))

        try:
            check(slice(len(rows)))
        except ValueError as error:
            for i, row in enumerate(rows):
                try:
                    check(slice(i, i + 1))
                except ValueError as row_error:
                    # The error for all labels explains a wrong label best, that for a row a NaN.
                    clearer_error = row_error if _is_not_finite(data, i) else error
                    clearer_error.add_note(f"  In row {int(row)} (from 0) of the data.")
                    raise clearer_error from None
            raise

    def _gather_chunks(self, order: Any, first: int, last: int) -> Iterator[Chunk]:
        size, full_batches = self.batch_size, self.samples // self.batch_size
        first_row = jax.tree.map(lambda a: to_array(a[:1]), self.host_arrays)
        count = steps_in_chunk(size_in_bytes(first_row) * size)
        buffers = Buffers()
        own_rows = self.options.placement.own_rows(size)
        capacity = count * (size if own_rows is None else len(own_rows))
        for start in range(first, min(last, full_batches), count):
            stop = min(last, full_batches, start + count)
            rows = slice(start * size, stop * size)
            data, positions = self._copy_rows(order, rows, capacity, buffers, own_rows)
            yield Chunk(data, positions, size, 0, stop - start, own_rows)
        if last > full_batches:
            start_row = full_batches * size
            short_size = self.samples - start_row
            rows = slice(start_row, None)
            data, positions = self._copy_rows(order, rows, short_size, Buffers())
            yield Chunk(data, positions, short_size, 0, 1)

    def _copy_rows(
        self,
        order: Any,
        rows: slice,
        capacity: int,
        buffers: Buffers,
        own_rows: np.ndarray | None = None,
    ) -> tuple[Any, Any]:
        """Copy rows of all arrays to buffers of `capacity` rows.

        Args:
            order: Row numbers in the order of the epoch; None for the order of the arrays.
            rows: The part of the order to copy.
            capacity: Number of rows in the buffers.
            buffers: The memory to copy to.
            own_rows: Positions in each batch of the rows to copy; None for all.

        Returns:
            The arrays, and the position of each row in them; None if the rows are in order.
        """
        leaves, structure = jax.tree.flatten(self.host_arrays)
        indices, positions = None if order is None else order[rows], None
        # The rows in the order of a file, and their places in the targets.
        in_file: tuple[np.ndarray, np.ndarray] | None = None
        mapped_files = [file for leaf in leaves if (file := _mapped_file(leaf)) is not None]
        if own_rows is not None:
            indices = np.arange(rows.start, rows.stop) if indices is None else indices
            indices = indices.reshape(-1, self.batch_size)[:, own_rows].reshape(-1)
            if mapped_files and order is not None:
                places = np.argsort(indices)
                in_file = indices[places], places
        elif mapped_files and indices is not None:
            # Rows of a file are read in ascending order; the program restores the epoch's order.
            sorted_order = np.argsort(indices)
            indices, positions = indices[sorted_order], np.empty(len(indices), np.int32)
            positions[sorted_order] = np.arange(len(indices), dtype=np.int32)
            positions = self.options.placement.put_batch(extend_rows(positions, capacity))
        for file in mapped_files:
            _check_not_shortened(file)
        targets = buffers.allocate(
            [((capacity, *a.shape[1:]), to_array(np.asarray(a[:0])).dtype) for a in leaves]
        )
        for target, source in zip(targets, map(np.asarray, leaves), strict=True):
            if in_file is not None:
                target[in_file[1]] = to_array(source[in_file[0]])
            elif source.dtype != target.dtype:
                values = to_array(source[rows if indices is None else indices])
                target[: len(values)] = values
            elif indices is None:
                values = source[rows]
                target[: len(values)] = values
            else:
                # With `clip`, NumPy writes to the target directly; all indices are in range.
                np.take(source, indices, axis=0, out=target[: len(indices)], mode="clip")
        data = jax.tree.unflatten(structure, targets)
        self._check_rows(data, rows if indices is None else indices)
        return data, positions


class SmallRowsFeed(HostFeed):
    """For arrays with many small rows, which a thread gathers while the device computes.

    The data would fit on the device, but the program would take longer to gather the rows.
    """

    _all_checked = True  # `example` has all rows, which are checked before the run

    def example(self) -> tuple[Any, Any, Any]:
        return ResidentFeed.example(self)

    def first_chunk(self) -> Chunk:
        return ResidentFeed.first_chunk(self)

    @staticmethod
    def suits(arrays: PyTree, options: FeedOptions) -> bool:
        """Whether a thread gathers the rows faster than a program does."""
        leaves = jax.tree.leaves(arrays)
        shuffle, batch_size = options.shuffle, options.batch_size
        if not shuffle or shuffle == "batch" or options.placement.platform != "cpu":
            return False
        if any(type(leaf) is not np.ndarray for leaf in leaves):
            return False
        size, samples = size_in_bytes(leaves), len(leaves[0])
        exceeds_cache = size > _CACHE_BYTES and batch_size < samples
        return exceeds_cache and size <= samples * _SMALL_ROW_BYTES


class BatchwiseFeed(HostFeed):
    """For text and sparse matrices, which are converted to dense arrays batch by batch."""

    def _gather_chunks(self, order: Any, first: int, last: int) -> Iterator[Chunk]:
        own_rows = self.options.own_rows(self.samples)

        def batch(step: int) -> PyTree:
            start, stop = step * self.batch_size, (step + 1) * self.batch_size
            rows: Any = slice(start, stop)
            if own_rows is not None and stop <= self.samples:
                rows = start + own_rows
            indices = rows if order is None else order[rows]
            arrays = jax.tree.map(lambda a: np.asarray(a[indices]), self.host_arrays)
            x, y, sample_weight = unpack_x_y_sample_weight(arrays)
            data = pack_x_y_sample_weight(self.options.prepare(x), y, sample_weight)
            self._check_rows(data, indices)
            return data

        batches = (batch(step) for step in range(first, last))
        return stack_batches(batches, batch_size=self.batch_size, own_rows=own_rows)


def _is_not_finite(data: PyTree, row: int) -> bool:
    floats = [a for a in jax.tree.leaves(data) if jnp.issubdtype(a.dtype, jnp.floating)]
    return not all(np.isfinite(array[row]).all() for array in floats)


def _mapped_file(array: Any) -> mmap.mmap | None:
    """The file of a memory-mapped array or of a view of one; None for other arrays."""
    return getattr(array, "_mmap", None) if isinstance(array, np.memmap) else None


def _check_not_shortened(file: mmap.mmap) -> None:
    # Reading beyond the end of the file would kill the process without a message.
    if file.size() < len(file):
        raise OSError(
            f"A memory-mapped file was shortened while it was read: {len(file):,} bytes were "
            f"mapped, and {file.size():,} are left.\n"
            "  Likely cause: another program writes the file again.\n"
            "  Fix: write to another name and rename it, then load it again. The model keeps what "
            "it has learned."
        )
