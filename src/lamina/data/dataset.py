"""`Dataset`: a chain of steps from samples to batches, with the methods of `tf.data.Dataset`.

`fit` accepts it like any other source of batches. Nothing is computed before it is iterated, and
every pass over it starts from the beginning.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from lamina.contract import Contract
from lamina.core.messages.representation import safe_repr
from lamina.core.messages.tracebacks import filter_tracebacks_of_methods
from lamina.core.types import PyTree
from lamina.core.user_data.arguments import check_integer
from lamina.core.user_data.data_kinds import is_column, is_table, is_text_dtype
from lamina.core.user_data.masked_arrays import remove_mask
from lamina.core.user_data.text import compute_on_host
from lamina.core.variable.seed import make_default_seed
from lamina.data.parallel import AUTOTUNE, number_of_workers, parallel_map, prefetch

INFINITE, UNKNOWN = -1, -2
_PREFETCHED = 2


class HostArray(np.ndarray):
    """A NumPy array with a method `numpy()`, which many scripts call on elements of a data set."""

    def numpy(self) -> np.ndarray:
        """The values as a plain NumPy array."""
        return np.asarray(self)


@filter_tracebacks_of_methods
class Dataset:
    """Samples or batches, and the steps that are applied to them.

    Every method returns a new data set and does not change this one. An element is an array, or a
    tuple or dictionary of arrays. A text is a Python string; the
    texts of a batch are an array of dtype object.

    Args:
        start: Called for every pass; returns the elements of the pass.
        length: Number of elements; None if it is unknown, `math.inf` if they never end.
        class_names: Names of the classes 0, 1, …, if known; kept by all methods.
        file_paths: The files of the samples, before they are shuffled.
        contract: Description of the data, which a model trained on them remembers. After `map`
            only the part about the outputs is kept, since the inputs may have changed.

    Example:
        >>> numbers = Dataset.from_tensor_slices(np.arange(5)).map(lambda x: x * 10)
        >>> [batch.tolist() for batch in numbers.batch(2)]
        [[0, 10], [20, 30], [40]]
        >>> len(numbers.batch(2))
        3
    """

    def __init__(
        self,
        start: Callable[[], Iterable],
        length: float | None = None,
        *,
        class_names: list[str] | None = None,
        file_paths: list[str] | None = None,
        contract: Contract | None = None,
    ):
        self._start = start
        self._length = length
        self.class_names = class_names
        self.file_paths = file_paths
        self.sample_names: Any = file_paths  # a name for each sample, for messages
        self.contract = contract
        # How many passes, from the first, a resumed run must go through again: 1 after `cache`, to
        # fill it with the same elements.
        self.passes_to_replay = 0
        # Whether a thread prepares elements ahead; see `prefetch`.
        self.draws_ahead = False

    @staticmethod
    def from_tensor_slices(tensors: PyTree) -> "Dataset":
        """One element for every row of an array, or of several arrays in a tuple or dictionary.

        Tables and columns are used by position; the index is ignored. A row of a table is a vector;
        `dict(table)` gives a dictionary with a number or text for every column.

        Args:
            tensors: Array, table or column, or a tuple or dict of them, with rows on the first
                axis.

        Returns:
            A data set of as many elements as there are rows.

        Raises:
            ValueError: If the numbers of rows differ.
        """
        tensors = _map_arrays(_as_rows, tensors)
        lengths = {len(array) for array in _leaves(tensors)}
        if len(lengths) != 1:
            raise ValueError(
                "from_tensor_slices needs arrays with the same number of rows; received lengths "
                f"{sorted(lengths)}."
            )
        length = lengths.pop()
        return Dataset(lambda: (_row_at(tensors, i) for i in range(length)), length)

    @staticmethod
    def from_generator(generator: Callable[[], Iterable], *_: Any, **__: Any) -> "Dataset":
        """The elements of the iterable that `generator()` returns.

        Types and shapes need not be declared.

        Args:
            generator: Function without arguments that returns an iterable; called for every pass.

        Returns:
            A data set of unknown length.

        Raises:
            TypeError: If it is a generator rather than a function that makes one.
        """
        if not callable(generator):
            raise TypeError(
                "from_generator needs a function that makes a generator, so that every epoch can "
                f"start over; received {type(generator).__name__}.\n  Fix: leave out the ()."
            )
        return Dataset(generator)

    @staticmethod
    def range(*args: int) -> "Dataset":
        """Integers, as in Python's `range(stop)` and `range(start, stop, step)`.

        Args:
            *args: `stop`; or `start` and `stop`; or `start`, `stop` and `step`.

        Returns:
            A data set of int64 numbers.
        """
        numbers = range(*args)
        return Dataset(lambda: map(np.int64, numbers), len(numbers))

    @staticmethod
    def zip(*datasets: Any) -> "Dataset":
        """Tuples of the elements of several data sets; ends with the shortest.

        Args:
            *datasets: The data sets, or one tuple of them.

        Returns:
            A data set of tuples.
        """
        parts = datasets[0] if len(datasets) == 1 else datasets
        lengths = [part._length for part in parts]
        length = None if None in lengths else min(lengths)
        pairs = Dataset(lambda: zip(*(part._start() for part in parts), strict=False), length)
        pairs.passes_to_replay = max(part.passes_to_replay for part in parts)
        pairs.draws_ahead = any(part.draws_ahead for part in parts)
        return pairs

    def map(
        self,
        map_func: Callable,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
    ) -> "Dataset":
        """Apply a function to every element; the parts of a tuple are its arguments.

        Args:
            map_func: Called in Python, with NumPy arrays.
            num_parallel_calls: Number of threads that call it; NumPy, Pillow and file access run in
                parallel. -1 (`AUTOTUNE`) for a suitable number.
            deterministic: Accepted for compatibility; the order is always kept.

        Returns:
            A data set.
        """

        def call(element: Any) -> Any:
            with compute_on_host():  # layers called in it return NumPy arrays
                return map_func(*element) if isinstance(element, tuple) else map_func(element)

        workers = number_of_workers(num_parallel_calls)
        changed = self._derive(lambda: parallel_map(call, self._start(), workers), self._length)
        changed.contract = None if self.contract is None else self.contract.without_inputs()
        return changed

    def flat_map(self, map_func: Callable) -> "Dataset":
        """Map every element to a data set, and concatenate them.

        Args:
            map_func: Called as by `map`; returns a `Dataset`.

        Returns:
            A data set.
        """
        parts = self.map(map_func)

        def start() -> Iterator:
            return itertools.chain.from_iterable(map(_elements, parts._start()))

        return parts._derive(start, None)

    def filter(self, predicate: Callable) -> "Dataset":
        """Only the elements for which a function returns True.

        Args:
            predicate: Function of an element; of its parts, if it is a tuple.

        Returns:
            A data set of unknown length.
        """

        def keep(element: Any) -> bool:
            return bool(predicate(*element) if isinstance(element, tuple) else predicate(element))

        return self._derive(lambda: filter(keep, self._start()), None)

    def batch(
        self,
        batch_size: int,
        drop_remainder: bool = False,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
    ) -> "Dataset":
        """Elements stacked along a new first axis.

        Args:
            batch_size: Samples in a batch; the last one may have fewer.
            drop_remainder: Whether to leave out a last batch that is smaller.
            num_parallel_calls: Accepted for compatibility, without effect.
            deterministic: Accepted for compatibility; the order is always kept.

        Returns:
            A data set.
        """
        return self._make_batches(batch_size, drop_remainder, stack_elements)

    def padded_batch(
        self,
        batch_size: int,
        padded_shapes: Any = None,
        padding_values: float = 0,
        drop_remainder: bool = False,
    ) -> "Dataset":
        """Like `batch`, for elements of unequal length: shorter ones are padded at the end.

        Args:
            batch_size: Samples in a batch.
            padded_shapes: Must be None: elements are padded to the longest in the batch.
            padding_values: The value to pad with.
            drop_remainder: Whether to leave out a last batch that is smaller.

        Returns:
            A data set.
        """
        if padded_shapes is not None:
            raise ValueError(
                "padded_batch pads to the longest element of a batch; padded_shapes must be None, "
                f"received {padded_shapes!r}.\n  Fix: crop or pad in map(…) before it."
            )
        return self._make_batches(
            batch_size, drop_remainder, lambda elements: pad_and_stack(elements, padding_values)
        )

    def _make_batches(self, batch_size: int, drop_remainder: bool, collate: Callable) -> "Dataset":
        size = check_integer("batch_size", batch_size)

        def start() -> Iterator:
            source = iter(self._start())
            while elements := list(itertools.islice(source, size)):
                if len(elements) == size or not drop_remainder:
                    yield collate(elements)

        length = self._length
        if length is not None and length != math.inf:
            length = length // size if drop_remainder else -(-length // size)
        return self._derive(start, length)

    def window(
        self, size: int, shift: int | None = None, stride: int = 1, drop_remainder: bool = False
    ) -> "Dataset":
        """Data sets of `size` consecutive elements, from which `flat_map` can make batches.

        Args:
            size: Elements in a window; windows at the end may have fewer.
            shift: Distance between the beginnings of two windows; `size` if None.
            stride: Distance between two elements of a window.
            drop_remainder: Whether to leave out windows that have fewer.

        Returns:
            A data set.

        Example:
            >>> windows = Dataset.range(5).window(3, shift=1, drop_remainder=True)
            >>> [w.tolist() for w in windows.flat_map(lambda window: window.batch(3))]
            [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
        """
        size, stride = check_integer("size", size), check_integer("stride", stride)
        shift = size if shift is None else check_integer("shift", shift)
        span = (size - 1) * stride + 1

        def start() -> Iterator:
            source = iter(self._start())
            items: list = []
            while True:
                items += itertools.islice(source, span - len(items))
                elements = items[::stride]
                if not elements or (drop_remainder and len(elements) < size):
                    return
                yield self._derive(partial(iter, elements), len(elements))
                # Skip the elements between two windows.
                list(itertools.islice(source, max(0, shift - len(items))))
                del items[:shift]

        return self._derive(start, None)

    def unbatch(self) -> "Dataset":
        """The rows of every element, one by one.

        Returns:
            A data set.
        """

        def start() -> Iterator:
            for element in self._start():
                element = _map_arrays(_as_rows, element)
                rows = min(len(array) for array in _leaves(element))
                yield from (_row_at(element, i) for i in range(rows))

        return self._derive(start, math.inf if self._length == math.inf else None)

    def shuffle(
        self,
        buffer_size: int,
        seed: int | None = None,
        reshuffle_each_iteration: bool | None = True,
    ) -> "Dataset":
        """The elements in a random order.

        Args:
            buffer_size: Size of the buffer from which elements are drawn. A buffer for all samples
                shuffles perfectly; a smaller one only mixes neighbours.
            seed: The order is a function of the seed and the number of the pass.
            reshuffle_each_iteration: Whether every pass has another order.

        Returns:
            A data set.
        """
        size = check_integer("buffer_size", buffer_size)
        seed = make_default_seed() if seed is None else check_integer("seed", seed, 0)
        passes = itertools.count()

        def start() -> Iterator:
            number = 0 if reshuffle_each_iteration is False else next(passes)
            generator = np.random.default_rng([seed, number])
            source = iter(self._start())
            waiting = list(itertools.islice(source, size))
            for element in source:
                index = int(generator.integers(len(waiting)))
                yield waiting[index]
                waiting[index] = element
            for index in generator.permutation(len(waiting)):
                yield waiting[index]

        return self._derive(start, self._length)

    def take(self, count: int) -> "Dataset":
        """The first `count` elements; all of them for -1.

        Args:
            count: Number of elements.

        Returns:
            A data set.

        Raises:
            ValueError: If `count` is less than -1.
        """
        if count == -1:
            return self._derive(self._start, self._length)
        count = check_integer("count", count, 0)
        length = None if self._length is None else min(self._length, count)
        return self._derive(lambda: itertools.islice(self._start(), count), length)

    def skip(self, count: int) -> "Dataset":
        """All but the first `count` elements.

        Args:
            count: Number of elements.

        Returns:
            A data set.

        Raises:
            ValueError: If `count` is negative.
        """
        count = check_integer("count", count, 0)
        length = None if self._length is None else max(0, self._length - count)
        return self._derive(lambda: itertools.islice(self._start(), count, None), length)

    def repeat(self, count: int | None = None) -> "Dataset":
        """Repeat the elements `count` times; without end for None or -1.

        Args:
            count: Number of passes.

        Returns:
            A data set.
        """
        times = None if count in (None, -1) else check_integer("count", count, 0)

        def start() -> Iterator:
            for number in itertools.count():
                if number == times:
                    return
                empty = True
                for element in self._start():
                    empty = False
                    yield element
                if empty:
                    return

        length: float | None = 0 if self._length == 0 else math.inf
        if times is not None:
            length = None if self._length is None else self._length * times
        return self._derive(start, length)

    def concatenate(self, dataset: "Dataset") -> "Dataset":
        """The elements of this data set, then those of another.

        Args:
            dataset: The other data set.

        Returns:
            A data set.
        """
        lengths = (self._length, dataset._length)
        length = None if None in lengths else sum(lengths)  # type: ignore[arg-type]
        joined = self._derive(lambda: itertools.chain(self._start(), dataset._start()), length)
        joined.passes_to_replay = max(self.passes_to_replay, dataset.passes_to_replay)
        joined.draws_ahead = self.draws_ahead or dataset.draws_ahead
        return joined

    def enumerate(self, start: int = 0) -> "Dataset":
        """Pairs of a number and an element.

        Args:
            start: The first number.

        Returns:
            A data set of tuples `(number, element)`.
        """
        return self._derive(lambda: enumerate(self._start(), start), self._length)

    def cache(self, filename: str = "") -> "Dataset":
        """Store the elements in memory in the first complete pass, and reuse them afterwards.

        Args:
            filename: Must be empty: nothing is written to a file.

        Returns:
            A data set.
        """
        if filename:
            raise ValueError(
                f"cache keeps elements in memory; received filename={str(filename)!r}.\n"
                "  Fix: .cache(), or save arrays with numpy.save and open them with "
                "numpy.load(path, mmap_mode='r')."
            )
        items: list[Any] = []
        complete = False

        def start() -> Iterator:
            nonlocal items, complete
            if complete:
                yield from items
                return
            new_items = []
            for element in self._start():
                new_items.append(element)
                if len(new_items) == self._length:  # a consumer may stop after this many elements
                    items, complete = new_items, True
                yield element
            items, complete = new_items, True

        cached = self._derive(start, self._length)
        cached.passes_to_replay = 1
        return cached

    def prefetch(self, buffer_size: int = AUTOTUNE) -> "Dataset":
        """Prepare elements in a thread, while the previous one is used.

        Args:
            buffer_size: Number of elements; -1 (`AUTOTUNE`) for a suitable number.

        Returns:
            A data set.
        """
        count = (
            _PREFETCHED if buffer_size == AUTOTUNE else check_integer("buffer_size", buffer_size, 0)
        )
        if count == 0:
            return self._derive(self._start, self._length)
        prefetched = self._derive(lambda: prefetch(self._start(), count), self._length)
        prefetched.draws_ahead = True
        return prefetched

    def with_options(self, options: Any) -> "Dataset":
        """Accepted for compatibility, without effect.

        Args:
            options: Anything.

        Returns:
            This data set.
        """
        return self

    def as_numpy_iterator(self) -> Iterator:
        """One pass, as plain NumPy arrays.

        Returns:
            An iterator over elements.
        """
        return (_map_arrays(np.asarray, element) for element in self._start())

    def cardinality(self) -> int:
        """Number of elements; -1 if they never end, -2 if it is unknown.

        Returns:
            An integer.
        """
        if self._length is None:
            return UNKNOWN
        return INFINITE if self._length == math.inf else int(self._length)

    @property
    def endless(self) -> bool:
        """Whether a pass never ends."""
        return self._length == math.inf

    def __iter__(self) -> Iterator:
        return (_map_arrays(_as_host_arrays, element) for element in self._start())

    def __len__(self) -> int:
        if self.cardinality() < 0:
            why = "it never ends" if self.endless else "its length is only known by going through"
            raise TypeError(f"This data set has no len(): {why}.")
        return self.cardinality()

    def __bool__(self) -> bool:
        return True

    @safe_repr
    def __repr__(self) -> str:
        length = {INFINITE: "endless", UNKNOWN: "of unknown length"}.get(self.cardinality())
        return f"<Dataset {length or f'of {self.cardinality()} elements'}>"

    def _derive(self, start: Callable[[], Iterable], length: float | None) -> "Dataset":
        following = Dataset(start, length, class_names=self.class_names, contract=self.contract)
        following.passes_to_replay = self.passes_to_replay
        following.draws_ahead = self.draws_ahead
        return following


def _elements(dataset: Any) -> Iterable:
    if not isinstance(dataset, Dataset):
        raise TypeError(
            "flat_map needs a function that gives a Dataset for every element; it gave a "
            f"{type(dataset).__name__}.\n  Fix: map() for a function that gives arrays."
        )
    return dataset._start()


def stack_elements(elements: Sequence) -> Any:
    """Stack elements along a new first axis."""
    return _map_arrays(_stack, *elements)


def pad_and_stack(elements: Sequence, value: float = 0) -> Any:
    """Stack arrays of unequal size, padded with a value at the ends of their axes."""

    def pad(*arrays: Any) -> np.ndarray:
        arrays = tuple(map(np.asarray, arrays))
        shape = np.max([array.shape for array in arrays], axis=0, initial=0).astype(int)
        result = np.full((len(arrays), *shape), value, arrays[0].dtype)
        for number, array in enumerate(arrays):
            start: tuple = tuple(slice(size) for size in array.shape)
            result[(number, *start)] = array
        return result

    return _map_arrays(pad, *elements)


def _stack(*values: Any) -> np.ndarray:
    if isinstance(values[0], (str, bytes)):
        return np.array(values, dtype=object)
    arrays = [np.asarray(value) for value in values]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        first, second = sorted(shapes)[:2]
        raise ValueError(
            f"batch cannot stack elements of different shapes, such as {first} and {second}.\n"
            "  Fix: bring them to one shape in map(…), or use padded_batch(…)."
        )
    return np.stack(arrays)


def _map_arrays(function: Callable, *elements: Any) -> Any:
    """Apply a function to the arrays at each position of equal structures."""
    first = elements[0]
    if isinstance(first, tuple):
        return tuple(_map_arrays(function, *parts) for parts in zip(*elements, strict=True))
    if isinstance(first, dict):
        return {
            key: _map_arrays(function, *(element[key] for element in elements)) for key in first
        }
    return None if first is None else function(*elements)


def _row_at(element: Any, number: int) -> Any:
    return _map_arrays(lambda array: array[number], element)


def _leaves(element: Any) -> list:
    leaves: list = []
    _map_arrays(leaves.append, element)
    return leaves


def _as_rows(value: Any) -> Any:
    if is_table(value) or is_column(value):  # by position; the index is ignored
        array = value.to_numpy()
        if is_table(value) and array.dtype.kind == "O" and not _has_one_kind(array):
            kinds = ", ".join(f"{name!r}: {value[name].dtype}" for name in value.columns)
            raise TypeError(
                "from_tensor_slices makes a vector of every row of a table, and the columns of "
                f"this one differ in kind ({kinds}).\n"
                "  Fix: dict(table) in place of table gives a dictionary of columns."
            )
        value = array
    array = value if hasattr(value, "shape") else np.asarray(value)
    array = remove_mask(array, "an array of from_tensor_slices")
    if np.ndim(array) == 0:
        raise ValueError(f"from_tensor_slices needs arrays with rows; received {value!r}.")
    if isinstance(array, np.ndarray) and is_text_dtype(array.dtype):
        return array.astype(object)  # so that a row is a plain Python string
    return array


def _has_one_kind(array: np.ndarray) -> bool:
    """Whether an array of objects has only texts, or only other values."""
    return len({isinstance(value, str) for value in array.ravel().tolist()}) == 1


def _as_host_arrays(value: Any) -> Any:
    if isinstance(value, (str, bytes)):
        return value
    if isinstance(value, (np.ndarray, np.generic, bool, int, float)):
        return np.asarray(value).view(HostArray)
    return value
