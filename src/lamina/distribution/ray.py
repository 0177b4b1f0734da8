"""Starts a script, or a function, in several processes of a Ray cluster.

Each process is a plain actor of Ray, connected with the others by `lamina.distribution.initialize`;
Ray places and watches them. Ray is the extra `lamina[ray]`.
"""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lamina.core.messages.messages import show
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.ports import free_port

__all__ = ["run"]


@filter_traceback
def run(
    target: str | Path | Callable[..., Any],
    args: Sequence[Any] = (),
    *,
    workers: int = 2,
    cpus_per_worker: float = 1,
    gpus_per_worker: float = 0,
    resources: Mapping[str, float] | None = None,
    restarts: int = 0,
) -> list[Any]:
    """Run a script or a function in every worker, with batches divided over all their devices.

    A script may be written for one device: it is run as `lamina run` does. The cluster is the one
    that the program is connected with, else that of `RAY_ADDRESS`, else a new one on this machine.
    Every machine needs Lamina in the same version, and the script or the modules of the function.

    Args:
        target: Path of a script, or a function.
        args: The script's `sys.argv[1:]`, or the function's arguments.
        workers: Number of processes.
        cpus_per_worker: CPUs that Ray reserves for each.
        gpus_per_worker: GPUs of each; without any, JAX uses the CPU.
        resources: Other resources of each by name, such as `{"TPU": 4}`.
        restarts: How often to start all again after one has failed. With the callback
            `BackupAndRestore` they go on from the last checkpoint, if its folder is shared.

    Returns:
        The return value of the function in each worker, in their order; None for a script.

    Raises:
        ImportError: If Ray is not installed.
        ValueError: If `workers` or `restarts` is too small.
        FileNotFoundError: If there is no such script.
        RuntimeError: If a worker fails, after all have been ended.
    """
    ray = _import_ray()
    if workers < 1:
        raise ValueError(f"workers must be 1 or more; received {workers}.")
    if restarts < 0:
        raise ValueError(f"restarts must be 0 or more; received {restarts}.")
    if not callable(target):
        if not Path(target).is_file():
            raise FileNotFoundError(f"There is no file {str(target)!r}; give the path of a script.")
        target = Path(target).resolve()
    if not ray.is_initialized():
        ray.init()
    available = ray.cluster_resources().get("CPU", 0)
    if available < workers * cpus_per_worker:
        show(
            f"Ray has {available:g} CPUs, and {workers} workers ask for "
            f"{workers * cpus_per_worker:g}: they wait for more. cpus_per_worker= asks for less."
        )
    for restart in range(restarts + 1):
        if restart:
            show(f"Starting all workers again ({restart} of {restarts}).")
        try:
            return _run_workers(
                ray, target, args, workers, cpus_per_worker, gpus_per_worker, dict(resources or {})
            )
        except _WorkerFailed as failure:
            if restart == restarts:
                raise RuntimeError(str(failure)) from failure.__cause__
            show(str(failure))
    raise AssertionError  # unreachable


class _WorkerFailed(Exception):
    """A worker has failed, and all workers are ended."""


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            'lamina.distribution.ray needs Ray.\n  Fix: pip install "lamina[ray]"'
        ) from error
    return ray


def _run_workers(
    ray: Any,
    target: Any,
    args: Sequence[Any],
    workers: int,
    cpus: float,
    gpus: float,
    resources: dict[str, float],
) -> list[Any]:
    environ = {"JAX_ENABLE_PREEMPTION_SERVICE": "0"}
    if not gpus and not resources and "JAX_PLATFORMS" not in os.environ:
        environ["JAX_PLATFORMS"] = "cpu"
    actor_class = ray.remote(_Worker).options(
        num_cpus=cpus,
        num_gpus=gpus,
        resources=resources,
        scheduling_strategy="SPREAD",
        runtime_env={"env_vars": environ},
    )
    actors = [actor_class.remote() for _ in range(workers)]
    try:
        hosts = ray.get([actor.host.remote() for actor in actors])
        _check_names(hosts)
        one_machine = len({address for address, _, _ in hosts}) == 1
        first = "127.0.0.1" if one_machine else hosts[0][0]
        address = f"{first}:{ray.get(actors[0].free_port.remote())}"
        calls = [
            actor.run.remote(target, tuple(args), os.getcwd(), address, workers, number)
            for number, actor in enumerate(actors)
        ]
        pending = list(calls)
        while pending:
            done, pending = ray.wait(pending)
            for call in done:
                try:
                    ray.get(call)
                except Exception as error:
                    raise _WorkerFailed(
                        _describe_failure(calls.index(call), workers, error)
                    ) from error
        return list(ray.get(calls))
    finally:
        for actor in actors:
            ray.kill(actor)


def _describe_failure(number: int, workers: int, error: Exception) -> str:
    reason = str(error).strip().splitlines()
    return (
        f"Worker {number} of {workers} failed, and all were ended: "
        f"{reason[-1].strip() if reason else type(error).__name__}\n"
        "  Fix: see what the workers have written above; restarts=3 starts all again after a "
        "failure, and with the callback BackupAndRestore they go on from the last checkpoint."
    )


def _check_names(hosts: Sequence[tuple[str, str, bool]]) -> None:
    """Refuse machines whose host names resolve to loopback addresses.

    See also `lamina doctor --distributed`.

    Args:
        hosts: Of each worker the address of its machine, its host name, and whether the name
            resolves to a loopback address while JAX uses CPUs there.
    """
    if len({address for address, _, _ in hosts}) == 1:
        return
    for address, name, is_loopback in hosts:
        if is_loopback:
            raise ValueError(
                f"The host name {name} resolves to a loopback address on its own machine, and JAX "
                "tells it to the other machines.\n"
                f"  Fix: in /etc/hosts there, replace the line of {name} by: {address} {name}"
            )


class _Worker:
    """The actor: one process of the job."""

    def host(self) -> tuple[str, str, bool]:
        """The address of this machine, its name, and whether the name resolves to loopback."""
        import ray

        name = socket.gethostname()
        try:
            own = socket.gethostbyname(name)
        except OSError:
            own = "127.0.0.1"
        on_cpu = os.environ.get("JAX_PLATFORMS") == "cpu"
        return ray.util.get_node_ip_address(), name, on_cpu and own.startswith("127.")

    def free_port(self) -> int:
        """A port that is free on this machine."""
        return free_port(host="")

    def run(
        self, target: Any, args: Sequence[Any], folder: str, address: str, workers: int, number: int
    ) -> Any:
        """Connect with the other workers, and run the script or the function."""
        os.environ.update(
            KERAS_DISTRIBUTION_JOB_ADDRESSES=address,
            KERAS_DISTRIBUTION_NUM_PROCESSES=str(workers),
            KERAS_DISTRIBUTION_PROCESS_ID=str(number),
        )
        if os.path.isdir(folder):
            os.chdir(folder)
        # These modules are on a higher level than this package, so they are imported here.
        from lamina.compat import job_process
        from lamina.compat.run_script import run_script  # as above

        if callable(target):
            job_process.begin(os.environ, distributed=True)
            return target(*args)
        try:
            run_script(target, [str(argument) for argument in args])
        except SystemExit as exit_request:
            if exit_request.code not in (None, 0):
                raise RuntimeError(f"{target} ended with exit status {exit_request.code}") from None
        return None
