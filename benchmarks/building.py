"""How long it takes to build, summarise, clone, save and load a model of 200 layers.

python benchmarks/building.py
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from contender import Contender, attempt, keras

CONTENDERS = (
    Contender("Lamina", "building_keras.py", options=("--library", "lamina")),
    keras("building_keras.py")["jax"],
)
TASKS = {
    "build": "200 functional layers",
    "operations": "200 symbolic operations",
    "summary": "`summary`",
    "clone": "`clone_model`",
    "save": "`save`",
    "load": "`load_model`",
}


def measure(quick: bool = False) -> dict:
    """Lamina and Keras on JAX in turn.

    Returns:
        From contender to the median seconds of every task, or to `{"failed": reason}`.
    """
    found: dict[str, list[dict]] = {contender.name: [] for contender in CONTENDERS}
    with tempfile.TemporaryDirectory(prefix="lamina-bench-") as folder:
        for _ in range(1 if quick else 5):
            for contender in CONTENDERS:
                found[contender.name].append(attempt(contender, (), Path(folder)))
    return {name: _medians(runs) for name, runs in found.items()}


def _medians(runs: list[dict]) -> dict:
    failed = [run for run in runs if "failed" in run]
    if failed:
        return {"failed": failed[0]["failed"]}
    return {task: statistics.median(run[task] for run in runs) for task in TASKS}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round instead of five")
    print(json.dumps(measure(parser.parse_args().quick), indent=1))
