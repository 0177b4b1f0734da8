"""StreamFeed: the batches of a generator, PyDataset, DataLoader or other iterable."""

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from lamina.core.types import Data, PyTree, Targets
from lamina.core.variable.seed import python_and_numpy_state, restore_python_and_numpy_state
from lamina.training import checks
from lamina.training.feeds.chunks import Chunk, example_chunk, prefetch, stack_batches
from lamina.training.feeds.conversion import (
    convert,
    number_of_samples,
    pack_x_y_sample_weight,
    size_in_bytes,
    tensor_to_array,
    to_array,
    unpack_x_y_sample_weight,
)
from lamina.training.feeds.epoch_order import permutation
from lamina.training.feeds.epochs import BatchRange, batches_of_epoch
from lamina.training.feeds.feed import FeedOptions
from lamina.training.feeds.py_dataset import PyDataset
from lamina.training.feeds.random_states import RandomStates
from lamina.training.feeds.workers import batches_by_workers


class StreamFeed:
    """The batches of a generator, PyDataset, DataLoader or other iterable.

    Args:
        source: The iterable. A generator continues where the previous epoch stopped. Other sources
            are iterated to their end, which may take several epochs, and then from the beginning.
        options: How to iterate over the source; `shuffle` applies to the batches of a PyDataset.
    """

    samples = None

    def __init__(self, source: Iterable[Any], options: FeedOptions):
        self.source = source
        self.name = type(source).__name__  # for messages
        self.options = options
        self.seed = options.seed
        length = source.num_batches if isinstance(source, PyDataset) else _length(source)
        self.steps = length if options.steps is None else options.steps
        # A generator can be iterated only once.
        self._single_pass = isinstance(source, Iterator) and not isinstance(source, PyDataset)
        # Whether a thread may use the global random generators between two batches.
        self._draws_ahead = not self._single_pass and getattr(source, "draws_ahead", False)
        self._steps_in_pass = None if self._single_pass else length
        self.first_epoch = 0
        self.exhausted = False
        self.random_states = RandomStates()
        self._iterator: Iterator[Any] | None = source if self._single_pass else None  # type: ignore[assignment]
        self._pass_number = 0  # number of the current pass over the source
        self._position = 0  # number of batches of the pass that were yielded
        self._batch_numbers: Sequence[int] | None = None  # the order of a PyDataset's batches
        self._evaluations = 0  # number of finished evaluations
        self._read_ahead: list[Any] = []  # the batch that was read for the checks before the run
        self._batches_to_skip = 0  # batches of the epoch that the interrupted run used
        self._checked_batches = 0  # batches of the pass that have passed all checks
        # Set by the engine; checks every batch before it is used.
        self.check: Callable[[Any, Any, Any], None] = lambda x, y, sample_weight: None
        self.interrupted: Callable[[], bool] = lambda: False
        self._example: tuple[Any, Any, Any] | None = None
        self._checked_spec: Any = (
            None  # dtypes and shapes of the last checked batch that needed no conversion
        )

    def example(self) -> tuple[Any, Any, Any]:
        if self._example is None:
            self.random_states.before_first_batch()
            try:
                self._read_ahead.append(self._next_batch())
            except StopIteration:
                raise ValueError(
                    f"{self.name} yielded no batch.\n"
                    "  Likely cause: a generator that was already exhausted, or an empty folder.\n"
                    "  Fix: create a new one, or pass a PyDataset, which can be iterated again."
                ) from None
        assert self._example is not None
        return self._example

    def take_samples(self, max_samples: int) -> tuple[Any, Any, Any] | None:
        if self._single_pass:
            return None
        batches, rows = [], 0
        for batch in self._batches_of_new_pass(max_samples):
            x, y, sample_weight = unpack_x_y_sample_weight(batch)
            batches.append((convert(x, "x", text=True), convert(y, "y"), sample_weight))
            rows += number_of_samples(*batches[-1])
            if rows >= max_samples:
                break
        if not batches:
            return None
        x, y, sample_weight = jax.tree.map(
            lambda *parts: np.concatenate(parts)[:max_samples], *batches
        )
        return x, y, sample_weight

    def sampled_rows(self, max_samples: int) -> None:
        return None

    def _batches_of_new_pass(self, max_batches: int) -> Iterator[Any]:
        """Batches of a new pass over the source; for a PyDataset, of random indices."""
        source = self.source
        if not isinstance(source, PyDataset):
            yield from source
            return
        count = min(source.num_batches or max_batches, max_batches)
        for index in np.random.default_rng(self.seed).permutation(count):
            yield source[int(index)]

    def first_chunk(self) -> Chunk:
        example = self.example()
        rows = number_of_samples(*example)
        return example_chunk(example, rows, self.options.placement.put_batch)

    def use_batch_size(self, batch_size: Callable[[int], int]) -> None:
        pass  # the source decides the size

    def steps_in_epoch(self, epoch: int) -> int | None:
        if self.steps is None or self._steps_in_pass is None:
            return self.steps
        _, first, last = self._batch_range(epoch)
        return last - first

    def _batch_range(self, epoch: int) -> BatchRange:
        assert self.steps is not None
        assert self._steps_in_pass is not None
        return batches_of_epoch(epoch, self.first_epoch, self.steps, self._steps_in_pass)

    def skip(self, epochs: int, steps: int) -> None:
        """Resume an interrupted run after `epochs` epochs and `steps` steps of the next epoch.

        Batches of a PyDataset are skipped by index. Other sources are iterated again; for a pass
        that was completed, only its first batch is read, because a source may draw a new order when
        a pass begins.
        """
        self._batches_to_skip = steps
        if isinstance(self.source, PyDataset):
            self._discard_read_ahead()
            for epoch in range(epochs):
                self.random_states.on_epoch_begin(epoch)
                self.source.on_epoch_begin()
                self.random_states.on_epoch_end(epoch)
                self.source.on_epoch_end()
            self._position = epochs * (self.steps or 0)
            if self._steps_in_pass is not None:
                pass_number, self._position, _ = self._batch_range(self.first_epoch + epochs)
                self._pass_number = pass_number - self.first_epoch
            self._position += steps
            return
        for epoch in range(epochs):
            if not self._pass_has_ended(epoch, next_epoch=epochs):
                self._replay_epoch(epoch)
            elif self.steps is None or self._batch_range(self.first_epoch + epoch).first == 0:
                self._skip_pass(epoch)

    def _pass_has_ended(self, epoch: int, next_epoch: int) -> bool:
        """Whether the pass of an epoch is known to have ended before `next_epoch` begins."""
        if self._single_pass:
            return False
        if self.steps is None:
            return not self._must_be_replayed(epoch)
        if self._steps_in_pass is None:
            return False
        first = self.first_epoch
        pass_number = self._batch_range(first + epoch).pass_number
        has_ended = pass_number < self._batch_range(first + next_epoch).pass_number
        return has_ended and not self._must_be_replayed(pass_number - first)

    def _must_be_replayed(self, pass_number: int) -> bool:
        """Whether later passes depend on the batches of this one, as with `Dataset.cache`."""
        return pass_number < getattr(self.source, "passes_to_replay", 0)

    def skip_evaluations(self, count: int) -> None:
        """Resume a source of validation data, for which every evaluation is a pass."""
        self._evaluations = count
        for number in range(count):
            if isinstance(self.source, PyDataset):
                self.random_states.on_epoch_begin(number)
                self.source.on_epoch_begin()
                self.random_states.on_epoch_end(number)
                self.source.on_epoch_end()
            elif self._must_be_replayed(number):
                self._replay_epoch(number)
                if self._position:
                    self._begin_pass()
            else:
                self._skip_pass(number)
        if count and not self._single_pass:
            self._discard_read_ahead()

    def _skip_pass(self, epoch: int) -> None:
        if epoch > 0:  # the checks before the run have begun the first pass
            self.random_states.on_epoch_begin(epoch)
            next(iter(self.source), None)
        self._discard_read_ahead()
        self._pass_number += 1

    def _replay_epoch(self, epoch: int) -> None:
        batches_to_skip, self._batches_to_skip = self._batches_to_skip, 0
        for _ in self._batches(self.first_epoch + epoch):
            pass
        self._batches_to_skip = batches_to_skip

    def _discard_read_ahead(self) -> None:
        self._read_ahead.clear()
        self._iterator = None

    def chunks(self, epoch: int) -> Iterator[Chunk]:
        by_index = isinstance(self.source, PyDataset)
        self._checked_batches = self._position if by_index else self._batches_to_skip
        batches = self._stack_batches(self._batches(epoch))
        yield from prefetch(batches, self.options.placement.put_chunk, lambda: self.interrupted())

    def _stack_batches(self, batches: Iterator[Any]) -> Iterator[Chunk]:
        return stack_batches(batches, self._finish_chunk)

    def evaluation_chunks(self) -> Iterator[Chunk]:
        if self._position and not self._single_pass:
            self._begin_pass()
        self._evaluations += 1
        return self.chunks(self.first_epoch + self._evaluations - 1)

    @property
    def is_drawing_random_numbers(self) -> bool:
        return self._draws_ahead and self._iterator is not None

    def random_state_after(self, epoch: int, steps: int) -> np.ndarray | None:
        """State of the global random generators, to resume a run after these steps.

        Sources other than a PyDataset repeat the epoch, which needs the state at its beginning.
        """
        if isinstance(self.source, PyDataset):
            return self.random_states.state_after_batch(steps)
        return self.random_states.state_at_epoch_begin(epoch - self.first_epoch)

    def _batches(self, epoch: int) -> Iterator[Any]:
        source, epoch_of_run = self.source, epoch - self.first_epoch
        batches_to_skip, self._batches_to_skip = self._batches_to_skip, 0
        by_index = isinstance(source, PyDataset)
        state_before = python_and_numpy_state() if batches_to_skip and by_index else None
        if self.is_drawing_random_numbers:
            self.random_states.on_epoch_continue(epoch_of_run)
        else:
            self.random_states.on_epoch_begin(epoch_of_run)
        if isinstance(source, PyDataset):
            source.on_epoch_begin()
        if state_before is not None:
            restore_python_and_numpy_state(state_before)
        batches_taken = (
            batches_to_skip if by_index else 0
        )  # number of batches of the epoch taken so far
        continues_pass = self._position > 0
        ended = False
        while self.steps is None or batches_taken < self.steps:
            if self._position == self._steps_in_pass:
                break
            try:
                batch = self._read_ahead.pop() if self._read_ahead else self._next_batch()
            except StopIteration:
                if continues_pass and batches_taken == 0 and not self._single_pass:
                    # The previous epoch had used the last batch, which could not be known then.
                    self._begin_pass()
                    continues_pass = False
                    continue
                ended = True
                break
            except Exception as error:
                self._add_batch_number(error, self._position if by_index else batches_taken)
                raise
            self._position += 1
            batches_taken += 1
            self.random_states.on_batch_end(batches_taken)
            if batches_taken > batches_to_skip:
                yield batch
        if ended and self._single_pass:
            self.exhausted = True
        elif ended or self._position == self._steps_in_pass:
            self._begin_pass()
        if isinstance(source, PyDataset):
            self.random_states.on_epoch_end(epoch_of_run)
            source.on_epoch_end()

    def _begin_pass(self) -> None:
        """Make the next batch the first one of a new pass over the source."""
        self._iterator = None
        self._position = 0
        self._pass_number += 1

    def _next_batch(self) -> PyTree:
        """The next batch of the pass.

        Raises:
            StopIteration: If the pass has no further batch.
        """
        if self._iterator is None:
            self._iterator = self._new_iterator()
        return self._convert(next(self._iterator))

    def _new_iterator(self) -> Iterator[Any]:
        source = self.source
        if not isinstance(source, PyDataset):
            return iter(source)
        count = source.num_batches
        if count is None:
            self._batch_numbers = None
            return batches_by_workers(source, itertools.count(self._position))
        order: Any = range(count)
        if self.options.shuffle:
            order = permutation(count, self.seed, self.first_epoch + self._pass_number)
        self._batch_numbers = [int(number) for number in order]
        return batches_by_workers(source, self._batch_numbers[self._position :])

    def _convert(self, batch: PyTree) -> PyTree:
        """Convert and check a batch, unless one of the same dtypes and shapes needed no change."""
        spec = _spec_of_plain_batch(batch)
        if spec is None and type(batch) in (list, tuple):
            batch = tuple(map(tensor_to_array, batch))
            spec = _spec_of_plain_batch(batch)
        if spec is not None and spec == self._checked_spec:
            return batch
        host_inputs, y, sample_weight = unpack_x_y_sample_weight(batch)
        host_inputs, y = convert(host_inputs, "x", text=True), convert(y, "y")
        x = self.options.prepare(host_inputs)
        sample_weight = convert(sample_weight, "sample_weight")
        if self._example is None:
            _refuse_single_samples(self.source, x, y)
        rows = number_of_samples(x, y, sample_weight)
        if self._example is None:
            self._example = x, y, sample_weight
            checks.warn_of_large_batch(size_in_bytes(self._example), rows)
        self._refuse_missing_or_extra(y, sample_weight)
        self.check(x, y, sample_weight)
        if spec is not None and x is host_inputs:
            self._checked_spec = spec
            return batch
        return jax.tree.map(np.asarray, pack_x_y_sample_weight(x, y, sample_weight))

    def _finish_chunk(self, data: PyTree, rows: int) -> PyTree:
        """Convert, check and reweight all batches of a chunk at once."""
        data = jax.tree.map(lambda a: to_array(a, text=True), data)
        samples = number_of_samples(data)
        try:
            self.check(*unpack_x_y_sample_weight(data))
        except ValueError:
            # Check batch by batch, so that the message names the first wrong batch.
            for number, start in enumerate(range(0, samples, rows), self._checked_batches):
                batch = jax.tree.map(lambda a: a[start : start + rows], data)  # noqa: B023
                try:
                    self.check(*unpack_x_y_sample_weight(batch))
                except ValueError as error:
                    self._add_batch_number(error, number)
                    raise
            raise
        self._checked_batches += samples // rows
        return self.options.reweight(data)

    def _add_batch_number(self, error: Exception, number: int) -> None:
        if self._batch_numbers is not None and number < len(self._batch_numbers):
            number = self._batch_numbers[number]
        error.add_note(f"  In batch {number} (from 0) of the {self.name}.")

    def _refuse_missing_or_extra(self, y: Any, sample_weight: Any) -> None:
        """Refuse a batch with y or weights if the first batch had none, or the other way round."""
        assert self._example is not None
        _, first_y, first_weight = self._example
        pairs = {"y": (y, first_y), "sample_weight": (sample_weight, first_weight)}
        for name, (array, first_array) in pairs.items():
            if (array is None) != (first_array is None):
                no, first_no = ("no ", "") if array is None else ("", "no ")
                raise ValueError(
                    f"{self.name} yielded a batch with {no}{name}, but the first "
                    f"batch had {first_no}{name}.\n"
                    "  Fix: yield (x, y) or (x, y, sample_weight), the same for every batch."
                )


