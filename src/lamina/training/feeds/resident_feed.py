"""ResidentFeed: data that stay on the device, if they fit into the budget for resident data."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from lamina.core.types import PyTree
from lamina.training.feeds.chunks import Chunk
from lamina.training.feeds.conversion import number_of_samples, unpack_x_y_sample_weight
from lamina.training.feeds.epoch_order import epoch_order
from lamina.training.feeds.epochs import BatchRange, batches_of_epoch
from lamina.training.feeds.feed import FeedOptions
from lamina.training.feeds.random_states import RandomStates


class ResidentFeed:
    """Arrays that are put on the device once.

    Args:
        arrays: Structure of arrays with one row per sample.
        options: How to iterate over them.
    """

    def __init__(self, arrays: PyTree, options: FeedOptions):
        self.host = arrays
        self.options = options
        self.samples = number_of_samples(*unpack_x_y_sample_weight(arrays))
        self.batch_size = options.batch_size
        self.seed = options.seed
        self.steps_in_pass = -(-self.samples // self.batch_size)
        self.steps = self.steps_in_pass if options.steps is None else options.steps
        self.first_epoch = 0
        self.exhausted = False
        self.random_states = RandomStates()
        self.interrupted: Callable[[], bool] = lambda: False
        # Set by the engine: checks rows that were not in the example, before they are used.
        self.check: Callable[[Any, Any, Any], None] = lambda x, y, sample_weight: None
        self._data: Any = None
        self._skipped = 0

    def use_batch_size(self, batch_size: Callable[[int], int]) -> None:
        self.batch_size = batch_size(self.samples)
        self.steps = self.steps_in_pass = -(-self.samples // self.batch_size)

    def first_chunk(self) -> Chunk:
        skipped = self._skipped
        chunk = next(iter(self.chunks(self.first_epoch)))
        self._skipped = skipped
        return chunk

    is_drawing = False

    def random_state_after(self, epoch: int, steps: int) -> np.ndarray | None:
        return None

    def example(self) -> tuple[Any, Any, Any]:
        return unpack_x_y_sample_weight(self.host)

    def draw(self, most: int) -> tuple[Any, Any, Any] | None:
        arrays = self.host
        if self.samples > most:
            rows = self.drawn_rows(most)
            arrays = jax.tree.map(lambda array: array[rows], arrays)
        return unpack_x_y_sample_weight(arrays)

    def drawn_rows(self, most: int) -> np.ndarray:
        if self.samples <= most:
            return np.arange(self.samples)
        return np.sort(np.random.default_rng(self.seed).choice(self.samples, most, replace=False))

    @property
    def data(self) -> PyTree:
        if self._data is None:
            self._data = self.options.placement.put_data(self.host)
        return self._data

    def skip(self, epochs: int, steps: int) -> None:
        self._skipped = steps

    def skip_evaluations(self, count: int) -> None:
        pass

    def _batch_range(self, epoch: int) -> BatchRange:
        return batches_of_epoch(epoch, self.first_epoch, self.steps, self.steps_in_pass)

    def steps_in(self, epoch: int) -> int:
        _, first, last = self._batch_range(epoch)
        return last - first

    def chunks(self, epoch: int) -> Iterator[Chunk]:
        skipped, self._skipped = self._skipped, 0
        pass_number, first, last = self._batch_range(epoch)
        if first + skipped < last:
            order = epoch_order(
                self.samples, self.batch_size, self.options.shuffle, self.seed, pass_number
            )
            yield from self._chunks_of(order, first + skipped, last)

    def evaluation_chunks(self) -> Iterator[Chunk]:
        return self.chunks(self.first_epoch)

    def _chunks_of(self, order: Any, first: int, last: int) -> Iterator[Chunk]:
        full_batches = self.samples // self.batch_size
        placement = self.options.placement
        on_device = None if order is None else placement.put_batch(order)
        if first < min(last, full_batches):
            yield Chunk(self.data, on_device, self.batch_size, first, min(last, full_batches))
        if last > full_batches:
            start_row = full_batches * self.batch_size
            rows, short_size = slice(start_row, None), self.samples - start_row
            if order is None:
                batch = placement.put_data(jax.tree.map(lambda a: np.asarray(a[rows]), self.host))
                yield Chunk(batch, None, short_size, 0, 1)
            else:
                yield Chunk(self.data, placement.put_batch(order[rows]), short_size, 0, 1)
