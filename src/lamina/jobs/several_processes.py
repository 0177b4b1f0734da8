"""The job of `lamina run --processes`: one script in several processes of this machine."""

import math
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lamina.core.ports import free_port
from lamina.jobs.process_group import Ending, ProcessGroup

# After the first process has failed, the others have this time to fail with error messages, which
# tell more than signals do. Then they get SIGTERM, and after the second time SIGKILL.
_SECONDS_TO_FAIL = 1.0
_SECONDS_TO_TERMINATE = 5.0
# A process that runs for longer than this after another has succeeded probably waits for it.
_SECONDS_TO_FOLLOW = 30.0

# Statuses of processes that have lost the connection to another one: those of Lamina and of JAX.
_LOST_CONNECTION = (75, -signal.SIGABRT)

_CAUSES: dict[int, tuple[str, str]] = {
    -9: (
        "the system ran out of memory and ended it, or a person did",
        "look at the end of `dmesg`; with fewer processes or smaller batches less memory is needed",
    ),
    -signal.SIGABRT: (
        "it had lost the connection to another process, as JAX says above",
        "look for the first error above",
    ),
    -signal.SIGSEGV: (
        "compiled code crashed",
        "run it with PYTHONFAULTHANDLER=1 in the environment to see where",
    ),
    128 + signal.SIGTERM: ("it was asked to end by SIGTERM", "start it again"),
    -signal.SIGTERM: ("it was asked to end by SIGTERM", "start it again"),
}
# The exit statuses of Lamina and of Python for errors.
_CAUSES[75] = _CAUSES[1] = ("an error in the script", "see its traceback above")
_OTHER_CAUSE = ("the script left with this status", "see what it has written above")


