"""Several processes that train one model together: how they agree, and which one writes files.

Each process runs the same script. If one process runs a step and another does not, the first waits
forever. So the processes agree on everything that depends on time or signals.
"""

import os
import sys
import threading
import traceback
import weakref
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_WAIT_SECONDS = 600
# Exit status of a process that ends by an exception, for a launcher to see (EX_TEMPFAIL).
_FAILURE_STATUS = 75

# How often each barrier was used. The count makes its name unique; all processes count alike.
_uses_of_barriers: Counter[str] = Counter()

# The threads that take part in collective calls, in which other processes would wait for them.
_collective_threads: "weakref.WeakSet[threading.Thread]" = weakref.WeakSet()


def is_multi_process() -> bool:
    """Whether this process trains together with others."""
    jax = sys.modules.get("jax")
    distributed = getattr(jax, "distributed", None)  # None while another thread imports JAX
    if jax is None or distributed is None or not distributed.is_initialized():
        return False  # asking for the number of processes would initialize the devices
    return bool(jax.process_count() > 1)


def is_first() -> bool:
    """Whether this is the first or the only process, which prints and writes files."""
    return not is_multi_process() or sys.modules["jax"].process_index() == 0


def print_from_first(text: str) -> None:
    """Print a line, once for all processes of a job."""
    if is_first():
        print(text)


def max_over_processes(*numbers: float) -> list[float]:
    """The maximum of each number over all processes; every process must call it.

    Example:
        >>> max_over_processes(0.5, 2)
        [0.5, 2.0]
    """
    import numpy as np  # the command line starts without it

    if not is_multi_process():
        return [float(number) for number in numbers]
    gathered = gather(np.array(numbers, np.float32))
    return [float(number) for number in gathered.max(axis=0)]


def broadcast_from_first(number: int) -> int:
    """The number of the first process; every process must call it."""
    import numpy as np  # the command line starts without it

    if not is_multi_process():
        return number
    from jax.experimental import multihost_utils

    return int(multihost_utils.broadcast_one_to_all(np.uint32(number)))


def find_differences(digests: Mapping[str, bytes | None]) -> dict[str, list[int]]:
    """Compare digests of all processes; every process must call it.

    Args:
        digests: A digest of 4 bytes or more for each thing that should be equal, by its name; None
            for a thing that this process does not have. All processes give the same names.

    Returns:
        For the names that differ, the processes whose digest is not that of the first process that
        has one.
    """
    import numpy as np  # the command line starts without it

    if not is_multi_process():
        return {}
    own = np.zeros((len(digests), 2), np.uint32)
    for k, digest in enumerate(digests.values()):
        if digest is not None:
            own[k] = 1, np.frombuffer(digest[:4], np.uint32)[0]
    digests_of_all = gather(own)
    different: dict[str, list[int]] = {}
    for k, name in enumerate(digests):
        holders = np.flatnonzero(digests_of_all[:, k, 0])
        values = digests_of_all[holders, k, 1]
        if len(holders) and (values != values[0]).any():
            different[name] = [int(i) for i in holders[values != values[0]]]
    return different


def gather(array: "np.ndarray") -> "np.ndarray":
    """The equal-shaped arrays of all processes, one above the other; every process must call it."""
    import numpy as np  # the command line starts without it

    if not is_multi_process():
        return array[np.newaxis]
    from jax.experimental import multihost_utils

    _collective_threads.add(threading.current_thread())
    return np.asarray(multihost_utils.process_allgather(array))


def wait_at_barrier(what: str) -> None:
    """Wait until all processes have called it, e.g. after the first one has written a file.

    Args:
        what: What the process was doing, for the message.

    Raises:
        RuntimeError: If another process has not called it within ten minutes.
    """
    if not is_multi_process():
        return
    import jax

    _collective_threads.add(threading.current_thread())
    _uses_of_barriers[what] += 1
    client: Any = jax._src.distributed.global_state.client
    try:
        name = f"lamina:{what}:{_uses_of_barriers[what]}"
        client.wait_at_barrier(name, timeout_in_ms=_WAIT_SECONDS * 1000)
    except jax.errors.JaxRuntimeError as error:
        raise RuntimeError(
            f"Process {_process_number()} waited {_WAIT_SECONDS} s for the others at {what}.\n"
            "  Likely cause: only one process called it, or another has ended.\n"
            "  Fix: call it in every process; the first one writes files."
        ) from error


def gather_on_host(array: Any, name: str) -> "np.ndarray":
    """All of a JAX array, parts of which are on devices of other processes.

    Every process must call it.

    Args:
        array: The array.
        name: Its name, for messages.

    Raises:
        RuntimeError: If another process has not called it within ten minutes.
    """
    import jax
    import numpy as np  # the command line starts without it

    # The program below would wait without end for a process that does not run it.
    wait_at_barrier(f"reading {name}, of which each process has a part")
    replicated = jax.sharding.NamedSharding(
        array.sharding.mesh,
        jax.sharding.PartitionSpec(),
    )
    return np.asarray(jax.jit(lambda a: a, out_shardings=replicated)(array))


def end_on_exceptions() -> None:
    """Make an uncaught exception end this process at once.

    Otherwise Python would wait at its end for the other processes, which wait for this one. An
    exception in another thread than the main one does so if the thread has worked with other
    processes, as `fit` does.
    """

    def end(error_type: Any, error: Any, trace: Any) -> None:
        if _is_lost_connection(error):
            print(
                f"Process {_process_number()} lost the connection to another process, which has "
                "ended. That process says why it ended; this one ends, too.\n"
                f"  ({str(error).partition(chr(10))[0][:200]})",
                file=sys.stderr,
            )
        else:
            traceback.print_exception(error_type, error, trace)
            print(f"This was process {_process_number()}, which ends now.", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_FAILURE_STATUS)

    def end_for_thread(arguments: Any) -> None:
        if arguments.thread not in _collective_threads:
            end_thread_alone(arguments)
            return
        end(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

    end_thread_alone = threading.excepthook
    sys.excepthook, threading.excepthook = end, end_for_thread


def _process_number() -> int:
    return int(sys.modules["jax"].process_index())


def _is_lost_connection(error: BaseException) -> bool:
    text = str(error)
    if "Gloo" in text:
        return True
    is_from_jax = type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError")
    words = ("Connection", "NCCL", "heartbeat", "Timed out")
    return is_from_jax and any(word in text for word in words)
