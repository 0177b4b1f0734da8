"""A check that all processes of a job see the folder that one of them writes to."""

import secrets
import time
from pathlib import Path

import numpy as np

from lamina.core import processes
from lamina.core.types import PathLike
from lamina.saving.atomic import make_folder

# A network's file system may show a new file later.
_SECONDS_TO_APPEAR = 5.0


def check_is_shared(folder: PathLike) -> None:
    """Refuse a folder that not all processes share; every process must call it.

    Args:
        folder: The folder, which the first process creates if it is missing.

    Raises:
        RuntimeError: If a process does not see what the first one writes there.
    """
    if not processes.is_multi_process():
        return
    path = Path(folder, f".shared-{processes.broadcast_from_first(secrets.randbits(31)):x}")
    if processes.is_first():
        make_folder(folder)
        path.touch()
    processes.wait_at_barrier("looking for the folder of the checkpoints")
    deadline = time.monotonic() + _SECONDS_TO_APPEAR
    while not (is_seen := path.exists()) and time.monotonic() < deadline:
        time.sleep(0.1)
    blind = np.flatnonzero(processes.gather(np.array(not is_seen)))
    if processes.is_first():
        path.unlink()
    if len(blind):
        raise RuntimeError(
            f"Process {', '.join(map(str, blind))} does not see what process 0 writes to "
            f"{folder}, and would not find its checkpoints.\n"
            "  Likely cause: the folder is on a disk of one computer, or has another path in each "
            "process.\n"
            "  Fix: a folder that all computers share, with the same path in all processes."
        )
