"""Ordered parallel map and prefetching in threads, for `Dataset.map` and `Dataset.prefetch`."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

AUTOTUNE = -1  # as in `tf.data.AUTOTUNE`: Lamina chooses the number
_MAX_WORKERS = 8


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
        return
    pending: deque[Future] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="lamina-map") as pool:
        try:
            for item in source:
                pending.append(pool.submit(function, item))
                if len(pending) > 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            _cancel(pending)


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
