"""Batches of a PyDataset prepared ahead of training, by threads or by processes."""

import collections
import contextlib
import functools
import pickle
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lamina.training.feeds.py_dataset import PyDataset

# Processes end after this time without work; the next epoch starts new ones.
_IDLE_SECONDS = 300


def batches_by_workers(source: PyDataset, numbers: Iterable[int]) -> Iterator[Any]:
    """The batches with these numbers, in order, prepared by the workers of the source."""
    if source.use_multiprocessing:
        return _make_in_processes(source, numbers)
    if source.workers > 1:
        return _make_in_threads(source, numbers)
    return (source[number] for number in numbers)


def _make_in_threads(source: PyDataset, numbers: Iterable[int]) -> Iterator[Any]:
    with ThreadPoolExecutor(source.workers, thread_name_prefix="lamina-dataset") as pool:
        yield from _prefetch_results(pool, source.__getitem__, numbers, source)


def _make_in_processes(source: PyDataset, numbers: Iterable[int]) -> Iterator[Any]:
    """Batches prepared by processes, which are reused in the next epoch.

    The processes read the source from a file.

    Raises:
        TypeError: If the source cannot be sent to another process.
        RuntimeError: If a process crashed.
    """
    # Unlike those of the standard library, these processes accept classes defined in a notebook and
    # do not run the user's script again. Few programs need them, so they are imported here.
    import cloudpickle

    # Another import for few programs.
    from loky import BrokenProcessPool, get_reusable_executor

    name = type(source).__name__
    try:
        pickled_source = cloudpickle.dumps(source)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise TypeError(
            f"{name} cannot be sent to other processes: {error}.\n"
            "  Likely cause: it holds an open file, a lock or a generator.\n"
            "  Fix: open files in __getitem__, or use threads: use_multiprocessing=False."
        ) from error
    with tempfile.TemporaryDirectory(prefix="lamina-dataset-") as folder:
        path = Path(folder) / "source.pickle"
        path.write_bytes(pickled_source)
        del pickled_source
        # A busy machine may leave a process idle for longer than the ten seconds that loky allows.
        pool = get_reusable_executor(max(1, source.workers), timeout=_IDLE_SECONDS)
        try:
            batch_or_error = functools.partial(_batch_or_error, path)
            results = _prefetch_results(pool, batch_or_error, numbers, source)
            for batch, raised, traceback_text in results:
                if raised is not None:
                    raised.add_note(f"  In another process:\n{traceback_text}")
                    raise raised
                yield batch
        except BrokenProcessPool as error:
            raise RuntimeError(
                f"A process that prepared batches of {name} ended by itself.\n"
                "  Likely cause: no memory was left, or a library that __getitem__ calls crashed.\n"
                "  Fix: fewer workers, or use_multiprocessing=False to see the crash itself."
            ) from error


def _prefetch_results(
    pool: Executor, make_batch: Callable[[int], Any], numbers: Iterable[int], source: PyDataset
) -> Iterator[Any]:
    """The results of `make_batch` for each number, in order, computed ahead in the pool.

    At most `max_queue_size` results are waiting.
    """
    waiting: collections.deque[Future[Any]] = collections.deque()
    try:
        for number in numbers:
            waiting.append(pool.submit(make_batch, number))
            if len(waiting) > max(source.workers, source.max_queue_size):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _batch_or_error(path: Path, number: int) -> tuple[Any, Exception | None, str]:
    """Run in a process: a batch, or the error and its traceback."""
    try:
        return _source(path)[number], None, ""
    except (Exception, SystemExit) as error:
        return None, _portable(error), traceback.format_exc()


def _portable(error: BaseException) -> Exception:
    """The error, or a RuntimeError with its message if it cannot be sent to another process."""
    if isinstance(error, Exception):
        # Some exception classes can be pickled, but fail when they are unpickled.
        with contextlib.suppress(Exception):
            if type(pickle.loads(pickle.dumps(error))) is type(error):
                return error
    return RuntimeError(f"{type(error).__name__}: {error}")


@functools.lru_cache(maxsize=1)
def _source(path: Path) -> PyDataset:
    source: PyDataset = pickle.loads(path.read_bytes())
    return source
