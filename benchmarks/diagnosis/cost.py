"""What diagnosis costs: the full set on a training of over a minute, and notes on the mlp workload.

Trainings with and without it take turns, so that a machine that becomes slower does so for both.
Seconds are processor time of this process, also those of the budget, so that other programs do not
count.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from run import measured
from table import write_into

import lamina
import programs
from lamina import layers
from lamina.training.recorder import Recorder

sys.path.insert(0, str(Path(__file__).parents[1]))
from workloads import mlp  # benchmarks/workloads


def mnist_cnn() -> Any:
    """The network of examples/mnist_cnn.py."""
    model = lamina.Sequential(
        [
            layers.Rescaling(1 / 255),
            layers.Reshape((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def full_set(rounds: int, least: float, samples: int = 20_000) -> dict[str, Any]:
    """Seconds of a `fit` of MNIST, with diagnosis off and with the full set.

    Args:
        rounds: How many times each.
        least: Seconds that a training should take without diagnosis.
        samples: Samples of MNIST.
    """
    x, y = programs._pictures("mnist")
    x_val, y_val, x, y = x[50_000:], y[50_000:], x[:samples], y[:samples]

    def fit(level: str, epochs: int) -> tuple[float, list[str]]:
        lamina.utils.set_random_seed(0)
        lamina.config.set_diagnosis(level)
        model = mnist_cnn()
        began = time.process_time()
        with measured():
            history = model.fit(
                x, y, batch_size=64, epochs=epochs, validation_data=(x_val, y_val), verbose=0
            )
        seconds = time.process_time() - began
        return seconds, [] if level == "off" else history.findings.codes

    fit("off", 1)  # compiles
    epochs = max(1, round(1.1 * least / fit("off", 1)[0]))
    seconds: dict[str, list[float]] = {"off": [], "full": []}
    codes: list[str] = []
    for number in range(rounds):
        for level in ("off", "full") if number % 2 == 0 else ("full", "off"):
            took, codes_of_run = fit(level, epochs)
            seconds[level].append(round(took, 2))
            codes += codes_of_run
            print(level, seconds[level][-1], codes_of_run, file=sys.stderr, flush=True)
    off, full = (statistics.median(seconds[level]) for level in ("off", "full"))
    return {"epochs": epochs, "seconds": seconds, "added": round(full / off - 1, 4), "codes": codes}


def notes(rounds: int, epochs: int = 4) -> dict[str, Any]:
    """What notes take of a later epoch of the mlp workload.

    Args:
        rounds: How many trainings with notes and with diagnosis off.
        epochs: Epochs of each; the first does not count.

    Returns:
        Median seconds of a later epoch for each level; `added`, their ratio; and `inside`, the
        share of a later epoch that is spent in the recorder's own code, which does not depend on
        how the machine is loaded.
    """
    rng = np.random.default_rng(0)
    x, y = mlp.arrays(rng, mlp.BATCH_SIZE * mlp.STEPS)
    model = mlp.keras_model(lamina)
    model.compile("adam", loss=mlp.LOSS, metrics=["accuracy"])
    inside = 0.0

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            began = time.process_time()
            result = method(*args, **kwargs)
            inside += time.process_time() - began
            return result

        return wrapper

    class Ends(lamina.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.times: list[float] = []

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.times.append(time.process_time())

    seconds: dict[str, list[float]] = {"off": [], "notes": []}
    shares = []
    ends = Ends()
    with (
        mock.patch.object(Recorder, "on_chunk", timed(Recorder.on_chunk)),
        mock.patch.object(Recorder, "on_epoch_end", timed(Recorder.on_epoch_end)),
    ):
        for number in range(rounds):
            for level in ("off", "notes") if number % 2 == 0 else ("notes", "off"):
                lamina.config.set_diagnosis(level)
                inside = 0.0
                model.fit(
                    x, y, batch_size=mlp.BATCH_SIZE, epochs=epochs, verbose=0, callbacks=[ends]
                )
                later = np.diff(ends.times)
                seconds[level] += [round(float(one), 4) for one in later]
                if level == "notes":
                    shares.append(inside / epochs / float(np.mean(later)))
    off, noted = (statistics.median(seconds[level]) for level in ("off", "notes"))
    return {
        "seconds": {"off": off, "notes": noted},
        "added": round(noted / off - 1, 5),
        "inside": round(statistics.median(shares), 6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=75, help="of a training without diagnosis")
    parser.add_argument("--only", choices=("full", "notes"))
    parser.add_argument("--short", action="store_true", help="one training of a few seconds each")
    parser.add_argument("--out", type=Path, help="the results as JSON")
    parser.add_argument("--page", type=Path, help="the page to write the table into")
    options = parser.parse_args()
    lamina.config.disable_interactive_logging()
    if options.short:
        options.rounds, options.seconds = 1, 2.0
    result: dict[str, Any] = {}
    if options.out is not None and options.out.exists():
        result = json.loads(options.out.read_text(encoding="utf-8"))
    if options.only != "full":
        result["notes"] = notes(1, 2) if options.short else notes(3 * options.rounds)
    if options.only != "notes":
        samples = 2000 if options.short else 20_000
        result["full"] = full_set(options.rounds, options.seconds, samples)
    if options.out is not None:
        options.out.write_text(json.dumps(result), encoding="utf-8")
    print(json.dumps(result))
    if options.page is not None:
        write_into(options.page, "cost", table_of(result))


def table_of(result: dict[str, Any]) -> str:
    """The results as Markdown."""
    lines = [
        "| level | training | without | with | added |",
        "| --- | --- | --- | --- | --- |",
    ]
    if "notes" in result:
        one = result["notes"]
        lines.append(
            f"| notes | a later epoch of the mlp workload | {one['seconds']['off']:.3f} s "
            f"| {one['seconds']['notes']:.3f} s | {100 * one['added']:.1f} %; in the code of the "
            f"recorder {100 * one['inside']:.3f} % |"
        )
    if "full" in result:
        one = result["full"]
        off, full = (" / ".join(f"{t:.1f}" for t in one["seconds"][k]) for k in ("off", "full"))
        lines.append(
            f"| full | {one['epochs']} epochs of a convolutional network on MNIST | {off} s "
            f"| {full} s | {100 * one['added']:.1f} % |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
