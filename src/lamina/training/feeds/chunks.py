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

# Large enough that the start of a program costs little, and small enough that three chunks take
# little memory: docs/performance.md, `chunk-size`.
_MAX_BYTES = 16 * 2**20
_MAX_STEPS = 512
_MAX_SECONDS = 0.25
# XLA reads a NumPy array without a copy if its address is a multiple of this number of bytes.
_ALIGNMENT = 64


class Chunk(NamedTuple):
    """Batches in one array: batch `i` begins at row `order[i * batch_size]`.

    The engine gets it on the device. It is on the host while it is being made.
    """

    data: Any
    order: Any  # int32 array of row numbers, or None for the order of the rows
    batch_size: int
    start: int
    stop: int


class Buffers:
    """Host memory for chunks that is reused: the system would have to clear new pages.

    The device may read this very memory, so a buffer is reused only when its chunk is no longer
    needed. One of the three is in use, one is waiting, and one is being filled.
    """

    _COUNT = 3

    def __init__(self) -> None:
        self._arrays: list[list[np.ndarray]] = [[] for _ in range(self._COUNT)]
        self._next = itertools.cycle(range(self._COUNT))

    def take(self, shapes: list[tuple[tuple[int, ...], np.dtype]]) -> list[np.ndarray]:
        """Uninitialised arrays of these shapes and dtypes."""
        i = next(self._next)
        if [(array.shape, array.dtype) for array in self._arrays[i]] != shapes:
            self._arrays[i] = [empty_aligned(shape, dtype) for shape, dtype in shapes]
        return self._arrays[i]


def steps_in_chunk(bytes_of_batch: int) -> int:
    """Number of batches in a chunk."""
    return max(1, min(_MAX_STEPS, _MAX_BYTES // max(1, bytes_of_batch)))


def stack_batches(
    batches: Iterable[Any], finish: Callable[[Any, int], Any] = lambda data, rows: data
) -> Iterator[Chunk]:
    """Concatenate batches of one size to chunks of one shape, for which one program is enough.

    Args:
        batches: Structures of NumPy arrays.
        finish: A row-wise function of the filled rows of a chunk and the batch size, which may
            change dtypes. It is applied to a chunk at once, which is quicker than to every batch.
    """
    buffers = Buffers()
    buffer: list[np.ndarray] = []
    filled, rows, capacity = 0, 0, 0
    spec: Any = None
    began = 0.0
    may_be_short = not processes.are_several()  # all processes need the same chunks

    def finished_chunk() -> Chunk:
        views = [array[: filled * rows] for array in buffer]
        data = finish(jax.tree.unflatten(spec[0], views), rows)

        def at_capacity(array: Any) -> Any:
            # A view that `finish` has returned unchanged needs no copy: its buffer is that long.
            for view, whole_array in zip(views, buffer, strict=True):
                if array is view:
                    return whole_array
            return with_length(array, capacity * rows)

        return Chunk(jax.tree.map(at_capacity, data), None, rows, 0, filled)

    try:
        for batch in batches:
            leaves, structure = jax.tree.flatten(batch)
            batch_spec = structure, [(leaf.dtype, leaf.shape) for leaf in leaves]
            overdue = filled and may_be_short and time.monotonic() - began > _MAX_SECONDS
            if filled and (filled == capacity or overdue or batch_spec != spec):
                yield finished_chunk()
                filled = 0
            if not filled:
                spec, began = batch_spec, time.monotonic()
                rows = leaves[0].shape[0]
                capacity = steps_in_chunk(sum(leaf.nbytes for leaf in leaves))
                shapes = [((capacity * rows, *shape[1:]), dtype) for dtype, shape in spec[1]]
                buffer = buffers.take(shapes)
            start = filled * rows
            for target, source in zip(buffer, leaves, strict=True):
                target[start : start + rows] = source
            filled += 1
    except Exception:
        if filled:
            yield finished_chunk()  # the batches before the error are used for training
        raise
    if filled:
        yield finished_chunk()


def prefetch(
    chunks: Iterator[Chunk],
    put: Callable[[Chunk], Any],
    interrupted: Callable[[], bool] = lambda: False,
) -> Iterator[Chunk]:
    """Prepare the next chunk in a thread while the device works on this one.

    Args:
        chunks: Chunks with their data on the host.
        put: Puts the data of a chunk on the device.
        interrupted: Whether to stop waiting; called a few times a second.
    """
    ready: queue.Queue[Any] = queue.Queue(maxsize=1)
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

    def produce() -> None:
        try:
            for chunk in chunks:
                if not hand_over(chunk._replace(data=put(chunk))):
                    return
        except BaseException as error:  # passed on, to be raised where `fit` was called
            hand_over(error)
        else:
            hand_over(finished)

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
        # A source that hangs can't be stopped: its thread ends with the process. A second Ctrl-C
        # ends this wait; nothing here could handle the exception, so Python would only print it.
        with contextlib.suppress(KeyboardInterrupt):
            worker.join(timeout=0.5 if interrupted() else 5)


def example_chunk(example: tuple[Any, Any, Any], max_rows: int, put: Callable[[Any], Any]) -> Chunk:
    """A chunk of one batch, made of the first rows of an example."""
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


def with_length(array: np.ndarray, rows: int) -> np.ndarray:
    """The array with uninitialised rows appended, so that all chunks have the same shape."""
    if len(array) == rows:
        return array
    longer = empty_aligned((rows, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer
