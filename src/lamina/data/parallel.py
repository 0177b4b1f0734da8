"""Ordered parallel map and prefetching in threads, for `Dataset.map` and `Dataset.prefetch`."""

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

AUTOTUNE = -1  # as in `tf.data.AUTOTUNE`: Lamina chooses the number
_MAX_WORKERS = 8
_QUICK_SECONDS = 0.0002
# Short calls are made in groups, because handing an item to a thread takes a while.
_GROUP_SECONDS = 0.004
_MAX_GROUP = 16


def number_of_workers(requested: int | None) -> int:
    """The number of threads for `num_parallel_calls`.

    Example:
        >>> number_of_workers(None), number_of_workers(3)
        (1, 3)
    """
    if requested is None:
        return 1
    return (
        min(_MAX_WORKERS, os.cpu_count() or 1) if requested == AUTOTUNE else max(1, int(requested))
    )


def parallel_map(function: Callable, items: Iterable, workers: int) -> Iterator:
    """`map(function, items)` by several threads, a few items ahead, in the order of the items."""
    source = iter(items)
    # The first call is not parallel, because it builds the layers that the function uses.
    for item in source:
        yield function(item)
        break
    if workers == 1:
        yield from map(function, source)
    else:
        yield from _map_while_quick(function, source)
        yield from _map_in_threads(function, source, workers)


def _map_while_quick(function: Callable, source: Iterator) -> Iterator:
    """Results of calls in this thread, until they take longer.

    Threads that run a few lines of Python each, such as the decoding of a small picture, wait for
    each other most of the time.
    """
    recent: deque[float] = deque(maxlen=8)
    for item in source:
        start = time.perf_counter()
        result = function(item)
        recent.append(time.perf_counter() - start)
        yield result
        # The median, because another program may interrupt any call.
        if len(recent) >= 3 and sorted(recent)[len(recent) // 2] > _QUICK_SECONDS:
            return


def _map_in_threads(function: Callable, source: Iterator, workers: int) -> Iterator:
    pending: deque[Future] = deque()
    size = 1
    with ThreadPoolExecutor(workers, thread_name_prefix="lamina-map") as pool:
        try:
            while group := _next_group(source, size):
                pending.append(pool.submit(_map_group, function, group))
                if len(pending) > 2 * workers:
                    size = yield from _results(pending.popleft().result())
            while pending:
                yield from _results(pending.popleft().result())
        finally:
            _cancel(pending)


class _Group(NamedTuple):
    """What became of a few items that one thread mapped, one after the other."""

    results: list[Any]
    error: Exception | None  # raised by the item after these
    seconds: float


def _next_group(source: Iterator, size: int) -> list[Any]:
    """Up to `size` items; fewer if the source is slow."""
    start = time.perf_counter()
    group: list[Any] = []
    for item in source:
        group.append(item)
        if len(group) >= size or time.perf_counter() - start > _GROUP_SECONDS:
            break
    return group


def _map_group(function: Callable, items: list[Any]) -> _Group:
    start = time.perf_counter()
    results: list[Any] = []
    for item in items:
        try:
            results.append(function(item))
        except Exception as error:
            return _Group(results, error, time.perf_counter() - start)
    return _Group(results, None, time.perf_counter() - start)


def _results(group: _Group) -> Generator[Any, None, int]:
    """Yields the results of a group; returns a suitable size for later groups."""
    yield from group.results
    if group.error is not None:
        raise group.error
    seconds_per_item = max(group.seconds / len(group.results), 1e-6)
    return int(min(max(_GROUP_SECONDS / seconds_per_item, 1), _MAX_GROUP))


def prefetch(items: Iterable, count: int) -> Iterator:
    """The items; a thread prepares up to `count` of them ahead."""
    source, end = iter(items), object()
    pending: deque[Future] = deque()
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="lamina-prefetch") as pool:

            def request_next() -> None:
                pending.append(pool.submit(next, source, end))

            try:
                for _ in range(max(1, count)):
                    request_next()
                while (item := pending.popleft().result()) is not end:
                    request_next()
                    yield item
            finally:
                _cancel(pending)
    finally:
        # A consumer that stops early stops the stages before this one as well.
        getattr(source, "close", lambda: None)()


def _cancel(pending: Iterable[Any]) -> None:
    for future in pending:
        future.cancel()