@dataclass
class SeveralProcesses:
    """Runs a command in several processes, which find each other by environment variables.

    If one of them fails, all are ended; then all are started again as often as `restarts`
    says. A signal to this process is passed on to all, and a second one kills them.

    Args:
        command: What each process runs.
        processes: Number of processes.
        devices_per_process: Number of devices of each: GPUs where JAX uses them, else simulated
            CPU devices. By default the GPUs are shared out evenly, and a CPU is one device.
        restarts: How often to start all again.
        environ: The environment.
        tell: Called with messages for the user.

    Raises:
        ValueError: If numbers are impossible, or there are too few GPUs.
    """

    command: Sequence[str]
    processes: int
    devices_per_process: int | None = None
    restarts: int = 0
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    tell: Callable[[str], Any] = lambda text: None

    _signals: list[int] = field(default_factory=list, init=False)
    _forwarded: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        for name, minimum in (("processes", 1), ("devices_per_process", 1), ("restarts", 0)):
            value = getattr(self, name)
            if value is not None and value < minimum:
                raise ValueError(f"{name} must be {minimum} or more; received {value}.")
        self._base = device_variables(
            self.processes, self.devices_per_process, self.environ, gpus(self.environ)
        )

    def run(self) -> int:
        """Run all processes to their end.

        Returns:
            0, or the exit status of the process that failed first.

        Raises:
            OSError: If a process cannot be started.
        """
        used_ports: set[int] = set()
        restart = 0
        with self._record_signals():
            while True:
                port = free_port(used=used_ports)
                used_ports.add(port)
                cause = self._run_once(port)
                if cause is None:
                    return 0
                if self._signals or restart == self.restarts:
                    return cause.exit_status
                restart += 1
                self.tell(f"Starting all processes again ({restart} of {self.restarts}).")

    def _run_once(self, port: int) -> Ending | None:
        """Start all processes and wait for them; the ending that caused a failure, or None."""
        environments = [
            {**base, **job_variables(number, self.processes, port)}
            for number, base in enumerate(self._base)
        ]
        group = ProcessGroup(self.command, environments)
        self._forward_signals(group)  # those that were received while the last attempt ended
        ended: list[Ending] = []
        deadline = math.inf  # until which the others should have ended as well
        while group.is_running:
            ending = group.next_ending(timeout=0.1)
            self._forward_signals(group)
            if ending is not None and ending.status != 0:
                return self._end_all(group, ending)
            if ending is not None:
                ended.append(ending)
                deadline = min(deadline, time.monotonic() + _SECONDS_TO_FOLLOW)
            if group.is_running and time.monotonic() > deadline:
                self._warn_of_waiting(ended)
                deadline = math.inf
        group.finish_output()
        return None

    def _end_all(self, group: ProcessGroup, first: Ending) -> Ending:
        endings = [first, *group.endings_within(_SECONDS_TO_FAIL)]
        patience = 0.0 if len(self._signals) > 1 else _SECONDS_TO_TERMINATE
        suspended = group.suspended()
        _, killed = group.stop(patience)
        cause = cause_of(endings)
        if not self._signals:
            self.tell(describe(cause, self.processes, killed, suspended, self.restarts))
        return cause

    def _warn_of_waiting(self, ended: Sequence[Ending]) -> None:
        names = ", ".join(str(ending.process) for ending in ended)
        self.tell(
            f"Process {names} ended {_SECONDS_TO_FOLLOW:.0f} s ago, and others still run. If they "
            "wait for it, they were given more steps. Ctrl-C ends them."
        )

    # -- signals ---------------------------------------------------------------------------------

    @contextmanager
    def _record_signals(self) -> Iterator[None]:
        """Context manager in which signals are recorded, for `_forward_signals`."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def record(number: int, frame: object) -> None:
            self._signals.append(number)

        before = {n: signal.signal(n, record) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _forward_signals(self, group: ProcessGroup) -> None:
        while self._forwarded < len(self._signals):
            number = self._signals[self._forwarded]
            self._forwarded += 1
            if self._forwarded == 1:
                name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
                self.tell(f"{name} was passed on to all processes. A second one kills them.")
                group.send(number)
            else:
                group.kill()


# The environment of a process


def job_variables(process: int, processes: int, port: int) -> dict[str, str]:
    """The variables by which a process finds the others.

    Args:
        process: Its number, from 0.
        processes: How many there are.
        port: Where process 0 is to listen.

    Example:
        >>> job_variables(1, 2, 5000)["KERAS_DISTRIBUTION_JOB_ADDRESSES"]
        '127.0.0.1:5000'
    """
    return {
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{port}",
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(processes),
        "KERAS_DISTRIBUTION_PROCESS_ID": str(process),
        # JAX's preemption service would handle SIGTERM without ending the process.
        "JAX_ENABLE_PREEMPTION_SERVICE": "0",
        "LAMINA_LAUNCHER": str(os.getpid()),
    }


def device_variables(
    processes: int, devices: int | None, environ: Mapping[str, str], gpus: Sequence[str]
) -> list[dict[str, str]]:
    """The environment of each process, with its devices.

    Args:
        processes: Number of processes.
        devices: Devices for each; None for an even share of the GPUs, or one CPU device.
        environ: The environment to begin with.
        gpus: The GPUs of this machine, as in `CUDA_VISIBLE_DEVICES`.

    Raises:
        ValueError: If there are too few GPUs.

    Example:
        >>> [e["CUDA_VISIBLE_DEVICES"] for e in device_variables(2, None, {}, "0123")]
        ['0,1', '2,3']
    """
    if gpus:
        each = devices or len(gpus) // processes
        if each * processes > len(gpus) or not each:
            raise ValueError(
                f"{processes} processes with {each or 1} GPUs each need {(each or 1) * processes} "
                f"GPUs, and there are {len(gpus)}.\n"
                f"  Fix: --processes {len(gpus)}; or JAX_PLATFORMS=cpu in the environment, to "
                "train on simulated CPU devices."
            )
        shares = [gpus[i * each : (i + 1) * each] for i in range(processes)]
        return [{**environ, "CUDA_VISIBLE_DEVICES": ",".join(share)} for share in shares]
    base = dict(environ)
    if devices is not None:
        flags = re.sub(
            r"\s*--xla_force_host_platform_device_count=\S+", "", base.get("XLA_FLAGS", "")
        )
        count = f"--xla_force_host_platform_device_count={devices}"
        base["XLA_FLAGS"] = f"{flags} {count}".strip()
        base.pop("JAX_NUM_CPU_DEVICES", None)  # it would override the flag
        base.setdefault("JAX_PLATFORMS", "cpu")
    return [dict(base) for _ in range(processes)]


def gpus(environ: Mapping[str, str], folder: Path = Path("/proc/driver/nvidia/gpus")) -> list[str]:
    """The NVIDIA GPUs that JAX would use, by their numbers; found without loading JAX.

    Args:
        environ: The environment.
        folder: Where the driver lists them.
    """
    platforms = environ.get("JAX_PLATFORMS", "")
    if platforms and "cuda" not in platforms and "gpu" not in platforms:
        return []
    if not any(find_spec(f"jax_cuda{version}_plugin") for version in (12, 13)):
        return []
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [gpu for gpu in visible.split(",") if gpu.strip()]
    return [str(i) for i in range(len(list(folder.glob("*"))))]


# Messages


def cause_of(endings: Sequence[Ending]) -> Ending:
    """The ending that caused the others: the first failure that is not a lost connection."""
    bad = [ending for ending in endings if ending.status != 0]
    return next((e for e in bad if e.status not in _LOST_CONNECTION), bad[0])


def describe(
    cause: Ending,
    processes: int,
    killed: Sequence[int],
    suspended: Sequence[int],
    restarts: int,
) -> str:
    """Describe which process failed, why, and what to do.

    Args:
        cause: The process that failed first.
        processes: Number of processes.
        killed: Numbers of the processes that did not end by SIGTERM.
        suspended: Numbers of those that the system had suspended before.
        restarts: How many restarts were asked for.
    """
    text = (
        f"Process {cause.process} of {processes} (pid {cause.pid}) {cause}, "
        f"{cause.seconds:.0f} s after its start."
    )
    reason, fix = _CAUSES.get(cause.status, _OTHER_CAUSE)
    late = [n for n in killed if n != cause.process]
    if late:
        are = "process" if len(late) == 1 else "processes"
        text += (
            f" Then {are} {', '.join(map(str, late))} did not end within "
            f"{_SECONDS_TO_TERMINATE:.0f} s and had to be killed."
        )
    if suspended or (late and cause.status == -signal.SIGABRT):
        hung = ", ".join(map(str, suspended or late))
        reason = f"process {hung} no longer answered" + " and was suspended" * bool(suspended)
        fix = "see who suspended it, or whether its memory was swapped out; then start it again"
    if processes > 1 and not late:
        text += " The others were ended."
    if not restarts:
        fix += (
            "; --restarts 3 starts all again, and with the callback BackupAndRestore they go on "
            "from the last checkpoint"
        )
    return f"{text}\n  Likely cause: {reason}.\n  Fix: {fix}."
