"""What the smaller scripts share: medians, resident memory, compilations, one line of JSON.

Standard library only at the top, because every environment reads it.
"""

import contextlib
import json
import logging
import re
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path


def median_seconds(function: Callable[[], object], repeats: int) -> float:
    """Median of so many calls, after one that is not counted."""
    function()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def resident_memory() -> int:
    """Bytes that this process holds now, pages of files aside; Linux only."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) * 1024


@contextlib.contextmanager
def highest_memory() -> Iterator[list[int]]:
    """The highest `resident_memory` while the block runs, looked at every 20 ms."""
    found, done = [resident_memory()], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            found[0] = max(found[0], resident_memory())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()


class Compilations(logging.Handler):
    """Names of the programs that JAX compiles, or loads from its cache, from now on."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        import jax

        self.names: list[str] = []
        # The lowering logs "Compiling …" as well, and what Lamina shares is lowered and no more.
        logger = logging.getLogger("jax._src.dispatch")
        logger.addHandler(self)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        jax.config.update("jax_log_compiles", True)

    def emit(self, record: logging.LogRecord) -> None:
        found = re.search(r"Finished XLA compilation of (\S+)", record.getMessage())
        if found:
            self.names.append(found[1])

    def count(self, name: str = "") -> int:
        """How many programs have this in their name."""
        return sum(name in compiled for compiled in self.names)


def finish(results: dict) -> None:
    """Print everything as one JSON line."""
    print(json.dumps(results))
    sys.stdout.flush()
