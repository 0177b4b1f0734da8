"""Connecting the processes of a job."""

import os
from collections.abc import Sequence

import jax

from lamina.core import heartbeats, processes
from lamina.core.configuration import config, runtime  # noqa: F401 - JAX's settings come before its first array
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.ports import can_connect, can_listen
from lamina.core.variable.seed import global_seed, make_default_seed, set_random_seed
from lamina.distribution.cluster import detect
from lamina.distribution.launchers import is_address

# A process that sends no heartbeat for this time counts as dead.
_HEARTBEAT_SECONDS = 10
# How long a process waits for the others at the start.
_START_SECONDS = 120

_is_synchronized = False


@filter_traceback
def initialize(
    job_addresses: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    *,
    local_device_ids: Sequence[int] | None = None,
) -> None:
    """Connect this process with the other processes of a job; called before any computation.

    Every process runs the same script. Afterwards `lamina.distribution.list_devices()` has the
    devices of all processes, and `DataParallel()` divides batches over them. All processes get the
    same random seed; the first one prints and writes files.

    Args:
        job_addresses: `"host:port"` of the first process, or those of all, separated by commas.
            By default it is read from `KERAS_DISTRIBUTION_JOB_ADDRESSES`.
        num_processes: Number of processes; by default `KERAS_DISTRIBUTION_NUM_PROCESSES`.
        process_id: Number of this process, from 0; by default `KERAS_DISTRIBUTION_PROCESS_ID`.
        local_device_ids: Which devices of this computer belong to the process; all by default.

    Without arguments, `TF_CONFIG` and the variables of torchrun, Open MPI, Slurm and Kubernetes are
    read as well. Processes that are connected already, as by `lamina run --processes`, stay so.

    Raises:
        ValueError: If the arguments contradict each other, or the variables are incomplete.
        RuntimeError: If JAX has already used a device, or the processes do not find each other.
    """
    if not jax.distributed.is_initialized():
        _connect(job_addresses, num_processes, process_id, local_device_ids)
    _synchronize_settings()


def _synchronize_settings() -> None:
    """Give all processes the same seed and memory budget, once.

    It is also called for processes that `jax.distributed` has connected.
    """
    global _is_synchronized
    if _is_synchronized or not processes.is_multi_process():
        return
    _is_synchronized = True
    processes.end_on_exceptions()
    heartbeats.warn_of_silence()
    seed = global_seed()
    seed = make_default_seed() if seed is None else seed
    set_random_seed(processes.broadcast_from_first(seed))
    # The budget decides how data are read, which must be the same in all processes.
    (negative,) = processes.max_over_processes(-config.resident_budget())
    config.set_resident_budget(int(-0.99 * negative))  # lower, since it was rounded to float32


def _connect(
    job_addresses: str | None,
    num_processes: int | None,
    process_id: int | None,
    local_device_ids: Sequence[int] | None,
) -> None:
    environ = os.environ
    if job_addresses is None and num_processes is None and process_id is None:
        cluster = detect(environ)
        if cluster is not None and cluster.num_processes == 1:
            return
        if cluster is not None:
            job_addresses, num_processes = cluster.address, cluster.num_processes
            process_id = cluster.process_id
            local_device_ids = local_device_ids or cluster.local_device_ids
    if job_addresses is None:
        job_addresses = environ.get("KERAS_DISTRIBUTION_JOB_ADDRESSES")
    if num_processes is None and "KERAS_DISTRIBUTION_NUM_PROCESSES" in environ:
        num_processes = int(environ["KERAS_DISTRIBUTION_NUM_PROCESSES"])
    if process_id is None and "KERAS_DISTRIBUTION_PROCESS_ID" in environ:
        process_id = int(environ["KERAS_DISTRIBUTION_PROCESS_ID"])
    addresses = [a.strip() for a in (job_addresses or "").split(",") if a.strip()]
    _check(addresses, num_processes, process_id)
    # Otherwise JAX would handle SIGTERM itself, and the process would continue.
    environ.setdefault("JAX_ENABLE_PREEMPTION_SERVICE", "0")
    jax.config.update("jax_enable_preemption_service", False)
    if addresses and (num_processes or 1) > 1:
        _check_first_process(addresses[0], process_id)
    try:
        jax.distributed.initialize(
            coordinator_address=addresses[0] if addresses else None,
            num_processes=num_processes,
            process_id=process_id,
            local_device_ids=local_device_ids,
            cluster_detection_method="deactivate" if addresses else None,
            heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
            initialization_timeout=_START_SECONDS,
        )
    except ValueError as error:
        if addresses:
            raise
        raise ValueError(
            "initialize() needs to know the other processes, and no variable of a launcher tells "
            f"of any ({error}).\n"
            "  Fix: lamina.distribution.initialize('127.0.0.1:8476', num_processes=2, "
            "process_id=0), with another process_id in each process; or start them by "
            "`lamina run --processes 2 SCRIPT`."
        ) from None
    except RuntimeError as error:
        if "before any JAX" in str(error) or "must be called before" in str(error):
            raise RuntimeError(
                "initialize() must come before the first computation, and a device was used "
                "already.\n  Fix: call it right after the imports."
            ) from None
        raise


def _check_first_process(address: str, process_id: int | None) -> None:
    """Refuse a port that is taken, or the address of a process that does not answer.

    JAX would end the process without a Python error.
    """
    port = address.rpartition(":")[2]
    if process_id == 0 and not can_listen(int(port)):
        raise RuntimeError(
            f"Process 0 cannot listen at {address}: another program has port {port} of this "
            "computer.\n"
            "  Likely cause: a job that has not ended; `ss -ltnp` shows who listens.\n"
            "  Fix: end that program, or use another port in the address, in all processes."
        )
    if process_id and not can_connect(address, _START_SECONDS):
        raise RuntimeError(
            f"Process {process_id}: process 0 did not answer at {address} within "
            f"{_START_SECONDS} s.\n"
            "  Likely cause: it was not started or has failed, or a firewall is between the "
            "computers.\n"
            "  Fix: start process 0, and look at its errors; `lamina doctor --distributed` checks "
            "the connection."
        )


def _check(addresses: list[str], num_processes: int | None, process_id: int | None) -> None:
    if num_processes is not None and num_processes < 1:
        raise ValueError(f"num_processes must be 1 or more; received {num_processes}.")
    if len(addresses) > 1 and num_processes not in (None, len(addresses)):
        raise ValueError(
            f"job_addresses has {len(addresses)} addresses, and num_processes is {num_processes}."
        )
    if addresses and (num_processes is None or process_id is None):
        raise ValueError(
            "initialize() needs num_processes and process_id with an address.\n"
            f"  Fix: initialize({addresses[0]!r}, num_processes=2, process_id=0), with another "
            "process_id in each process."
        )
    if process_id is not None and not 0 <= process_id < (num_processes or process_id + 1):
        raise ValueError(
            f"process_id must be from 0 to {(num_processes or 1) - 1}; received {process_id}."
        )
    for address in addresses:
        if not is_address(address):
            raise ValueError(
                f"An address has the form 'host:port'; received {address!r}.\n"
                f"  Fix: '{address.partition(':')[0] or '127.0.0.1'}:8476'."
            )
