"""A warning that names a process that no longer answers, before JAX ends the others.

JAX ends all processes if one has given no sign of life for ten seconds. It says so in its own
words, and does not name the first process. Each process watches the next one, and the first one.
"""

import atexit
import math
import sys
import threading
import time
from typing import Any

from lamina.core import processes

_BEAT_SECONDS = 1.0
_SILENT_SECONDS = 5.0
# In place of a beat, from a process that ends well and gives no more signs of life.
_ENDED = "ended"


def warn_of_silence() -> None:
    """Start to watch other processes; for a process that JAX has connected with others."""
    if not processes.is_multi_process():
        return
    import jax

    client: Any = jax._src.distributed.global_state.client
    number, count = jax.process_index(), jax.process_count()
    watch = _Watch((number + 1) % count)
    threads = [
        threading.Thread(target=target, name="lamina-heartbeat", daemon=True)
        for target in (lambda: _exchange(client, number, watch), lambda: _warn(watch))
    ]
    for thread in threads:
        thread.start()

    def stop() -> None:
        watch.has_ended.set()
        threads[0].join(timeout=2 * _BEAT_SECONDS)

    atexit.register(stop)  # runs before JAX closes the connection


class _Watch:
    """When processes were last heard of.

    Args:
        neighbour: The number of the process whose signs of life are read.
    """

    def __init__(self, neighbour: int):
        self.neighbour = neighbour
        self.first_answered = self.neighbour_answered = time.monotonic()
        self.has_ended = threading.Event()


def _exchange(client: Any, number: int, watch: _Watch) -> None:
    """Give signs of life, and read those of the neighbour; process 0 keeps them."""
    key, beat, last = f"lamina/alive/{number}/beat", 0, None
    try:
        while not watch.has_ended.wait(_BEAT_SECONDS):
            beat += 1
            client.key_value_set(key, str(beat), allow_overwrite=True)
            entries = client.key_value_dir_get(f"lamina/alive/{watch.neighbour}")
            watch.first_answered = time.monotonic()
            if any(value == _ENDED for _, value in entries):
                watch.neighbour_answered = math.inf
            elif entries != last:
                last, watch.neighbour_answered = entries, watch.first_answered
        client.key_value_set(key, _ENDED, allow_overwrite=True)
    except Exception:  # the other processes end
        watch.has_ended.set()


def _warn(watch: _Watch) -> None:
    told: set[int] = set()
    before = time.monotonic()
    while not watch.has_ended.wait(0.5):
        now = time.monotonic()
        if now - before > _SILENT_SECONDS / 2:  # this process was suspended itself
            watch.first_answered = now
            watch.neighbour_answered = max(now, watch.neighbour_answered)
        before = now
        answered = {watch.neighbour: watch.neighbour_answered}
        if now - watch.first_answered > _SILENT_SECONDS:
            answered = {0: watch.first_answered}  # without it nothing is known of others
        for process, last in answered.items():
            if now - last < _SILENT_SECONDS:
                told.discard(process)
            elif process not in told:
                told.add(process)
                print(
                    f"Process {process} has given no sign of life for {now - last:.0f} s. After 10 "
                    "s JAX ends all processes.\n"
                    "  Likely cause: it was suspended, its computer is down or has no memory left, "
                    "or the network is cut.\n"
                    "  Fix: look at that computer, and start all processes again; with the "
                    "callback BackupAndRestore they go on from the last checkpoint.",
                    file=sys.stderr,
                    flush=True,
                )
