"""Shared by all contenders: keep time, print the prediction and one line of JSON.

Standard library only, because the clock runs while a contender imports its own.
"""

import argparse
import contextlib
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HIDDEN, CLASSES = 128, 10
BATCH_SIZE, LEARNING_RATE = 32, 0.001


def arguments() -> argparse.Namespace:
    """The options that `first_network.py` passes to every contender."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", help="npz file with x_train, y_train, x_test, y_test")
    parser.add_argument("--epochs", type=int, default=3)
    # The rest is for keras_fit.py.
    parser.add_argument("--library", choices=["keras", "lamina"], default="keras")
    parser.add_argument("--steps-per-execution", type=int, default=1)
    parser.add_argument(
        "--rescale",
        choices=["inside", "before"],
        default="inside",
        help="bring pixels to 0..1 by a layer of the model, or by NumPy before training",
    )
    return parser.parse_args()


class Job:
    """Collects the measurements of one process.

    Example:
        >>> job = Job()
        >>> with job.timed("import"):
        ...     import math
        >>> job.epoch_begins()
        >>> job.epoch_ends()
    """

    def __init__(self) -> None:
        self.results: dict = {"epochs": []}
        self._mark = time.perf_counter()

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Store the seconds that the `with` block takes."""
        start = time.perf_counter()
        yield
        self.results[name] = time.perf_counter() - start

    def epoch_begins(self) -> None:
        """Call once, right before training: what compiles belongs to the first epoch."""
        self._mark = time.perf_counter()

    def epoch_ends(self) -> None:
        """Call when the epoch's last number is known to Python."""
        now = time.perf_counter()
        self.results["epochs"].append(now - self._mark)
        self._mark = now

    def finish(self, accuracy: float, prediction: int, **versions: str) -> None:
        """Print the prediction, which ends the cold process, then everything as one JSON line.

        Args:
            accuracy: Of the test set, fraction.
            prediction: Class of the first test image.
            **versions: From package to version.
        """
        print("prediction", int(prediction), flush=True)
        versions["python"] = ".".join(map(str, sys.version_info[:3]))
        self.results |= {
            "accuracy": float(accuracy),
            "prediction": int(prediction),
            "peak_memory": peak_memory(),
            "versions": versions,
        }
        print(json.dumps(self.results), flush=True)


def peak_memory() -> int:
    """Bytes that this process held at most."""
    # Linux lets ru_maxrss start at the size of the parent; VmHWM belongs to this program alone.
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