def _spec_of_plain_batch(batch: PyTree) -> PyTree:
    """Dtypes and shapes of a batch that is a NumPy array or a tuple of them; None for others."""
    arrays = batch if type(batch) is tuple else (batch,)
    if len(arrays) > 3:
        return None
    for array in arrays:
        if type(array) is not np.ndarray or array.dtype.kind not in "biuf" or not array.shape:
            return None
    return type(batch), [(array.dtype, array.shape) for array in arrays]


def _length(source: Any) -> int | None:
    """Number of batches of a source, or None; its `__len__` may raise a TypeError."""
    try:
        length = len(source)
    except TypeError:
        return None
    return None if length == sys.maxsize else length  # grain's value for endless data


def _refuse_single_samples(source: Any, x: Data, y: Targets) -> None:
    """Refuse a source that yields single samples instead of batches."""
    arrays, targets = jax.tree.leaves(x), jax.tree.leaves(y)
    is_single_row = isinstance(x, dict) and any(leaf.ndim == 0 for leaf in arrays)
    if is_single_row and y is None:
        raise ValueError(
            f"The {type(source).__name__} yields single samples instead of batches: a dict of "
            f"{', '.join(map(repr, x))}.\n  Fix: {_batching_code(list(x))}"
        )
    if len(arrays) != 1 or len(targets) != 1 or arrays[0].ndim == 0:
        return
    shape, y_shape = tuple(arrays[0].shape), tuple(targets[0].shape)
    if y_shape == () or (y_shape == (1,) and shape[0] != 1):
        fix = "yield batches, e.g. x[i : i + 32], y[i : i + 32]"
        if hasattr(source, "batch"):
            fix = "dataset = dataset.batch(32)"
        elif _is_from_torch(source):
            fix = "loader = torch.utils.data.DataLoader(dataset, batch_size=32)"
        elif hasattr(source, "_sampler"):
            fix = "operations=[grain.transforms.Batch(32)] in the DataLoader"
        raise ValueError(
            f"The {type(source).__name__} yields single samples instead of batches: x of shape "
            f"{shape}, y of shape {y_shape}.\n  Fix: {fix}."
        )


def _batching_code(names: list[str]) -> str:
    """The line of code that converts rows that are dicts to batches of `(x, y)`."""
    target = next((name for name in names if name in _TARGET_NAMES), names[-1])
    inputs = [name for name in names if name != target]
    x = f"row[{inputs[0]!r}]" if len(inputs) == 1 else f"{{name: row[name] for name in {inputs}}}"
    return (
        f"batches = lamina.data.Dataset.from_generator(lambda: (({x}, row[{target!r}]) for row in "
        "dataset)).batch(32), and model.fit(batches)."
    )


_TARGET_NAMES = ("label", "labels", "target", "targets", "y")


def _is_from_torch(source: Any) -> bool:
    return any(kind.__module__.startswith("torch.utils.data") for kind in type(source).__mro__)
