"""A warning that names a process that no longer answers, before JAX ends the others.

JAX ends all processes if one has given no sign of life for ten seconds. It says so in its own
words, and does not name the first process. Each process watches the next one, and the first one.
"""

import sys
import threading
import time
from typing import Any

from lamina.core import processes

_BEAT_SECONDS = 1.0
_SILENT_SECONDS = 5.0


def warn_of_silence() -> None:
    """Start to watch other processes; for a process that JAX has connected with others."""
    if not processes.is_multi_process():
        return
    import jax

    client: Any = jax._src.distributed.global_state.client
    number, count = jax.process_index(), jax.process_count()
    watch = _Watch((number + 1) % count)
    for target in (lambda: _exchange(client, number, watch), lambda: _warn(watch)):
        threading.Thread(target=target, name="lamina-heartbeat", daemon=True).start()


class _Watch:
    """When processes were last heard of.

    Args:
        neighbour: The number of the process whose signs of life are read.
    """

    def __init__(self, neighbour: int):
        self.neighbour = neighbour
        self.first_answered = self.neighbour_answered = time.monotonic()
        self.has_ended = False


def _exchange(client: Any, number: int, watch: _Watch) -> None:
    """Give signs of life, and read those of the neighbour; process 0 keeps them."""
    beat, last = 0, None
    while True:
        beat += 1
        try:
            client.key_value_set(f"lamina/alive/{number}/beat", str(beat), allow_overwrite=True)
            entries = client.key_value_dir_get(f"lamina/alive/{watch.neighbour}")
        except Exception:  # the processes end
            watch.has_ended = True
            return
        watch.first_answered = time.monotonic()
        if entries != last:
            last, watch.neighbour_answered = entries, watch.first_answered
        time.sleep(_BEAT_SECONDS)


def _warn(watch: _Watch) -> None:
    told: set[int] = set()
    before = time.monotonic()
    while not watch.has_ended:
        time.sleep(0.5)
        now = time.monotonic()
        if now - before > _SILENT_SECONDS / 2:  # this process was suspended itself
            watch.first_answered = watch.neighbour_answered = now
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
