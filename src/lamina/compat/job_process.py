"""One process of a job: what `lamina run` does around a script that several processes run.

Before the script it connects the processes, and sets a distribution that divides batches over all
devices, so that a script for one device trains on all of them. The launcher on the same machine is
`lamina.jobs.several_processes`; `--distributed` is for others, such as Slurm's.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from lamina.core import processes

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
# Exit status after SIGTERM, at which all processes stop together.
_AGREED_STOP = 128 + signal.SIGTERM


def begin(environ: Mapping[str, str], distributed: bool) -> None:
    """Connect this process with the others of its job, if there are any, before JAX is used.

    Args:
        environ: The environment.
        distributed: Whether to look for any launcher's variables. Without it
            `KERAS_DISTRIBUTION_NUM_PROCESSES` decides, which `lamina run --processes` sets.

    Raises:
        ValueError: If the environment names no job, or is incomplete.
        RuntimeError: If the processes do not find each other.
    """
    _end_with_launcher(environ)
    if not distributed and not environ.get("KERAS_DISTRIBUTION_NUM_PROCESSES"):
        return
    from lamina import distribution
    from lamina.distribution.cluster import detect

    cluster = detect(environ)
    if cluster is None:
        raise ValueError(
            "--distributed: no variable of TensorFlow, torchrun, Open MPI, Slurm, Kubernetes or "
            "Keras tells of other processes.\n"
            "  Fix: lamina run --processes 2 SCRIPT for two processes on this machine; or srun, "
            "mpirun or torchrun in front of `lamina run --distributed SCRIPT`."
        )
    distribution.initialize()
    distribution.set_distribution(distribution.DataParallel())


def end_at_once(code: Any) -> None:
    """End one of several processes that leaves with an error; return in all other cases.

    At its normal end a process waits for the others, which may be waiting for it.

    Args:
        code: As for `sys.exit`.
    """
    if code in (None, 0, _AGREED_STOP) or not processes.is_multi_process():
        return
    if not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _end_with_launcher(environ: Mapping[str, str]) -> None:
    """Have the system end this process if its launcher is killed; otherwise it would run on."""
    launcher = environ.get("LAMINA_LAUNCHER")
    if launcher != str(os.getppid()) or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
