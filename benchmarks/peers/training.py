"""What the `train_*.py` scripts share: their options, and what they note.

Standard library and NumPy only, because every environment reads it.
"""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from types import ModuleType

from job import peak_memory

LEARNING_RATE = 0.001


def arguments() -> argparse.Namespace:
    """Options that `train.py` passes to every contender."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workload")
    parser.add_argument("data", help="npz file with x and y")
    parser.add_argument("--steps", type=int, required=True, help="steps of an epoch")
    parser.add_argument("--later", type=int, default=3, help="epochs after the first")
    parser.add_argument("--library", choices=["keras", "lamina"], default="keras")
    parser.add_argument(
        "--settings",
        type=json.loads,
        default=[{}],
        help="JSON list; each setting trains a new model in this process",
    )
    return parser.parse_args()


def data(options: argparse.Namespace, workload: ModuleType) -> tuple:
    """As many rows as this contender's epoch has."""
    import numpy as np

    rows = options.steps * workload.BATCH_SIZE
    with np.load(options.data) as file:
        return file["x"][:rows], file["y"][:rows]


class Record:
    """Notes the times of one process, setting after setting.

    A setting's first epoch begins where its model is made: whatever has to be built, traced,
    compiled or copied before the first number is known belongs to it.
    """

    def __init__(self) -> None:
        self.results: dict = {"settings": []}
        self._mark = 0.0

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Store the seconds that the `with` block takes."""
        start = time.perf_counter()
        yield
        self.results[name] = time.perf_counter() - start

    def begin(self, **setting: object) -> None:
        """Call before the model is made."""
        self.results["settings"].append({"setting": setting, "epochs": []})
        self._mark = time.perf_counter()

    def epoch_ends(self, loss: float) -> None:
        """Call at the end of an epoch; making a float of the loss waits for the device."""
        loss = float(loss)
        now = time.perf_counter()
        entry = self.results["settings"][-1]
        entry["epochs"].append(now - self._mark)
        entry["loss"] = loss
        self._mark = time.perf_counter()

    def is_slow(self) -> bool:
        """Whether a later epoch of this setting took far longer than one of an earlier setting.

        It will not be the best, so its remaining epochs need not be run.
        """
        *earlier, this = (entry["epochs"][1:] for entry in self.results["settings"])
        return bool(earlier and this) and min(this) > 1.5 * min(map(min, earlier))

    def end(self) -> None:
        """Call after a setting's last epoch."""
        # Only the first setting's peak is its own: what comes later finds memory already taken.
        self.results.setdefault("peak_memory", peak_memory())

    def finish(self, **versions: str) -> None:
        """Print everything as one JSON line."""
        versions["python"] = ".".join(map(str, sys.version_info[:3]))
        print(json.dumps({**self.results, "versions": versions}), flush=True)
