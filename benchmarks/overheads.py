"""What progress, history, metrics and batch hooks cost beside the training itself.

python benchmarks/overheads.py
"""

import argparse
import json
import tempfile
from pathlib import Path

from contender import Contender, attempt, keras

LAMINA = Contender("Lamina", "overheads_keras.py", options=("--library", "lamina"))
STEPS = {"Lamina": 1875, "Keras on JAX": 375}


def measure(quick: bool = False) -> dict:
    """Lamina and Keras on JAX.

    Returns:
        From contender to the seconds of a step of the mlp: `bare` (no metrics, silent), `usual`
        (accuracy, progress in a terminal), `hook` (accuracy, a callback after every batch), and
        `share`, what the usual way takes longer than the bare one, as a fraction.
    """
    rounds = ("--rounds", 3 if quick else 9)
    with tempfile.TemporaryDirectory(prefix="lamina-bench-") as folder:
        return {
            contender.name: attempt(
                contender, ("--steps", STEPS[contender.name], *rounds), Path(folder)
            )
            for contender in (LAMINA, keras("overheads_keras.py")["jax"])
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three rounds instead of nine")
    print(json.dumps(measure(parser.parse_args().quick), indent=1))
