"""Trains one workload with Lamina and its peers, in turn, and prints how fast each is.

    python benchmarks/train.py lstm
    python benchmarks/train.py lstm --only lamina,keras-jax --later 5 --rounds 1

Every contender is a process of its own; rounds go A B C A B C, so that a machine whose speed
drifts slows all of them equally. Peers that are not installed are listed as such.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

import machine
import numpy as np
import training_report
import workloads
from contender import Contender, keras, reason, run
from rich.console import Console

LAMINA = Contender("Lamina", "train_keras.py", options=("--library", "lamina"))
LAMINA_AGAIN = dataclasses.replace(LAMINA, name="Lamina, second start")
WITH_KERNELS = dataclasses.replace(
    LAMINA,
    name="Lamina with kernels",
    variables={"LAMINA_KERNELS": "1"},
    needs="lamina_kernels",
)
CONTENDERS = {
    "lamina": LAMINA,
    "lamina-again": LAMINA_AGAIN,  # finds the programs that the first start compiled
    "lamina-kernels": WITH_KERNELS,
    "jax": Contender("JAX by hand", "train_jax.py"),
    **{f"keras-{backend}": c for backend, c in keras("train_keras.py").items()},
    "keras-torch-jit": dataclasses.replace(
        keras("train_keras.py")["torch"], name="Keras on PyTorch, jit_compile"
    ),
    "torch": Contender("PyTorch by hand", "train_torch.py", "torch"),
    "torch-compile": Contender("PyTorch by hand, torch.compile", "train_torch.py", "torch"),
    "sklearn": Contender("scikit-learn", "train_sklearn.py"),
}
# torch.compile takes minutes for some models: that is a result, too, but nobody has to wait for it
# in every round, or with Keras in every workload.
TORCH_COMPILERS = ("keras-torch-jit", "torch-compile")
COMPILE_LIMIT = 45.0

console = Console(stderr=True)


def main() -> None:
    options = parse_arguments()
    results = measure(options.workload, options)
    screen = Console() if sys.stdout.isatty() else Console(width=140)
    screen.print(training_report.table(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workload", choices=workloads.NAMES)
    add_options(parser)
    parser.add_argument(
        "--only",
        dest="contenders",
        type=names,
        default=list(CONTENDERS),
        metavar="A,B",
        help=", ".join(CONTENDERS),
    )
    parser.add_argument("--json", type=Path, help="keep every measurement in this file")
    return parser.parse_args()


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `run_all.py` takes as well."""
    parser.add_argument("--rounds", type=int, default=2, help="processes per contender")
    parser.add_argument("--later", type=int, default=3, help="epochs after the first")
    parser.add_argument("--no-tune", action="store_true", help="only the peers' defaults")


def names(text: str) -> list[str]:
    """Contenders of a list with commas.

    Raises:
        argparse.ArgumentTypeError: If one is unknown.
    """
    chosen = text.split(",")
    unknown = [name for name in chosen if name not in CONTENDERS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"no contender {unknown[0]!r}; there are {', '.join(CONTENDERS)}"
        )
    return chosen


def measure(name: str, options: argparse.Namespace) -> dict:
    """Run every installed contender in turn, round after round.

    Returns:
        Everything measured, as plain data; `training_report.py` reads it.
    """
    workload = workloads.load(name)
    with tempfile.TemporaryDirectory(prefix="lamina-bench-") as scratch:
        folder = Path(scratch)
        x, y = workload.arrays(np.random.default_rng(seed=0), workload.STEPS * workload.BATCH_SIZE)
        np.savez(folder / "data.npz", x=x, y=y)
        runs, missing, failed = _rounds(workload, folder, options)
    return {
        "workload": name,
        "title": workload.TITLE,
        "machine": machine.describe(),
        "date": time.strftime("%Y-%m-%d"),
        "steps": workload.STEPS,
        "rounds": options.rounds,
        "flops_per_step": workloads.training_flops(workload),
        "activation_bytes": workloads.activation_bytes(workload),
        "data_bytes": x.nbytes + y.nbytes,
        "runs": runs,
        "not_installed": missing,
        "failed": failed,
    }


def _rounds(
    workload: ModuleType, folder: Path, options: argparse.Namespace
) -> tuple[dict[str, list[dict]], list[str], dict[str, str]]:
    runs: dict[str, list[dict]] = {}
    failed: dict[str, str] = {}
    takes_part = {key: CONTENDERS[key] for key in options.contenders if _can(key, workload)}
    missing = [c.name for c in takes_part.values() if not c.installed()]
    best: dict[str, dict] = {}
    for number in range(options.rounds):
        for key, contender in takes_part.items():
            once = key in TORCH_COMPILERS and number > 0
            if contender.name in failed or contender.name in missing or once:
                continue
            began = time.perf_counter()
            settings = _settings(key, workload, options.no_tune)
            if number > 0 and key in best:
                # The best one first: what comes second finds a library that is warm.
                settings = [best[key], *([settings[0]] if best[key] != settings[0] else [])]
            try:
                result = _run(key, contender, workload, settings, folder, number, options)
            except subprocess.SubprocessError as error:
                failed[contender.name] = reason(error)
                console.print(f"{contender.name} failed: {failed[contender.name]}", soft_wrap=True)
                continue
            took = time.perf_counter() - began
            where = f"{_name(workload)}, round {number + 1}"
            console.print(f"{where}: {contender.name}, {took:.0f} s", soft_wrap=True)
            for row in training_report.rows_of(contender.name, result):
                runs.setdefault(row.pop("name"), []).append(row)
            fastest = min(result["settings"], key=lambda s: training_report.later(s["epochs"]))
            best.setdefault(key, fastest["setting"])
    return runs, missing, failed


def _name(workload: ModuleType) -> str:
    return workload.__name__.split(".")[-1]


def _can(key: str, workload: ModuleType) -> bool:
    if key == "keras-torch-jit":
        return _name(workload) == "mlp"
    return key != "sklearn" or hasattr(workload, "SIZES")


def _run(
    key: str,
    contender: Contender,
    workload: ModuleType,
    settings: list[dict],
    folder: Path,
    number: int,
    options: argparse.Namespace,
) -> dict:
    steps = workloads.steps_for(workload, key)
    arguments = (_name(workload), folder / "data.npz")
    given = ("--steps", steps, "--later", options.later, "--settings", json.dumps(settings))
    limit = COMPILE_LIMIT if key in TORCH_COMPILERS else None
    result = run(contender, (*arguments, *given), folder / f"round-{number}", limit)
    return {**result, "steps": steps}


def _settings(key: str, workload: ModuleType, default_only: bool) -> list[dict]:
    """What is tried, the default first.

    Keras's default on PyTorch is not to compile, and it takes one step per execution only. Its
    `jit_compile` on TensorFlow is on unless switched off.
    """
    if key in TORCH_COMPILERS:
        return [{"compiled": True} if key == "torch-compile" else {"jit_compile": True}]
    if default_only or key not in ("keras-jax", "keras-tensorflow"):
        return [{}]
    tried: list[dict] = [{"steps_per_execution": n} for n in workload.STEPS_PER_EXECUTION]
    most = tried[-1]
    if hasattr(workload, "PIXELS"):
        tried.append({**most, "scaled": True})
    if key == "keras-tensorflow":
        tried += [{"jit_compile": False}, {**most, "jit_compile": False}]
    return [{}, *tried]


if __name__ == "__main__":
    main()
