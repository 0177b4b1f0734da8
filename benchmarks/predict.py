"""How long a prediction takes, and what thousands of them leave behind.

python benchmarks/predict.py
"""

import argparse
import json
import tempfile
from pathlib import Path

from contender import Contender, attempt, keras

CONTENDERS = {
    "Lamina": Contender("Lamina", "predict_keras.py", options=("--library", "lamina")),
    **{c.name: c for c in keras("predict_keras.py").values()},
    "PyTorch by hand": Contender("PyTorch by hand", "predict_torch.py", "torch"),
}


def measure(quick: bool = False) -> dict:
    """Every installed contender once; each takes medians of its own.

    Returns:
        From contender to what it measured, or to `{"failed": reason}`.
    """
    few = ("--odd", 2000, "--lives", 20) if quick else ()
    with tempfile.TemporaryDirectory(prefix="lamina-bench-") as folder:
        return {
            name: attempt(contender, few if "keras" in contender.script else (), Path(folder))
            for name, contender in CONTENDERS.items()
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    print(json.dumps(measure(parser.parse_args().quick), indent=1))
