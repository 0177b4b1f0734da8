"""What the machine is and how fast it could be at best, to put the figures in proportion."""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
STAT = Path("/proc/stat")


def cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def instruction_set(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Widest vector instructions of the processor, e.g. `AVX-512`."""
    words = set(cpuinfo.read_text().split()) if cpuinfo.exists() else set()
    for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("asimd", "NEON")):
        if flag in words:
            return name
    return platform.machine()


def describe() -> str:
    """The machine in one phrase, e.g. `2 cores, AVX-512`."""
    return f"{cores()} cores, {instruction_set()}"


def busy_share(seconds: float = 0.3) -> float:
    """Fraction of all cores that other programs use while this one sleeps; 0 if unknown."""

    def ticks() -> tuple[int, int]:
        if not STAT.exists():
            return 0, 0
        # user, nice, system, idle, iowait, … since the machine started
        counts = [int(word) for word in STAT.read_text().split("\n", 1)[0].split()[1:]]
        return sum(counts), counts[3] + counts[4]

    total, idle = ticks()
    time.sleep(seconds)
    total_after, idle_after = ticks()
    passed = total_after - total
    return 1 - (idle_after - idle) / passed if passed else 0.0


def peak_flops() -> float:
    """Floating-point operations per second in a large float32 matrix product, all cores."""
    return _measured("peak_flops.py")["flops_per_second"]


def limits() -> dict:
    """What the machine can do at best.

    Returns:
        `flops_per_second`; `bandwidth`: bytes read and written a second, by the bytes that are
        worked on, as text; `jax_memory`: bytes of a process that only imported JAX.
    """
    return {
        "flops_per_second": peak_flops(),
        "bandwidth": _measured("bandwidth.py", str(cores())),
        "jax_memory": _measured("jax_baseline.py")["peak_memory"],
    }


def _measured(script: str, *arguments: str) -> dict:
    command = [sys.executable, PEERS / script, *arguments]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


def training_step_flops(sizes: tuple[int, ...], batch_size: int) -> int:
    """Operations in the matrix products of one training step of a dense network.

    Forward, gradient of the kernels and gradient of the inputs cost one product a layer each,
    2 * batch * inputs * outputs; nobody needs the gradient of the pixels, so the first layer
    has only two.

    Args:
        sizes: Units from the input to the output, e.g. `(784, 128, 128, 10)`.
        batch_size: Samples a step.

    Example:
        >>> training_step_flops((3, 5, 2), batch_size=1)  # 2 * (2 * 15 + 3 * 10)
        120
    """
    products = [inputs * outputs for inputs, outputs in zip(sizes, sizes[1:], strict=False)]
    return 2 * batch_size * (3 * sum(products) - products[0])
