"""The mlp trained from a generator, a memmap larger than the budget, and a folder of PNGs.

python benchmarks/stream.py
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import workloads
from contender import Contender, attempt, keras

LAMINA = Contender("Lamina", "stream_keras.py", options=("--library", "lamina"))
PICTURES = 2048
LARGE = (100_000, 224, 224, 3)  # 15 GB


def measure(quick: bool = False) -> dict:
    """Lamina and Keras on JAX, each on all sources in turn.

    Args:
        quick: Fewer epochs, and not the set of 15 GB.

    Returns:
        From contender to the seconds of a later epoch by source, and more; see
        `peers/stream_keras.py`.
    """
    workload = workloads.load("mlp")
    peer = keras("stream_keras.py")["jax"]
    steps = workload.STEPS // 4 if quick else workload.STEPS
    with tempfile.TemporaryDirectory(prefix="lamina-bench-") as scratch:
        folder = Path(scratch)
        x, y = workload.arrays(np.random.default_rng(seed=0), workload.STEPS * workload.BATCH_SIZE)
        np.save(folder / "x.npy", x)
        np.save(folder / "y.npy", y)
        _save_pictures(folder / "pngs", x[:PICTURES], y[:PICTURES])
        results = {peer.name: attempt(peer, (folder, "--steps", steps // 5, "--rounds", 1), folder)}
        if not quick:
            # Zeros that take no room on the disk: what counts is how many there are.
            np.lib.format.open_memmap(folder / "large.npy", "w+", np.uint8, LARGE).flush()
        results[LAMINA.name] = attempt(LAMINA, (folder, "--steps", steps), folder)
    return results


def _save_pictures(folder: Path, x: np.ndarray, y: np.ndarray) -> None:
    from PIL import Image

    for i, (pixels, label) in enumerate(zip(x, y, strict=True)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / str(label) / f"{i}.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps, not the set of 15 GB")
    print(json.dumps(measure(parser.parse_args().quick), indent=1))
