"""Loads batches of a PyDataset ahead of training, in threads or processes."""

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

# Processes end after this time without work; then the next epoch starts new ones.
_IDLE_SECONDS = 300


def batches_by_workers(source: PyDataset, indices: Iterable[int]) -> Iterator[Any]:
    """The batches with the given indices, in order, loaded by the workers of the source."""
    if source.use_multiprocessing:
        return _load_in_processes(source, indices)
    if source.workers > 1:
        return _load_in_threads(source, indices)
    return (source[index] for index in indices)


def _load_in_threads(source: PyDataset, indices: Iterable[int]) -> Iterator[Any]:
    with ThreadPoolExecutor(source.workers, thread_name_prefix="lamina-dataset") as pool:
        yield from _prefetch_results(pool, source.__getitem__, indices, source)


def _load_in_processes(source: PyDataset, indices: Iterable[int]) -> Iterator[Any]:
    """Load batches in processes, which are reused in the next epoch.

    The processes read the source from a file.

    Raises:
        TypeError: If the source cannot be sent to another process.
        RuntimeError: If a process crashed.
    """
    # Unlike those of the standard library, these processes accept classes defined in a notebook and
    # do not run the user's script again. Few programs need them, so they are imported here.
    import cloudpickle

    # Imported here for the same reason.
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
        # On a busy machine a process may be idle for longer than loky's default of ten seconds.
        pool = get_reusable_executor(max(1, source.workers), timeout=_IDLE_SECONDS)
        try:
            batch_or_error = functools.partial(_batch_or_error, path)
            results = _prefetch_results(pool, batch_or_error, indices, source)
            for batch, batch_error, traceback_text in results:
                if batch_error is not None:
                    batch_error.add_note(f"  In another process:\n{traceback_text}")
                    raise batch_error
                yield batch
        except BrokenProcessPool as error:
            raise RuntimeError(
                f"A process that prepared batches of {name} ended by itself.\n"
                "  Likely cause: no memory was left, or a library that __getitem__ calls crashed.\n"
                "  Fix: fewer workers, or use_multiprocessing=False to see the crash itself."
            ) from error


def _prefetch_results(
    pool: Executor, make_batch: Callable[[int], Any], indices: Iterable[int], source: PyDataset
) -> Iterator[Any]:
    """The results of `make_batch` for each index, in order, computed ahead in the pool.

    At most `max_queue_size` results are waiting.
    """
    waiting: collections.deque[Future[Any]] = collections.deque()
    try:
        for index in indices:
            waiting.append(pool.submit(make_batch, index))
            if len(waiting) > max(source.workers, source.max_queue_size):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _batch_or_error(path: Path, index: int) -> tuple[Any, Exception | None, str]:
    """A batch, or the error and its traceback; runs in a worker process."""
    try:
        return _load_source(path)[index], None, ""
    except (Exception, SystemExit) as error:
        return None, _as_picklable(error), traceback.format_exc()


def _as_picklable(error: BaseException) -> Exception:
    """The error, or a RuntimeError with its message if the error cannot be pickled."""
    if isinstance(error, Exception):
        # Some exception classes can be pickled, but fail when they are unpickled.
        with contextlib.suppress(Exception):
            if type(pickle.loads(pickle.dumps(error))) is type(error):
                return error
    return RuntimeError(f"{type(error).__name__}: {error}")


@functools.lru_cache(maxsize=1)
def _load_source(path: Path) -> PyDataset:
    source: PyDataset = pickle.loads(path.read_bytes())
    return source
