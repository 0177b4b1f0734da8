"""Several processes that train one model together: how they agree, and which one writes files.

Each process runs the same script. If one process runs a step and another does not, the first waits
forever. So the processes agree on everything that depends on time or signals.
"""

import os
import sys
import traceback
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_WAIT_SECONDS = 600
# Exit status of a process that ends by an exception, for a launcher to see (EX_TEMPFAIL).
_FAILED = 75

# How often each barrier was used. The count makes its name unique; all processes count alike.
_uses_of_barriers: Counter[str] = Counter()


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


def max_over_processes(*numbers: float) -> list[float]:
    """The maximum of each number over all processes; every process must call it.

    Example:
        >>> max_over_processes(0.5, 2)
        [0.5, 2.0]
    """
    import numpy as np  # the command line starts without it

    if not is_multi_process():
        return [float(number) for number in numbers]
    from jax.experimental import multihost_utils

    gathered = multihost_utils.process_allgather(np.array(numbers, np.float32))
    return [float(number) for number in np.asarray(gathered).max(axis=0)]


def broadcast_from_first(number: int) -> int:
    """The number of the first process; every process must call it."""
    import numpy as np  # the command line starts without it

    if not is_multi_process():
        return number
    from jax.experimental import multihost_utils

    return int(multihost_utils.broadcast_one_to_all(np.uint32(number)))


def find_differences(digests: Mapping[str, bytes]) -> dict[str, list[int]]:
    """Compare digests of all processes; every process must call it.

    Args:
        digests: A digest of 4 bytes or more for each thing that should be equal, by its name.

    Returns:
        For the names that differ, the processes whose digest is not that of the first process.
    """
    import numpy as np  # the command line starts without it

    if not is_multi_process():
        return {}
    from jax.experimental import multihost_utils

    own = np.array([np.frombuffer(d[:4], np.uint32)[0] for d in digests.values()])
    of_all = np.asarray(multihost_utils.process_allgather(own))
    different = {
        name: [int(i) for i in np.flatnonzero(of_all[:, k] != of_all[0, k])]
        for k, name in enumerate(digests)
    }
    return {name: numbers for name, numbers in different.items() if numbers}


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

    _uses_of_barriers[what] += 1
    client: Any = jax._src.distributed.global_state.client
    try:
        name = f"lamina:{what}:{_uses_of_barriers[what]}"
        client.wait_at_barrier(name, timeout_in_ms=_WAIT_SECONDS * 1000)
    except jax.errors.JaxRuntimeError as error:
        raise RuntimeError(
            f"A process waited {_WAIT_SECONDS} s for the others at {what}.\n"
            "  Likely cause: only one process called it, or another has ended.\n"
            "  Fix: call it in every process; the first one writes the file."
        ) from error


def gather_on_host(array: Any) -> "np.ndarray":
    """All of a JAX array, parts of which are on devices of other processes.

    Every process must call it.
    """
    import jax
    import numpy as np  # the command line starts without it

    replicated = jax.sharding.NamedSharding(
        array.sharding.mesh,
        jax.sharding.PartitionSpec(),
    )
    return np.asarray(jax.jit(lambda a: a, out_shardings=replicated)(array))


def end_on_exceptions() -> None:
    """Make an uncaught exception end this process at once.

    Otherwise Python would wait at its end for the other processes, which wait for this one.
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
        os._exit(_FAILED)

    sys.excepthook = end


def _process_number() -> int:
    return int(sys.modules["jax"].process_index())


def _is_lost_connection(error: BaseException) -> bool:
    text = str(error)
    if "Gloo" in text:
        return True
    is_from_jax = type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError")
    words = ("Connection", "NCCL", "heartbeat", "Timed out")
    return is_from_jax and any(word in text for word in words)
