"""Several processes that train one model: what they must agree on, and which of them writes files.

Each process runs the same script. A step that one of them runs and another does not would wait
forever, so that whatever depends on time or on signals is agreed on first.
"""

import os
import sys
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_WAIT_SECONDS = 120
# Exit status of a process that ends by an exception, for a launcher to see (EX_TEMPFAIL).
_FAILED = 75

_waits = 0


def are_several() -> bool:
    """Whether this process is one of several of a job."""
    jax = sys.modules.get("jax")
    # Without JAX, or before it is connected with other processes, there is one. Asking JAX for
    # their number would start the devices.
    return jax is not None and jax.distributed.is_initialized() and jax.process_count() > 1


def is_first() -> bool:
    """Whether this process prints and writes files: the first one, or the only one."""
    return not are_several() or sys.modules["jax"].process_index() == 0


def largest_of_all(*numbers: float) -> list[float]:
    """For each number the largest that any process has; every process must call it.

    Example:
        >>> largest_of_all(0.5, 2)
        [0.5, 2.0]
    """
    import numpy as np  # the command line starts without it

    if not are_several():
        return [float(number) for number in numbers]
    from jax.experimental import multihost_utils

    gathered = multihost_utils.process_allgather(np.array(numbers, np.float32))
    return [float(number) for number in np.asarray(gathered).max(axis=0)]


def value_of_first(number: int) -> int:
    """The number that the first process has; every process must call it."""
    import numpy as np  # the command line starts without it

    if not are_several():
        return number
    from jax.experimental import multihost_utils

    return int(multihost_utils.broadcast_one_to_all(np.uint32(number)))


def find_differences(digests: Mapping[str, bytes]) -> dict[str, list[int]]:
    """What differs between processes; every process must call it.

    Args:
        digests: A digest of 4 bytes or more for each thing that should be equal, by its name.

    Returns:
        For the names that differ, the processes whose digest is not that of the first process.
    """
    import numpy as np  # the command line starts without it

    if not are_several():
        return {}
    from jax.experimental import multihost_utils

    own = np.array([np.frombuffer(d[:4], np.uint32)[0] for d in digests.values()])
    of_all = np.asarray(multihost_utils.process_allgather(own))
    different = {
        name: [int(i) for i in np.flatnonzero(of_all[:, k] != of_all[0, k])]
        for k, name in enumerate(digests)
    }
    return {name: numbers for name, numbers in different.items() if numbers}


def wait_for_all(what: str) -> None:
    """Wait until every process has come here, such as after the first one has written a file.

    Raises:
        RuntimeError: If a process does not come within two minutes.
    """
    if not are_several():
        return
    import jax

    global _waits
    _waits += 1
    client: Any = jax._src.distributed.global_state.client
    try:
        client.wait_at_barrier(f"lamina:{_waits}", timeout_in_ms=_WAIT_SECONDS * 1000)
    except jax.errors.JaxRuntimeError as error:
        raise RuntimeError(
            f"A process waited {_WAIT_SECONDS} s for the others at {what}.\n"
            "  Likely cause: only one process called it, or another has ended.\n"
            "  Fix: call it in every process; the first one writes the file."
        ) from error


def gather(array: Any) -> "np.ndarray":
    """A JAX array with parts on devices of other processes, whole; every process calls it."""
    import jax
    import numpy as np  # the command line starts without it

    replicated = jax.sharding.NamedSharding(
        array.sharding.mesh,
        jax.sharding.PartitionSpec(),
    )
    return np.asarray(jax.jit(lambda a: a, out_shardings=replicated)(array))


def end_on_exceptions() -> None:
    """From now on, an exception that is not caught ends this process at once.

    Otherwise Python would wait for the other processes, which wait for this one.
    """

    def end(error_type: Any, error: Any, trace: Any) -> None:
        if _is_lost_connection(error):
            print(
                f"Process {_number()} lost the connection to another process, which has ended. "
                "That process says why it ended; this one ends, too.\n"
                f"  ({str(error).partition(chr(10))[0][:200]})",
                file=sys.stderr,
            )
        else:
            traceback.print_exception(error_type, error, trace)
            print(f"This was process {_number()}, which ends now.", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_FAILED)

    sys.excepthook = end


def _number() -> int:
    return int(sys.modules["jax"].process_index())


def _is_lost_connection(error: BaseException) -> bool:
    if type(error).__name__ not in ("JaxRuntimeError", "XlaRuntimeError"):
        return False
    text = str(error)
    return any(words in text for words in ("Gloo", "Connection", "NCCL", "heartbeat", "Timed out"))
