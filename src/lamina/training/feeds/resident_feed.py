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
    """Arrays that are copied to the device once.

    Args:
        arrays: Structure of arrays with one row per sample.
        options: How to iterate over the arrays.
    """

    def __init__(self, arrays: PyTree, options: FeedOptions):
        self.host_arrays = arrays
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
        # Set by the engine; checks rows that were not in the example, before their first use.
        self.check: Callable[[Any, Any, Any], None] = lambda x, y, sample_weight: None
        self._data: Any = None
        self._steps_to_skip = 0

    def use_batch_size(self, batch_size: Callable[[int], int]) -> None:
        self.batch_size = batch_size(self.samples)
        self.steps = self.steps_in_pass = -(-self.samples // self.batch_size)

    def first_chunk(self) -> Chunk:
        steps_to_skip = self._steps_to_skip
        chunk = next(iter(self.chunks(self.first_epoch)))
        self._steps_to_skip = steps_to_skip
        return chunk

    is_drawing_random_numbers = False

    def random_state_after(self, epoch: int, steps: int) -> np.ndarray | None:
        return None

    def example(self) -> tuple[Any, Any, Any]:
        return unpack_x_y_sample_weight(self.host_arrays)

    def take_samples(self, max_samples: int) -> tuple[Any, Any, Any] | None:
        arrays = self.host_arrays
        if self.samples > max_samples:
            rows = self.sampled_rows(max_samples)
            arrays = jax.tree.map(lambda array: array[rows], arrays)
        return unpack_x_y_sample_weight(arrays)

    def sampled_rows(self, max_samples: int) -> np.ndarray:
        if self.samples <= max_samples:
            return np.arange(self.samples)
        return np.sort(
            np.random.default_rng(self.seed).choice(self.samples, max_samples, replace=False)
        )

    @property
    def data(self) -> PyTree:
        """The arrays on the device."""
        if self._data is None:
            self._data = self.options.placement.put_data(self.host_arrays)
        return self._data

    def skip(self, epochs: int, steps: int) -> None:
        self._steps_to_skip = steps

    def skip_evaluations(self, count: int) -> None:
        pass

    def _batch_range(self, epoch: int) -> BatchRange:
        return batches_of_epoch(epoch, self.first_epoch, self.steps, self.steps_in_pass)

    def steps_in_epoch(self, epoch: int) -> int:
        _, first, last = self._batch_range(epoch)
        return last - first

    def chunks(self, epoch: int) -> Iterator[Chunk]:
        steps_to_skip, self._steps_to_skip = self._steps_to_skip, 0
        pass_number, first, last = self._batch_range(epoch)
        if first + steps_to_skip < last:
            order = epoch_order(
                self.samples, self.batch_size, self.options.shuffle, self.seed, pass_number
            )
            yield from self._chunks_of(order, first + steps_to_skip, last)

    def evaluation_chunks(self) -> Iterator[Chunk]:
        return self.chunks(self.first_epoch)

    def _chunks_of(self, order: Any, first: int, last: int) -> Iterator[Chunk]:
        full_batches = self.samples // self.batch_size
        placement = self.options.placement
        device_order = None if order is None else placement.put_batch(order)
        if first < min(last, full_batches):
            yield Chunk(self.data, device_order, self.batch_size, first, min(last, full_batches))
        if last > full_batches:
            start_row = full_batches * self.batch_size
            rows, short_size = slice(start_row, None), self.samples - start_row
            if order is None:
                batch = placement.put_data(
                    jax.tree.map(lambda a: np.asarray(a[rows]), self.host_arrays)
                )
                yield Chunk(batch, None, short_size, 0, 1)
            else:
                yield Chunk(self.data, placement.put_batch(order[rows]), short_size, 0, 1)
