"""Starts a script in several processes that train one model."""

import os
import signal
import subprocess
import sys
import time

from lamina.core.ports import free_port

PREAMBLE = """
import sys
import jax, lamina, numpy as np
from lamina.distribution import *
initialize()
number = jax.process_index()
"""


def start(script, folder, processes=2, devices=1, host="127.0.0.1", before=(), **environment):
    """The processes of a job, with their output in files `0`, `1` … of the folder.

    Args:
        script: What they run, after `PREAMBLE`.
        folder: Where they run.
        processes: How many.
        devices: Devices of each.
        host: The address of the first one.
        before: For each process the words of the command before Python, if there are any.
        **environment: Further variables.
    """
    address = f"{host}:{free_port()}"
    path = folder / "script.py"
    path.write_text(PREAMBLE + script)
    started = []
    for number in range(processes):
        own = {
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
            "JAX_ENABLE_X64": "1",
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
            "KERAS_DISTRIBUTION_NUM_PROCESSES": str(processes),
            "KERAS_DISTRIBUTION_PROCESS_ID": str(number),
        }
        with open(folder / str(number), "w") as output:
            started.append(
                subprocess.Popen(
                    [*(before[number] if before else ()), sys.executable, str(path)],
                    env={**os.environ, **own, **environment},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=folder,
                )
            )
    return started


def wait(started, folder, seconds=180):
    """Exit statuses, and texts of the outputs; a process that does not end fails the test."""
    deadline = time.monotonic() + seconds
    try:
        statuses = [process.wait(max(1, deadline - time.monotonic())) for process in started]
    finally:
        for process in started:
            process.kill()
    return statuses, [(folder / str(i)).read_text() for i in range(len(started))]


def run(script, folder, **arguments):
    """As `start` and `wait`, for a job that must succeed: the outputs."""
    statuses, outputs = wait(start(script, folder, **arguments), folder)
    assert statuses == [0] * len(statuses), "\n".join(outputs)
    return outputs


def signal_when(words, started, folder, victim, number=signal.SIGKILL):
    """Send a signal to one process as soon as the first one has printed some words."""
    deadline = time.monotonic() + 120
    while words not in (folder / "0").read_text():
        assert time.monotonic() < deadline, (folder / "0").read_text()
        time.sleep(0.05)
    started[victim].send_signal(number)
