"""Feeds: bring batches to the device, in stretches that one program can run through.

A stretch is a stack of batches of one size that lies on the device, and the order in which to
take its rows. A data set that fits the budget is one stretch that stays there (resident); a
larger one, or a generator, is cut into stretches that are prepared while the one before runs.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from lamina.core import config
from lamina.training.arrays import (
    convert,
    number_of_samples,
    pack_x_y_sample_weight,
    unpack_x_y_sample_weight,
)
from lamina.training.py_dataset import PyDataset

# A stretch of streamed batches: large enough that starting a program costs little beside it,
# small enough that two of them never matter in memory.
_STRETCH_BYTES = 32 * 2**20
_STRETCH_STEPS = 128
_STRETCH_SECONDS = 0.25


class Stretch(NamedTuple):
    """Batches on the device: row `order[i * batch_size]` and on are batch `i`."""

    data: Any
    order: Any  # int32 array, or None for the rows as they lie
    batch_size: int
    start: int
    stop: int


class Feed(Protocol):
    """Where a training loop gets its batches from."""

    @property
    def steps(self) -> int | None:
        """Number of steps in an epoch, if it is known."""
        ...

    seed: int  # what the order of every epoch is made from

    def stretches(self, epoch: int) -> Iterator[Stretch]:
        """The stretches of one epoch."""
        ...

    def skip(self, epochs: int, steps: int) -> None:
        """Go on where an interrupted run stood: after so many epochs, and steps of the next."""
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
        steps: Number of steps in an epoch, if not once through the data.
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

    def stretches(self, epoch: int) -> Iterator[Stretch]:
        start, self._skipped = self._skipped, 0
        for passage, first, last in _passages(epoch, self.steps, self.steps_through, start):
            order = epoch_order(self.samples, self.batch_size, self.shuffle, self.seed, passage)
            yield from self._stretches_of(order, first, last)

    def _stretches_of(self, order: Any, first: int, last: int) -> Iterator[Stretch]:
        whole = self.samples // self.batch_size
        on_device = None if order is None else jax.device_put(order)
        if first < min(last, whole):
            yield Stretch(self.data, on_device, self.batch_size, first, min(last, whole))
        if last > whole:
            rest = self.samples - whole * self.batch_size
            rows = slice(whole * self.batch_size, None)
            if order is None:
                tail = place(jax.tree.map(lambda a: np.asarray(a[rows]), self.host))
                yield Stretch(tail, None, rest, 0, 1)
            else:
                yield Stretch(self.data, jax.device_put(order[rows]), rest, 0, 1)


class HostFeed(ResidentFeed):
    """Arrays too large for the device: the same batches in the same order, sent in stretches."""

    def example(self) -> tuple[Any, Any, Any]:
        # Targets are small enough to be looked through; of the inputs one batch must do.
        x, y, sample_weight = unpack_x_y_sample_weight(self.host)
        return self.prepare(jax.tree.map(lambda a: a[: self.batch_size], x)), y, sample_weight

    def _stretches_of(self, order: Any, first: int, last: int) -> Iterator[Stretch]:
        def batch(step: int) -> Any:
            rows = slice(step * self.batch_size, (step + 1) * self.batch_size)
            if order is None:
                return jax.tree.map(lambda a: a[rows], self.host)
            # In order of place on disk, which is kinder to a memory-mapped file.
            picked = order[rows]
            by_place = np.argsort(picked)
            back = np.argsort(by_place)
            return jax.tree.map(lambda a: np.asarray(a[picked[by_place]])[back], self.host)

        def prepared(batch: Any) -> Any:
            x, y, sample_weight = unpack_x_y_sample_weight(batch)
            return pack_x_y_sample_weight(self.prepare(x), y, sample_weight)

        yield from _prefetched(_stacked(prepared(batch(step)) for step in range(first, last)))


class StreamFeed:
    """Batches that a generator, PyDataset, DataLoader or other iterable gives.

    Args:
        source: The iterable. A generator goes on where the epoch before stopped; anything else
            is started anew for every epoch.
        steps: Number of steps in an epoch; None: until the source ends.
        shuffle: Whether the batches of a PyDataset come in a new order every epoch.
        seed: For that order.
        reweight: Applied to every batch, to turn class weights into sample weights.
        prepare: What the model does with its inputs on the host.
    """

    def __init__(
        self,
        source: Iterable,
        steps: int | None,
        shuffle: Any = False,
        seed: int = 0,
        reweight: Callable[[Any], Any] = lambda batch: batch,
        prepare: Callable[[Any], Any] = lambda x: x,
    ):
        self.source = source
        self.prepare = prepare
        self.shuffle = shuffle
        self.seed = seed
        self.reweight = reweight
        self.steps = steps
        if steps is None and isinstance(source, PyDataset):
            self.steps = source.num_batches
        elif steps is None:
            self.steps = _length(source)
        # A generator can be gone through once; its iterator is kept over the epochs.
        self._once: Iterator | None = source if isinstance(source, Iterator) else None
        self._kept: Iterator | None = None
        self._peeked: list = []
        self._given = 0  # batches of the epoch that an interrupted run has had
        self._discarded = 0  # batches to draw and not to use
        # Set by the loop once the model is known: looks at every batch before it is used.
        self.check: Callable[[Any, Any, Any], None] = lambda x, y, sample_weight: None

    def example(self) -> tuple[Any, Any, Any]:
        if not self._peeked:
            if self._once is not None:
                iterator = self._once
            else:
                iterator = self._kept = self._fresh(0)
            try:
                self._peeked.append(self._converted(next(iterator)))
            except StopIteration:
                raise ValueError(
                    f"{type(self.source).__name__} gave no batch at all.\n"
                    "  Likely cause: a generator that was already used up, or an empty folder.\n"
                    "  Fix: make a new one, or give a PyDataset, which can be gone through again."
                ) from None
        return unpack_x_y_sample_weight(self._peeked[0])

    def skip(self, epochs: int, steps: int) -> None:
        """The same, as far as the source can: what is asked for by number is not asked for.

        A generator gives all that it gave before once more. A PyDataset hears of the epochs, so
        that an order that it makes by itself comes to be the same.
        """
        self._given = self._discarded = steps
        by_number = False
        if isinstance(self.source, PyDataset):
            by_number = self.source.num_batches is not None
            for _ in range(epochs):
                self.source.on_epoch_begin()
                self.source.on_epoch_end()
        if by_number:
            # Looked at before the seed of the run was known.
            self._forget_peeked()
            self._discarded = 0
        elif self._once is not None or (self.steps is not None and self._endless):
            self._discarded += epochs * (self.steps or 0)
        elif epochs:
            # Begun as often as before: some sources make a new order of every pass.
            self._forget_peeked()
            for _ in range(epochs - 1):
                next(iter(self.source), None)

    def _forget_peeked(self) -> None:
        self._peeked.clear()
        self._kept = None

    def stretches(self, epoch: int) -> Iterator[Stretch]:
        yield from _prefetched(_stacked(self._batches(epoch)))

    def _batches(self, epoch: int) -> Iterator[Any]:
        wanted = self.steps
        given, self._given = self._given, 0
        if isinstance(self.source, PyDataset):
            self.source.on_epoch_begin()
        iterator = self._once or self._kept or self._fresh(epoch, given)
        while self._discarded:
            self._discarded -= 1
            if self._peeked:
                self._peeked.pop()
            else:
                next(iterator, None)
        while wanted is None or given < wanted:
            if self._peeked:
                batch = self._peeked.pop()
            else:
                try:
                    batch = self._converted(next(iterator))
                except StopIteration:
                    break
                except Exception as error:
                    error.add_note(
                        f"  In batch {given} (from 0) of the {type(self.source).__name__}."
                    )
                    raise
            given += 1
            yield batch
        # With steps_per_epoch a long source goes on in the next epoch; otherwise it starts anew.
        self._kept = iterator if self._once is None and given == wanted and self._endless else None
        if isinstance(self.source, PyDataset):
            self.source.on_epoch_end()

    @property
    def _endless(self) -> bool:
        if isinstance(self.source, PyDataset):
            return self.source.num_batches is None
        return _length(self.source) is None

    def _fresh(self, epoch: int, start: int = 0) -> Iterator:
        source = self.source
        if isinstance(source, PyDataset) and source.num_batches is not None:
            count = source.num_batches
            order = _permutation(count, self.seed, epoch) if self.shuffle else range(count)
            return (source[int(i)] for i in order[start:])
        return iter(source)

    def _converted(self, batch: Any) -> Any:
        x, y, sample_weight = unpack_x_y_sample_weight(batch)
        x, y = self.prepare(convert(x, "x", text=True)), convert(y, "y")
        sample_weight = convert(sample_weight, "sample_weight")
        number_of_samples(x, y, sample_weight)
        self.check(x, y, sample_weight)
        return self.reweight(pack_x_y_sample_weight(x, y, sample_weight))


def _length(source: Any) -> int | None:
    """Number of batches of a source that knows it: it may have `__len__` and still not know."""
    try:
        return len(source)
    except TypeError:
        return None


def place(arrays: Any) -> Any:
    """Put host arrays on the default device."""
    return jax.device_put(arrays)


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
        starts = _permutation(whole, seed, epoch) * batch_size
        order = (starts[:, None] + np.arange(batch_size)).reshape(-1)
        return np.concatenate([order, np.arange(whole * batch_size, samples)]).astype(np.int32)
    return _permutation(samples, seed, epoch)


def _permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    # Counter-based, on the host: the same on every device and machine, and nothing to compile.
    key = np.array([seed, epoch], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(count).astype(np.int32)


def _passages(epoch: int, steps: int, through: int, start: int) -> Iterator[tuple[int, int, int]]:
    """Which stretch of which passage an epoch of `steps` steps covers from step `start` on."""
    at = epoch * steps + start
    end = (epoch + 1) * steps
    while at < end:
        passage, first = divmod(at, through)
        last = min(through, first + end - at)
        yield passage, first, last
        at += last - first


def _stacked(batches: Iterable[Any]) -> Iterator[Stretch]:
    """Stack batches of one size into stretches whose arrays have one shape, so one program."""
    buffer: Any = None
    filled, rows, capacity = 0, 0, 0
    began = time.monotonic()

    def shapes(batch: Any) -> Any:
        return jax.tree.map(lambda a: (tuple(a.shape), np.dtype(a.dtype).str), batch)

    current: Any = None
    for batch in batches:
        batch = jax.tree.map(np.asarray, batch)
        shape = shapes(batch)
        late = time.monotonic() - began > _STRETCH_SECONDS
        if buffer is not None and (shape != current or filled == capacity or late):
            yield Stretch(buffer, None, rows, 0, filled)
            buffer = None
        if buffer is None:
            current, filled, began = shape, 0, time.monotonic()
            rows = jax.tree.leaves(batch)[0].shape[0]
            capacity = max(1, min(_STRETCH_STEPS, _STRETCH_BYTES // max(1, size_in_bytes(batch))))
            buffer = _buffer_like(batch, capacity)
        for target, source in zip(jax.tree.leaves(buffer), jax.tree.leaves(batch), strict=True):
            target[filled * rows : (filled + 1) * rows] = source
        filled += 1
    if buffer is not None:
        yield Stretch(buffer, None, rows, 0, filled)


def _buffer_like(batch: Any, capacity: int) -> Any:
    # A fresh one every time: on CPU the device may read this very memory.
    return jax.tree.map(lambda a: np.zeros((capacity * a.shape[0], *a.shape[1:]), a.dtype), batch)


def _prefetched(stretches: Iterator[Stretch]) -> Iterator[Stretch]:
    """Prepare the next stretch in a thread while the device works on this one."""
    ready: queue.Queue = queue.Queue(maxsize=1)
    stopped = threading.Event()
    finished = object()

    def hand_over(item: Any) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for stretch in stretches:
                if not hand_over(stretch._replace(data=place(stretch.data))):
                    return
        except BaseException as error:  # handed over, to be raised where `fit` was called
            hand_over(error)
        else:
            hand_over(finished)

    worker = threading.Thread(target=work, name="lamina-feed", daemon=True)
    worker.start()
    try:
        while True:
            item = ready.get()
            if item is finished:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        worker.join(timeout=5)
