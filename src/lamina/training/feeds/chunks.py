"""Chunks: batches of one size on the device, made by a thread while those before are used.

Everything that is streamed passes here: `stack_batches` puts batches behind one another, `prefetch`
makes a chunk while the device works on the one before.
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

from lamina.core.user_data.data_kinds import may_hold_text

# A chunk is large enough that starting a program costs little beside it, and small enough that
# three of them never matter in memory. An epoch of 1,875 steps from a generator, resident 0.47 s:
# 0.50 s in chunks of 64 or 128 steps, 0.48 s of 512, 0.49 s of 1,024.
_BYTES = 16 * 2**20
_STEPS = 512
_SECONDS = 0.25
# XLA reads an array of NumPy where it lies if it begins at a multiple of so many bytes.
_ALIGNMENT = 64


class Chunk(NamedTuple):
    """Batches in one array: row `order[i * batch_size]` and on are batch `i`.

    On the device, where the engine gets it; on the host while it is being made.
    """

    data: Any
    order: Any  # int32 array, or None for the rows as they lie
    batch_size: int
    start: int
    stop: int


class Buffers:
    """Host memory for chunks, used again and again: fresh pages would have to be cleared.

    The device may read this very memory, so a buffer comes back only when its chunk is done
    with: one is in use, one waits, one is being filled.
    """

    _COUNT = 3

    def __init__(self) -> None:
        self._held: list[list[np.ndarray]] = [[] for _ in range(self._COUNT)]
        self._next = itertools.cycle(range(self._COUNT))

    def take(self, shapes: list[tuple[tuple[int, ...], np.dtype]]) -> list[np.ndarray]:
        """Arrays of these shapes and dtypes, with any content."""
        place = next(self._next)
        if [(array.shape, array.dtype) for array in self._held[place]] != shapes:
            self._held[place] = [aligned(shape, dtype) for shape, dtype in shapes]
        return self._held[place]


def steps_in_chunk(bytes_of_batch: int) -> int:
    """How many batches of that size make a chunk."""
    return max(1, min(_STEPS, _BYTES // max(1, bytes_of_batch)))


def stack_batches(
    batches: Iterable[Any], finish: Callable[[Any, int], Any] = lambda data, rows: data
) -> Iterator[Chunk]:
    """Stack batches of one size into chunks whose arrays have one shape, so one program.

    What a chunk costs should not be paid for every batch: what is to be done to all of them is
    done to the stack, if it works row by row.

    Args:
        batches: Structures of NumPy arrays.
        finish: Applied to the filled rows of a chunk and the number of rows in a batch; may
            change dtypes.
    """
    buffers = Buffers()
    buffer: list[np.ndarray] = []
    filled, rows, capacity = 0, 0, 0
    spec: Any = None
    began = 0.0

    def whole() -> Chunk:
        parts = [array[: filled * rows] for array in buffer]
        longer = {id(part): array for part, array in zip(parts, buffer, strict=True)}
        data = finish(jax.tree.unflatten(spec[0], parts), rows)
        data = jax.tree.map(
            lambda a: longer[id(a)] if id(a) in longer else with_length(a, capacity * rows), data
        )
        return Chunk(data, None, rows, 0, filled)

    try:
        for batch in batches:
            leaves, structure = jax.tree.flatten(batch)
            this = structure, [(leaf.dtype, leaf.shape) for leaf in leaves]
            late = filled and time.monotonic() - began > _SECONDS
            if filled and (filled == capacity or late or this != spec):
                yield whole()
                filled = 0
            if not filled:
                spec, began = this, time.monotonic()
                rows = leaves[0].shape[0]
                capacity = steps_in_chunk(sum(leaf.nbytes for leaf in leaves))
                buffer = buffers.take([((capacity * rows, *s[1:]), d) for d, s in spec[1]])
            start = filled * rows
            for target, source in zip(buffer, leaves, strict=True):
                target[start : start + rows] = source
            filled += 1
    except Exception:
        if filled:
            yield whole()  # what came before the mistake is used, as if batches came one by one
        raise
    if filled:
        yield whole()


def prefetch(
    chunks: Iterator[Chunk],
    put: Callable[[Any], Any],
    interrupted: Callable[[], bool] = lambda: False,
) -> Iterator[Chunk]:
    """Prepare the next chunk in a thread while the device works on this one.

    Args:
        chunks: Chunks with their data on the host.
        put: Puts them on the device.
        interrupted: Whether to give up waiting; asked a few times a second.
    """
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
            for chunk in chunks:
                if not hand_over(chunk._replace(data=put(chunk.data))):
                    return
        except BaseException as error:  # handed over, to be raised where `fit` was called
            hand_over(error)
        else:
            hand_over(finished)

    worker = threading.Thread(target=work, name="lamina-feed", daemon=True)
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
        # ends the wait alone: here nobody catches it, and Python would print it and go on.
        with contextlib.suppress(KeyboardInterrupt):
            worker.join(timeout=0.5 if interrupted() else 5)


def example_chunk(example: tuple[Any, Any, Any], most: int, put: Callable[[Any], Any]) -> Chunk:
    """A chunk of one batch with the first rows of an example."""
    x, y, sample_weight = example
    rows = min(most, *(leaf.shape[0] for leaf in jax.tree.leaves(example)))
    parts = (x, y, sample_weight) if sample_weight is not None else x if y is None else (x, y)
    some = jax.tree.map(lambda a: np.asarray(a[:rows]), parts)
    return Chunk(put(some), None, rows, 0, 1)


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    if may_hold_text(dtype):
        return np.empty(shape, dtype)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def with_length(array: np.ndarray, rows: int) -> np.ndarray:
    """With rows of any content at the end, so that every chunk has the same shape."""
    if len(array) == rows:
        return array
    longer = aligned((rows, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer
