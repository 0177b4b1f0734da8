"""What a training step of a single layer takes, beside Keras on JAX and PyTorch.

python benchmarks/single_layers.py
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from contender import Contender, attempt, keras

OPTIONS = ("--library", "lamina")
CONTENDERS = (
    Contender("Lamina", "layers_keras.py", options=OPTIONS),
    Contender(
        "Lamina with kernels",
        "layers_keras.py",
        options=OPTIONS,
        variables={"LAMINA_KERNELS": "1"},
        needs="lamina_kernels",
    ),
    keras("layers_keras.py")["jax"],
    Contender("PyTorch by hand", "layers_torch.py", "torch"),
)


def measure(quick: bool = False) -> dict:
    """All contenders in turn.

    Returns:
        From contender to the median seconds of a step of every layer, or to
        `{"failed": reason}`.
    """
    rounds, epochs = (1, 3) if quick else (3, 9)
    found: dict[str, list[dict]] = {contender.name: [] for contender in CONTENDERS}
    with tempfile.TemporaryDirectory(prefix="lamina-bench-") as folder:
        for _ in range(rounds):
            for contender in CONTENDERS:
                result = attempt(contender, ("--epochs", epochs), Path(folder))
                found[contender.name].append(result)
    return {name: _medians(runs) for name, runs in found.items()}


def _medians(runs: list[dict]) -> dict:
    failed = [run for run in runs if "failed" in run]
    if failed:
        return {"failed": failed[0]["failed"]}
    layers = [name for name in runs[0] if name[0].isupper()]
    return {name: statistics.median(run[name] for run in runs) for name in layers}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round instead of three")
    print(json.dumps(measure(parser.parse_args().quick), indent=1))
