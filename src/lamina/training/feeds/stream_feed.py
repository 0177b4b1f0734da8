"""StreamFeed: batches that a generator, PyDataset, DataLoader or other iterable gives."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from lamina.core.variable.seed import restore_shared_state, shared_state
from lamina.training import checks
from lamina.training.feeds.chunks import Chunk, chunk_of, prefetched, stacked
from lamina.training.feeds.conversion import (
    convert,
    number_of_samples,
    pack_x_y_sample_weight,
    size_in_bytes,
    to_array,
    unpack_x_y_sample_weight,
)
from lamina.training.feeds.epochs import Part, part_of_epoch
from lamina.training.feeds.feed import FeedOptions
from lamina.training.feeds.order import permutation
from lamina.training.feeds.py_dataset import PyDataset
from lamina.training.feeds.random_states import RandomStates
from lamina.training.feeds.workers import prepared


class StreamFeed:
    """Batches that a generator, PyDataset, DataLoader or other iterable gives.

    Args:
        source: The iterable. A generator goes on where the epoch before stopped. Anything else is
            gone through to its end, in as many epochs as that takes, and then begun anew.
        options: How to go through it; `shuffle` concerns the batches of a PyDataset.
    """

    samples = None

    def __init__(self, source: Iterable, options: FeedOptions):
        self.source = source
        self.options = options
        self.seed = options.seed
        length = source.num_batches if isinstance(source, PyDataset) else _length(source)
        self.steps = length if options.steps is None else options.steps
        # A generator can be gone through once.
        self._once = isinstance(source, Iterator) and not isinstance(source, PyDataset)
        # Whether a thread may be drawing from the global generators between two batches.
        self._draws_ahead = not self._once and getattr(source, "draws_ahead", False)
        self._through = None if self._once else length
        self.first_epoch = 0
        self.used_up = False
        self.states = RandomStates()
        self._iterator: Iterator | None = source if self._once else None  # type: ignore[assignment]
        self._passage = 0  # number of the passage through the source that is under way
        self._at = 0  # how many of its batches were given
        self._numbers: Sequence[int] | None = None  # which batches of a PyDataset they are
        self._measured = 0  # how many measurements were made
        self._peeked: list = []
        self._skipped = 0  # batches of the epoch that an interrupted run has had
        self._looked_through = 0  # batches of the passage that have passed all checks
        # Set by the loop once the model is known: looks at all batches before they are used.
        self.check: Callable[[Any, Any, Any], None] = lambda x, y, sample_weight: None
        self.interrupted: Callable[[], bool] = lambda: False
        self._example: tuple[Any, Any, Any] | None = None
        self._known: Any = None  # dtypes and shapes of a batch that needed no looking into

    def example(self) -> tuple[Any, Any, Any]:
        if self._example is None:
            self.states.first_batch()
            try:
                self._peeked.append(self._drawn())
            except StopIteration:
                raise ValueError(
                    f"{type(self.source).__name__} gave no batch at all.\n"
                    "  Likely cause: a generator that was already used up, or an empty folder.\n"
                    "  Fix: make a new one, or give a PyDataset, which can be gone through again."
                ) from None
        assert self._example is not None
        return self._example

    def first_chunk(self) -> Chunk:
        example = self.example()
        rows = number_of_samples(*example)
        return chunk_of(example, rows, self.options.placement.put_batch)

    def widen(self, batch_size: Callable[[int], int]) -> None:
        pass  # batches come as they are

    def steps_in(self, epoch: int) -> int | None:
        if self.steps is None or self._through is None:
            return self.steps
        _, first, last = self._part(epoch)
        return last - first

    def _part(self, epoch: int) -> Part:
        assert self.steps is not None
        assert self._through is not None
        return part_of_epoch(epoch, self.first_epoch, self.steps, self._through)

    def skip(self, epochs: int, steps: int) -> None:
        """Go on where an interrupted run stood: after so many epochs, and steps of the next.

        What is asked for by number is not asked for. Anything else gives all that it gave before
        once more, except that a passage that is over need only have begun: some sources make a
        new order of every passage.
        """
        self._skipped = steps
        if isinstance(self.source, PyDataset):
            self._forget_peeked()
            for epoch in range(epochs):
                self.states.epoch_begins(epoch)
                self.source.on_epoch_begin()
                self.states.epoch_ends(epoch)
                self.source.on_epoch_end()
            self._at = epochs * (self.steps or 0)
            if self._through is not None:
                passage, self._at, _ = self._part(self.first_epoch + epochs)
                self._passage = passage - self.first_epoch
            self._at += steps
            return
        for epoch in range(epochs):
            if not self._passage_is_over(epoch, by=epochs):
                self._go_through(epoch)
            elif self.steps is None or self._part(self.first_epoch + epoch).first == 0:
                self._begin_only(epoch)

    def _passage_is_over(self, epoch: int, by: int) -> bool:
        """Whether the passage that an epoch is part of is over in another, if that is known."""
        if self._once:
            return False
        if self.steps is None:
            return not self._must_be_gone_through(epoch)
        if self._through is None:
            return False
        first = self.first_epoch
        passage = self._part(first + epoch).passage
        over = passage < self._part(first + by).passage
        return over and not self._must_be_gone_through(passage - first)

    def _must_be_gone_through(self, passage: int) -> bool:
        """Whether later passages depend on what this one gave: `Dataset.cache` remembers it."""
        return passage < getattr(self.source, "remembers", 0)

    def skip_measured(self, count: int) -> None:
        """The same for a source to measure on, of which every measurement is a passage."""
        self._measured = count
        for number in range(count):
            if isinstance(self.source, PyDataset):
                self.states.epoch_begins(number)
                self.source.on_epoch_begin()
                self.states.epoch_ends(number)
                self.source.on_epoch_end()
            elif self._must_be_gone_through(number):
                self._go_through(number)
                if self._at:
                    self._begin_passage()
            else:
                self._begin_only(number)
        if count and not self._once:
            self._forget_peeked()

    def _begin_only(self, epoch: int) -> None:
        if epoch > 0:  # the first was begun to look at a batch
            self.states.epoch_begins(epoch)
            next(iter(self.source), None)
        self._forget_peeked()
        self._passage += 1

    def _go_through(self, epoch: int) -> None:
        skipped, self._skipped = self._skipped, 0
        for _ in self._batches(self.first_epoch + epoch):
            pass
        self._skipped = skipped

    def _forget_peeked(self) -> None:
        self._peeked.clear()
        self._iterator = None

    def chunks(self, epoch: int) -> Iterator[Chunk]:
        self._looked_through = self._at if isinstance(self.source, PyDataset) else self._skipped
        batches = stacked(self._batches(epoch), self._finished)
        yield from prefetched(batches, self.options.placement.put_batch, lambda: self.interrupted())

    def once(self) -> Iterator[Chunk]:
        if self._at and not self._once:
            self._begin_passage()
        self._measured += 1
        return self.chunks(self.first_epoch + self._measured - 1)

    @property
    def is_drawing(self) -> bool:
        return self._draws_ahead and self._iterator is not None

    def state_after(self, epoch: int, steps: int) -> np.ndarray | None:
        """Where the global generators stand for a run that goes on after so many steps.

        What is gone through once more begins with the epoch.
        """
        if isinstance(self.source, PyDataset):
            return self.states.after_batch(steps)
        return self.states.at_beginning(epoch - self.first_epoch)

    def _batches(self, epoch: int) -> Iterator[Any]:
        source, number = self.source, epoch - self.first_epoch
        skipped, self._skipped = self._skipped, 0
        by_number = isinstance(source, PyDataset)
        now = shared_state() if skipped and by_number else None
        if self.is_drawing:
            self.states.epoch_goes_on(number)
        else:
            self.states.epoch_begins(number)
        if isinstance(source, PyDataset):
            source.on_epoch_begin()
        if now is not None:
            restore_shared_state(now)
        given = skipped if by_number else 0
        goes_on = self._at > 0
        ended = False
        while self.steps is None or given < self.steps:
            if self._at == self._through:
                break
            try:
                batch = self._peeked.pop() if self._peeked else self._drawn()
            except StopIteration:
                if goes_on and given == 0 and not self._once:
                    # The passage ended with the epoch before, and nobody could know.
                    self._begin_passage()
                    goes_on = False
                    continue
                ended = True
                break
            except Exception as error:
                self._note_batch(error, self._at if by_number else given)
                raise
            self._at += 1
            given += 1
            self.states.batch_drawn(given)
            if given > skipped:
                yield batch
        if ended and self._once:
            self.used_up = True
        elif ended or self._at == self._through:
            self._begin_passage()
        if isinstance(source, PyDataset):
            self.states.epoch_ends(number)
            source.on_epoch_end()

    def _begin_passage(self) -> None:
        """The next batch is the first of a new passage through the source."""
        self._iterator = None
        self._at = 0
        self._passage += 1

    def _drawn(self) -> Any:
        """The next batch of the passage.

        Raises:
            StopIteration: If there is none.
        """
        if self._iterator is None:
            self._iterator = self._fresh()
        return self._converted(next(self._iterator))

    def _fresh(self) -> Iterator:
        source = self.source
        if not isinstance(source, PyDataset):
            return iter(source)
        count = source.num_batches
        if count is None:
            self._numbers = None
            return prepared(source, itertools.count(self._at))
        order: Any = range(count)
        if self.options.shuffle:
            order = permutation(count, self.seed, self.first_epoch + self._passage)
        self._numbers = [int(number) for number in order]
        return prepared(source, self._numbers[self._at :])

    def _converted(self, batch: Any) -> Any:
        """A batch as arrays. One of dtypes and shapes seen before is taken as it is."""
        kind = _kind_of_plain(batch)
        if kind is not None and kind == self._known:
            return batch
        given, y, sample_weight = unpack_x_y_sample_weight(batch)
        given, y = convert(given, "x", text=True), convert(y, "y")
        x = self.options.prepare(given)
        sample_weight = convert(sample_weight, "sample_weight")
        if self._example is None:
            _refuse_single_samples(self.source, x, y)
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
        data = jax.tree.map(lambda a: to_array(a, text=True), data)
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
        return self.options.reweight(data)

    def _note_batch(self, error: Exception, number: int) -> None:
        if self._numbers is not None and number < len(self._numbers):
            number = self._numbers[number]
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


def _refuse_single_samples(source: Any, x: Any, y: Any) -> None:
    """Refuse a source that gives one sample at a time, where batches are taken."""
    given, targets = jax.tree.leaves(x), jax.tree.leaves(y)
    if len(given) != 1 or len(targets) != 1 or given[0].ndim == 0:
        return
    shape, label = tuple(given[0].shape), tuple(targets[0].shape)
    if label == () or (label == (1,) and shape[0] != 1):
        fix = "give batches, e.g. x[i : i + 32], y[i : i + 32]"
        if hasattr(source, "batch"):
            fix = "dataset = dataset.batch(32)"
        raise ValueError(
            f"The {type(source).__name__} gives single samples and not batches: x of shape "
            f"{shape}, y of shape {label}.\n  Fix: {fix}."
        )
