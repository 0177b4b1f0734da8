"""How long it takes to build, summarise, clone, save and load a model of 200 layers.

python benchmarks/building.py
"""

import argparse
import json

from contender import Contender, keras, medians_in_turn

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
    return medians_in_turn(CONTENDERS, (), 1 if quick else 5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round instead of five")
    print(json.dumps(measure(parser.parse_args().quick), indent=1))
