"""Chunks: several batches of one size in one array, prepared by a thread while the device works.

All streamed data pass through here: `stack_batches` concatenates batches, and `prefetch` prepares a
chunk while the device works on the one before.
"""

import contextlib
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from lamina.core import processes
from lamina.core.user_data.data_kinds import may_hold_text

# Large enough that the cost of starting a program is small, and small enough that three chunks need
# little memory; see `chunk-size` in docs/performance.md.
_MAX_BYTES = 16 * 2**20
_MAX_STEPS = 512
_MAX_SECONDS = 0.25
# XLA reads a NumPy array without a copy if its address is a multiple of this number of bytes.
_ALIGNMENT = 64


class Chunk(NamedTuple):
    """Batches in one array: batch `i` has the rows `order[i * batch_size : (i + 1) * batch_size]`.

    A chunk is prepared on the host; when the engine receives it, its data are on the device.

    Args:
        data: Structure of arrays with one row per sample.
        order: int32 array of row numbers; None if the rows are in order.
        batch_size: Rows in a batch.
        start, stop: The steps of the chunk to run: batches `start` (inclusive) to `stop`.
        own_rows: Positions in a batch of the rows that the data have, if they are only those that
            this process needs; see `Placement.own_rows`. None if they are all.
    """

    data: Any
    order: Any
    batch_size: int
    start: int
    stop: int
    own_rows: np.ndarray | None = None


class Buffers:
    """Host memory for chunks, reused because the operating system must clear new memory.

    The device may read this memory directly, so a buffer is reused only when its chunk is no longer
    needed. Of the three buffers, one is in use, one is ready, and one is being filled.
    """

    _COUNT = 3

    def __init__(self) -> None:
        self._arrays: list[list[np.ndarray]] = [[] for _ in range(self._COUNT)]
        self._next = itertools.cycle(range(self._COUNT))

    def allocate(self, shapes: list[tuple[tuple[int, ...], np.dtype]]) -> list[np.ndarray]:
        """Uninitialised arrays of these shapes and dtypes."""
        i = next(self._next)
        if [(array.shape, array.dtype) for array in self._arrays[i]] != shapes:
            self._arrays[i] = [empty_aligned(shape, dtype) for shape, dtype in shapes]
        return self._arrays[i]


def steps_in_chunk(batch_bytes: int) -> int:
    """Number of batches in a chunk."""
    return max(1, min(_MAX_STEPS, _MAX_BYTES // max(1, batch_bytes)))


def stack_batches(
    batches: Iterable[Any],
    finish: Callable[[Any, int], Any] = lambda data, rows: data,
    batch_size: int = 0,
    own_rows: np.ndarray | None = None,
) -> Iterator[Chunk]:
    """Concatenate batches to chunks; chunks of batches of one size have one shape, for one program.

    Args:
        batches: Structures of NumPy arrays.
        finish: A row-wise function of a chunk's data and the batch size, which may change dtypes.
            One call for a chunk is faster than a call for every batch.
        batch_size: Rows in a whole batch, if `own_rows` is given.
        own_rows: Positions of the rows that batches may be reduced to. A batch with another number
            of rows is a whole one.
    """
    buffers = Buffers()
    buffer: list[np.ndarray] = []
    count, rows, capacity = 0, 0, 0
    is_reduced = False
    spec: Any = None
    start_time = 0.0
    may_be_short = not processes.is_multi_process()  # all processes need the same chunks

    def make_chunk() -> Chunk:
        views = [array[: count * rows] for array in buffer]
        data = finish(jax.tree.unflatten(spec[0], views), rows)

        def extend_to_capacity(array: Any) -> Any:
            # A view that `finish` has returned unchanged needs no copy: its buffer has the length.
            for view, whole_array in zip(views, buffer, strict=True):
                if array is view:
                    return whole_array
            return extend_rows(array, capacity * rows)

        whole = jax.tree.map(extend_to_capacity, data)
        if is_reduced:
            return Chunk(whole, None, batch_size, 0, count, own_rows)
        return Chunk(whole, None, rows, 0, count)

    try:
        for batch in batches:
            leaves, structure = jax.tree.flatten(batch)
            batch_spec = structure, [(leaf.dtype, leaf.shape) for leaf in leaves]
            overdue = count and may_be_short and time.monotonic() - start_time > _MAX_SECONDS
            if count and (count == capacity or overdue or batch_spec != spec):
                yield make_chunk()
                count = 0
            if not count:
                spec, start_time = batch_spec, time.monotonic()
                rows = leaves[0].shape[0]
                is_reduced = own_rows is not None and rows == len(own_rows)
                batch_bytes = sum(leaf.nbytes for leaf in leaves)
                # All processes need equal chunks, whatever rows they have.
                whole_bytes = batch_bytes // rows * batch_size if is_reduced else batch_bytes
                capacity = steps_in_chunk(whole_bytes)
                shapes = [((capacity * rows, *shape[1:]), dtype) for dtype, shape in spec[1]]
                buffer = buffers.allocate(shapes)
            start = count * rows
            for target, source in zip(buffer, leaves, strict=True):
                target[start : start + rows] = source
            count += 1
    except Exception:
        if count:
            yield make_chunk()  # training still uses the batches before the error
        raise
    if count:
        yield make_chunk()


def prefetch(
    chunks: Iterator[Chunk],
    put: Callable[[Chunk], Any],
    interrupted: Callable[[], bool] = lambda: False,
) -> Iterator[Chunk]:
    """Prepare the next chunk in a thread while the device works on the current one.

    Args:
        chunks: Chunks with their data on the host.
        put: Puts the data of a chunk on the device.
        interrupted: Whether to stop waiting for chunks; called a few times per second.
    """
    ready: queue.Queue[Any] = queue.Queue(maxsize=1)
    stopped = threading.Event()
    finished = object()

    def put_item(item: Any) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        try:
            for chunk in chunks:
                if not put_item(chunk._replace(data=put(chunk))):
                    return
        except BaseException as error:  # raised again in the thread that called `fit`
            put_item(error)
        else:
            put_item(finished)

    worker = threading.Thread(target=produce, name="lamina-feed", daemon=True)
    worker.start()
    try:
        while True:
            try:
                item = ready.get(timeout=0.2)
            except queue.Empty:
                if interrupted():
                    return
                continue
            if item is finished:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        # A source that hangs cannot be stopped; its thread ends with the process. A second Ctrl-C
        # ends the wait, and is suppressed, because Python would only print the exception here.
        with contextlib.suppress(KeyboardInterrupt):
            worker.join(timeout=0.5 if interrupted() else 5)


def example_chunk(example: tuple[Any, Any, Any], max_rows: int, put: Callable[[Any], Any]) -> Chunk:
    """A chunk of one batch: the first rows of an example batch."""
    x, y, sample_weight = example
    rows = min(max_rows, *(leaf.shape[0] for leaf in jax.tree.leaves(example)))
    data: Any = (x, y, sample_weight)
    if sample_weight is None:
        data = x if y is None else (x, y)
    first_rows = jax.tree.map(lambda a: np.asarray(a[:rows]), data)
    return Chunk(put(first_rows), None, rows, 0, 1)


def empty_aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An uninitialised array at an address that XLA can read without a copy."""
    if may_hold_text(dtype):
        return np.empty(shape, dtype)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def extend_rows(array: np.ndarray, rows: int) -> np.ndarray:
    """The array with uninitialised rows appended, so that all chunks have the same shape."""
    if len(array) == rows:
        return array
    longer = empty_aligned((rows, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer
