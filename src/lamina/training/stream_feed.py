"""StreamFeed: batches that a generator, PyDataset, DataLoader or other iterable gives."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np

from lamina.training import checks
from lamina.training.arrays import (
    convert,
    number_of_samples,
    pack_x_y_sample_weight,
    to_array,
    unpack_x_y_sample_weight,
)
from lamina.training.feed import permutation, size_in_bytes
from lamina.training.py_dataset import PyDataset
from lamina.training.stretches import Stretch, prefetched, stacked
from lamina.training.workers import prepared


class StreamFeed:
    """Batches that a generator, PyDataset, DataLoader or other iterable gives.

    Args:
        source: The iterable. A generator goes on where the epoch before stopped; anything else
            is started anew for every epoch.
        steps: Number of steps in an epoch; None: until the source ends.
        shuffle: Whether the batches of a PyDataset come in a new order every epoch.
        seed: For that order.
        reweight: Applied to the batches, to turn class weights into sample weights.
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
        self._looked_through = 0  # batches of the epoch that have passed all checks
        self._discarded = 0  # batches to draw and not to use
        self._numbers: list[int] = []  # what a PyDataset is asked for in this epoch, in order
        self._first = 0  # the place of the first of them in the epoch
        # Set by the loop once the model is known: looks at all batches before they are used.
        self.check: Callable[[Any, Any, Any], None] = lambda x, y, sample_weight: None
        self.interrupted: Callable[[], bool] = lambda: False
        self._example: tuple[Any, Any, Any] | None = None
        self._known: Any = None  # dtypes and shapes of a batch that needed no looking into

    def example(self) -> tuple[Any, Any, Any]:
        if self._example is None:
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
        assert self._example is not None
        return self._example

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
        self._looked_through = self._given
        batches = stacked(self._batches(epoch), self._finished)
        yield from prefetched(batches, lambda: self.interrupted())

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
                    self._note_batch(error, given)
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
            order = permutation(count, self.seed, epoch) if self.shuffle else range(count)
            self._first, self._numbers = start, [int(i) for i in order[start:]]
            numbers = self._numbers
            return prepared(source, numbers)
        return iter(source)

    def _converted(self, batch: Any) -> Any:
        """A batch as arrays. One of dtypes and shapes seen before is taken as it is."""
        kind = _kind_of_plain(batch)
        if kind is not None and kind == self._known:
            return batch
        given, y, sample_weight = unpack_x_y_sample_weight(batch)
        given, y = convert(given, "x", text=True), convert(y, "y")
        x = self.prepare(given)
        sample_weight = convert(sample_weight, "sample_weight")
        rows = number_of_samples(x, y, sample_weight)
        if self._example is None:
            self._example = x, y, sample_weight
            checks.fits_in_budget(size_in_bytes(self._example), rows)
        self._refuse_other_parts(y, sample_weight)
        self.check(x, y, sample_weight)
        if kind is not None and x is given:
            self._known = kind
            return batch
        return jax.tree.map(np.asarray, pack_x_y_sample_weight(x, y, sample_weight))

    def _finished(self, data: Any, rows: int) -> Any:
        """What is done to many batches at once: types, checks of every number, class weights."""
        data = jax.tree.map(to_array, data)
        samples = number_of_samples(data)
        try:
            self.check(*unpack_x_y_sample_weight(data))
        except ValueError:
            # The message is to be about one batch.
            for number, start in enumerate(range(0, samples, rows), self._looked_through):
                one = jax.tree.map(lambda a: a[start : start + rows], data)  # noqa: B023
                try:
                    self.check(*unpack_x_y_sample_weight(one))
                except ValueError as error:
                    self._note_batch(error, number)
                    raise
            raise
        self._looked_through += samples // rows
        return self.reweight(data)

    def _note_batch(self, error: Exception, number: int) -> None:
        if self._numbers:  # the user knows it by what __getitem__ was asked for
            number = self._numbers[number - self._first]
        error.add_note(f"  In batch {number} (from 0) of the {type(self.source).__name__}.")

    def _refuse_other_parts(self, *parts: Any) -> None:
        assert self._example is not None
        for name, part, first in zip(("y", "sample_weight"), parts, self._example[1:], strict=True):
            if (part is None) != (first is None):
                has, had = ("no ", "") if part is None else ("", "no ")
                raise ValueError(
                    f"{type(self.source).__name__} gave a batch with {has}{name}, and the first "
                    f"batch had {had}{name}.\n"
                    "  Fix: give (x, y) or (x, y, sample_weight), and the same for every batch."
                )


def _kind_of_plain(batch: Any) -> Any:
    """Dtypes and shapes of a batch that is one array of numbers or a tuple of them; else None."""
    arrays = batch if type(batch) is tuple else (batch,)
    if len(arrays) > 3:
        return None
    for array in arrays:
        if type(array) is not np.ndarray or array.dtype.kind not in "biuf" or not array.shape:
            return None
    return type(batch), [(array.dtype, array.shape) for array in arrays]


def _length(source: Any) -> int | None:
    """Number of batches of a source that knows it: it may have `__len__` and still not know."""
    try:
        return len(source)
    except TypeError:
        return None
