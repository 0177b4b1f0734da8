"""ProcessGroup: several processes of one job on this machine, started and ended together."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Ending:
    """How a process ended.

    Args:
        process: Its number, from 0.
        pid: Its process id.
        status: Its exit status; the negative number of the signal that ended it.
        seconds: How long it ran.
    """

    process: int
    pid: int
    status: int
    seconds: float

    @property
    def exit_status(self) -> int:
        """The exit status that a shell gives: 128 and the signal's number for a signal."""
        return self.status if self.status >= 0 else 128 - self.status

    def __str__(self) -> str:
        """`was ended by SIGKILL` or `ended with exit status 3`."""
        if self.status >= 0:
            return f"ended with exit status {self.status}"
        try:
            name = signal.Signals(-self.status).name
        except ValueError:
            name = f"signal {-self.status}"
        return f"was ended by {name}"


class ProcessGroup:
    """Starts one process for each environment, and reports how they end.

    The first process has the input and output of this process. For the others, lines of stderr are
    shown with the number of the process in front, and stdout is discarded. Each process has its own
    session, so Ctrl-C in a terminal does not reach it: `send` forwards signals.

    Args:
        command: What each process runs.
        environments: Its environment variables.

    Raises:
        OSError: If a process cannot be started.
    """

    def __init__(self, command: Sequence[str], environments: Sequence[Mapping[str, str]]):
        self._endings: queue.Queue[Ending] = queue.Queue()
        self._children: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []
        self._waiting = len(environments)
        try:
            for number, environ in enumerate(environments):
                self._start(command, environ, number)
        except OSError:
            self._waiting = len(self._children)
            self.stop(patience=0)
            raise

    def _start(self, command: Sequence[str], environ: Mapping[str, str], number: int) -> None:
        is_first = number == 0
        child = subprocess.Popen(
            list(command),
            env=dict(environ),
            stdin=None if is_first else subprocess.DEVNULL,
            stdout=None if is_first else subprocess.DEVNULL,
            stderr=None if is_first else subprocess.PIPE,
            start_new_session=True,
        )
        self._children.append(child)
        self._start_thread(self._wait, child, number, time.monotonic())
        if child.stderr is not None:
            self._start_thread(_show_lines, child.stderr, number)

    def _start_thread(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        thread.start()
        self._threads.append(thread)

    def _wait(self, child: "subprocess.Popen[bytes]", number: int, start: float) -> None:
        status = child.wait()
        self._endings.put(Ending(number, child.pid, status, time.monotonic() - start))

    @property
    def is_running(self) -> bool:
        """Whether a process has an ending that `next_ending` has not returned."""
        return self._waiting > 0

    def next_ending(self, timeout: float) -> Ending | None:
        """The ending of the process that ended next, each once, or None after the timeout.

        Args:
            timeout: Seconds to wait.
        """
        if not self.is_running:
            return None
        try:
            ending = self._endings.get(timeout=timeout)
        except queue.Empty:
            return None
        self._waiting -= 1
        return ending

    def endings_within(self, seconds: float) -> list[Ending]:
        """The endings of all processes that end within a time."""
        deadline = time.monotonic() + seconds
        endings: list[Ending] = []
        while (left := deadline - time.monotonic()) > 0 and self.is_running:
            ending = self.next_ending(left)
            if ending is not None:
                endings.append(ending)
        return endings

    def send(self, number: int) -> None:
        """Send a signal to every process that runs."""
        for child in self._children:
            if child.poll() is None:
                child.send_signal(number)

    def kill(self) -> None:
        """End every process that runs, with all that it has started."""
        for child in self._children:
            if child.poll() is not None:
                continue
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except (AttributeError, ProcessLookupError, PermissionError):
                child.kill()

    def suspended(self) -> list[int]:
        """The numbers of processes that are stopped by SIGSTOP; empty except on Linux."""
        return [
            number
            for number, child in enumerate(self._children)
            if child.poll() is None and _process_state(child.pid) in ("T", "t")
        ]

    def stop(self, patience: float) -> tuple[list[Ending], list[int]]:
        """End every process: SIGTERM, and SIGKILL for those that still run.

        Args:
            patience: Seconds between both.

        Returns:
            The endings, and the numbers of the processes that were killed.
        """
        self.send(signal.SIGTERM)
        endings = self.endings_within(patience)
        killed = [n for n, child in enumerate(self._children) if child.poll() is None]
        self.kill()
        endings += self.endings_within(2.0)
        self.finish_output()
        return endings, killed

    def finish_output(self) -> None:
        """Show the remaining output of the processes."""
        for thread in self._threads:
            # A child process of the script may keep the pipe open.
            thread.join(timeout=1.0)


def _process_state(pid: int) -> str:
    """The letter for the state of a process, on Linux."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def _show_lines(pipe: IO[bytes], number: int) -> None:
    with pipe:
        for line in pipe:
            text = line.decode(errors="replace").rstrip("\n")
            print(f"[{number}] {text}", file=sys.stderr, flush=True)
