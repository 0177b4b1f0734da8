"""Lamina and its peers side by side on the first network that everybody trains.

MNIST, 784-128-128-10, batch 32, Adam, three epochs. Every contender is a process of its own in
its own environment (`peers/`, one short script each); rounds go A B C A B C, so that a machine
whose speed drifts slows all of them equally. Peers that are not installed are listed as such.

    python benchmarks/first_network.py                                  # table and JSON
    python benchmarks/first_network.py --write README.md                # and the short table there
    python benchmarks/first_network.py --rounds 1 --no-tune             # a quick look
"""

import argparse
import dataclasses
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine
import numpy as np
import report
from contender import Contender, keras, last_line, run as run_contender
from peers.job import BATCH_SIZE, CLASSES, HIDDEN
from rich.console import Console

TRAIN_SAMPLES, TEST_SAMPLES = 60_000, 10_000
# Divisors of the 1,875 steps of an epoch, so that no peer compiles a second, shorter program.
STEPS_PER_EXECUTION = (1, 15, 25, 75)
RESCALE = ("inside", "before")

console = Console(stderr=True)

FIRST_START = Contender("Lamina, first start", "keras_fit.py", options=("--library", "lamina"))
SECOND_START = dataclasses.replace(FIRST_START, name="Lamina, second start")
SCAN = Contender("lax.scan by hand", "jax_scan.py")
TORCH_LOOP = Contender("PyTorch loop by hand", "torch_loop.py", environment="torch")
SKLEARN = Contender("scikit-learn MLPClassifier", "sklearn_mlp.py")
KERAS_JAX, KERAS_TENSORFLOW, KERAS_TORCH = KERAS = [*keras("keras_fit.py").values()]


def main() -> None:
    options = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="lamina-bench-") as scratch:
        results = measure(options, Path(scratch))
    screen = Console() if sys.stdout.isatty() else Console(width=140)
    for table in report.tables(results):
        screen.print(table)
    screen.print(report.used_by_others(results))
    for name, reason in results["failed"].items():
        screen.print(f"{name} failed: {reason}")
    options.json.write_text(json.dumps(results, indent=1) + "\n")
    console.print(f"All measurements: {options.json}")
    for page in options.write:
        report.write_page(page, results)
        console.print(f"Page: {page}")


def measure(options: argparse.Namespace, folder: Path) -> dict:
    """Run every installed contender in turn, round after round.

    Returns:
        Everything measured, as plain data; `report.py` reads it.
    """
    data, data_name = save_data(folder)
    contenders = [FIRST_START, SECOND_START, SCAN, TORCH_LOOP, SKLEARN]
    tuning = {}
    for contender in KERAS:
        rows, tuning[contender.name] = keras_rows(contender, data, folder, options)
        contenders += rows
    not_installed = [c.name for c in contenders if not c.installed()]
    running = [c for c in contenders if c.name not in not_installed]
    runs: dict[str, list[dict]] = {c.name: [] for c in running}
    failed: dict[str, str] = {}
    peaks = [machine.peak_flops()]
    for number in range(options.rounds):
        for contender in running:
            if contender.name in failed:
                continue
            console.print(f"round {number + 1} of {options.rounds}: {contender.name}")
            try:
                result = run(contender, data, options.epochs, folder / f"round-{number}")
                runs[contender.name].append(result)
            except subprocess.CalledProcessError as error:
                failed[contender.name] = last_line(error.stderr)
        peaks.append(machine.peak_flops())
    step_flops = machine.training_step_flops((28 * 28, HIDDEN, HIDDEN, CLASSES), BATCH_SIZE)
    return {
        "machine": machine.describe(),
        "date": time.strftime("%Y-%m-%d"),
        "data": data_name,
        "rounds": options.rounds,
        "epochs": options.epochs,
        "peak_flops_per_second": max(peaks),
        "flops_per_epoch": TRAIN_SAMPLES // BATCH_SIZE * step_flops,
        "runs": {name: results for name, results in runs.items() if name not in failed},
        "not_installed": not_installed,
        "failed": failed,
        "tuning_seconds_per_epoch": tuning,
    }


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="processes per contender")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--no-tune", action="store_true", help="only the peers' defaults")
    parser.add_argument("--json", type=Path, default=Path("first_network.json"))
    parser.add_argument(
        "--write",
        type=Path,
        metavar="PAGE",
        action="append",
        default=[],
        help="put the results in a page, between its markers; may be repeated",
    )
    return parser.parse_args()


def save_data(folder: Path) -> tuple[Path, str]:
    """Put MNIST in one uncompressed file that every contender reads.

    Without MNIST, random images of the same shape: times stay true, accuracy means nothing.
    """
    path = folder / "data.npz"
    try:
        from lamina.datasets import mnist

        (x_train, y_train), (x_test, y_test) = mnist.load_data()
        name = "MNIST"
    except OSError as error:
        console.print(f"No MNIST ({last_line(str(error))}): random images instead.")
        rng = np.random.default_rng(seed=0)
        x_train, x_test = (
            rng.integers(0, 256, (n, 28, 28), np.uint8) for n in (TRAIN_SAMPLES, TEST_SAMPLES)
        )
        y_train, y_test = (
            rng.integers(0, CLASSES, n, np.uint8) for n in (TRAIN_SAMPLES, TEST_SAMPLES)
        )
        name = "random images of MNIST's shape, so accuracy means nothing"
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path, name


def keras_rows(
    contender: Contender, data: Path, folder: Path, options: argparse.Namespace
) -> tuple[list[Contender], dict[str, float]]:
    """Keras on one backend at its default and at its best `steps_per_execution`.

    Every setting runs once with the pixels rescaled by a layer and once by NumPy beforehand; the
    best later epoch decides, so that Keras gets the better of both.

    Returns:
        The rows, and the seconds of the best later epoch under each setting that was tried.
    """
    default = dataclasses.replace(contender, name=f"{contender.name}, default")
    if options.no_tune or not contender.installed():
        return [default], {}
    # On PyTorch Keras refuses more than one step per execution.
    candidates = (1,) if contender is KERAS_TORCH else STEPS_PER_EXECUTION
    seconds: dict[tuple[int, str], float] = {}
    for steps, rescale in itertools.product(candidates, RESCALE):
        console.print(f"tuning {contender.name}: {steps} steps, pixels rescaled {rescale}")
        result = run(with_settings(contender, steps, rescale), data, options.epochs, folder)
        seconds[steps, rescale] = min(result["epochs"][1:])
    rows = [with_settings(default, *min(((1, r) for r in RESCALE), key=seconds.__getitem__))]
    steps, rescale = min(seconds, key=seconds.__getitem__)
    if steps > 1:
        tuned = dataclasses.replace(contender, name=f"{contender.name}, {steps} steps")
        rows.append(with_settings(tuned, steps, rescale))
    return rows, {f"{steps} steps, rescaled {r}": time for (steps, r), time in seconds.items()}


def with_settings(contender: Contender, steps: int, rescale: str) -> Contender:
    options = ("--steps-per-execution", str(steps), "--rescale", rescale)
    return dataclasses.replace(contender, options=options)


def run(contender: Contender, data: Path, epochs: int, folder: Path) -> dict:
    """Run one contender once as a fresh process; see `contender.run`."""
    return run_contender(contender, (data, "--epochs", epochs), folder)


if __name__ == "__main__":
    main()
