"""Feeds: bring batches to the device, in chunks that one program can run through.

A chunk is a stack of batches of one size that lies on the device, and the order in which to
take its rows. A data set that fits the budget is one chunk that stays there (resident); a
larger one, or a generator, is streamed (`stream_feed.py`): cut into chunks that are prepared
while the one before runs.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import jax
import numpy as np

from lamina.core import config
from lamina.training.feeds.chunks import Chunk
from lamina.training.feeds.conversion import number_of_samples, unpack_x_y_sample_weight
from lamina.training.feeds.epochs import Part, part_of_epoch
from lamina.training.feeds.in_place import placed
from lamina.training.feeds.random_states import RandomStates


class Feed(Protocol):
    """Where a training loop gets its batches from."""

    @property
    def steps(self) -> int | None:
        """Number of steps in an epoch, if it is known."""
        ...

    seed: int  # what the order of every epoch is made from
    first_epoch: int  # number of the epoch with which the run begins
    used_up: bool  # whether the source gave all that it can ever give
    states: RandomStates  # of the generators that the source may draw from
    interrupted: Callable[[], bool]  # whether to give up waiting for batches
    check: Callable[[Any, Any, Any], None]  # looks at x, y and sample_weight before they are used

    def steps_in(self, epoch: int) -> int | None:
        """Number of steps that this epoch will have, if it is known."""
        ...

    def chunks(self, epoch: int) -> Iterator[Chunk]:
        """The chunks of one epoch of training; epochs come one after another."""
        ...

    def once(self) -> Iterator[Chunk]:
        """The chunks of one measurement, which begins with the first batch."""
        ...

    def skip(self, epochs: int, steps: int) -> None:
        """Go on where an interrupted run stood: after so many epochs, and steps of the next."""
        ...

    def skip_measured(self, count: int) -> None:
        """The same for a source to measure on: after so many measurements."""
        ...

    def example(self) -> tuple[Any, Any, Any]:
        """x, y and sample_weight of one batch, on the host, for shapes and checks."""
        ...


class ResidentFeed:
    """Arrays that are placed on the device once.

    Args:
        arrays: Structure of arrays with one row a sample.
        batch_size: Samples per step.
        shuffle: True, False, or `"batch"` to shuffle whole batches.
        seed: The order of an epoch is a function of the seed and the epoch's number.
        steps: Number of steps in an epoch, if not once through the data; see `epochs.py`.
        prepare: What the model does with its inputs on the host; for x that is sent in batches.
    """

    def __init__(
        self,
        arrays: Any,
        batch_size: int,
        shuffle: Any,
        seed: int,
        steps: int | None = None,
        prepare: Callable[[Any], Any] = lambda x: x,
    ):
        self.host = arrays
        self.prepare = prepare
        self.samples = number_of_samples(*unpack_x_y_sample_weight(arrays))
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.steps_through = -(-self.samples // batch_size)
        self.steps = self.steps_through if steps is None else steps
        self.first_epoch = 0
        self.used_up = False
        self.states = RandomStates()
        self.interrupted: Callable[[], bool] = lambda: False
        # Set by the loop: looks at rows that the example did not have, before they are used.
        self.check: Callable[[Any, Any, Any], None] = lambda x, y, sample_weight: None
        self._data: Any = None
        self._skipped = 0

    def rebatch(self, batch_size: int) -> None:
        """Go once through the data in batches of another size."""
        self.batch_size = batch_size
        self.steps = self.steps_through = -(-self.samples // batch_size)

    def example(self) -> tuple[Any, Any, Any]:
        return unpack_x_y_sample_weight(self.host)

    @property
    def data(self) -> Any:
        if self._data is None:
            self._data = place(self.host)
        return self._data

    def skip(self, epochs: int, steps: int) -> None:
        self._skipped = steps

    def skip_measured(self, count: int) -> None:
        pass

    def _part(self, epoch: int) -> Part:
        return part_of_epoch(epoch, self.first_epoch, self.steps, self.steps_through)

    def steps_in(self, epoch: int) -> int:
        _, first, last = self._part(epoch)
        return last - first

    def chunks(self, epoch: int) -> Iterator[Chunk]:
        skipped, self._skipped = self._skipped, 0
        passage, first, last = self._part(epoch)
        if first + skipped < last:
            order = epoch_order(self.samples, self.batch_size, self.shuffle, self.seed, passage)
            yield from self._chunks_of(order, first + skipped, last)

    def once(self) -> Iterator[Chunk]:
        return self.chunks(self.first_epoch)

    def _chunks_of(self, order: Any, first: int, last: int) -> Iterator[Chunk]:
        whole = self.samples // self.batch_size
        on_device = None if order is None else jax.device_put(order)
        if first < min(last, whole):
            yield Chunk(self.data, on_device, self.batch_size, first, min(last, whole))
        if last > whole:
            rest = self.samples - whole * self.batch_size
            rows = slice(whole * self.batch_size, None)
            if order is None:
                tail = place(jax.tree.map(lambda a: np.asarray(a[rows]), self.host))
                yield Chunk(tail, None, rest, 0, 1)
            else:
                yield Chunk(self.data, jax.device_put(order[rows]), rest, 0, 1)


def place(arrays: Any) -> Any:
    """Put host arrays on the default device."""
    return jax.tree.map(placed, arrays)


def size_in_bytes(arrays: Any) -> int:
    return sum(a.nbytes for a in jax.tree.leaves(arrays))


def fits_on_device(arrays: Any) -> bool:
    """Whether the arrays are within the budget for resident data."""
    return size_in_bytes(arrays) <= config.resident_budget()


def epoch_order(
    samples: int, batch_size: int, shuffle: Any, seed: int, epoch: int
) -> np.ndarray | None:
    """The order of the samples in an epoch: a function of the seed and the epoch's number."""
    if not shuffle:
        return None
    if shuffle == "batch":
        whole = samples // batch_size
        starts = permutation(whole, seed, epoch) * batch_size
        order = (starts[:, None] + np.arange(batch_size)).reshape(-1)
        return np.concatenate([order, np.arange(whole * batch_size, samples)]).astype(np.int32)
    return permutation(samples, seed, epoch)


def permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    # Counter-based, on the host: the same on every device and machine, and nothing to compile.
    key = np.array([seed, epoch], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(count).astype(np.int32)
