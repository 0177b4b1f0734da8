"""What a training step of a single layer takes, beside Keras on JAX and PyTorch.

python benchmarks/single_layers.py
"""

import argparse
import json

from contender import Contender, keras, medians_in_turn

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
    return medians_in_turn(CONTENDERS, ("--epochs", epochs), rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round instead of three")
    print(json.dumps(measure(parser.parse_args().quick), indent=1))
