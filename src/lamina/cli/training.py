"""What `quickstart` and `train` share: build, train, measure, write the files."""

import csv
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lamina.cli import architectures
from lamina.datasets import Dataset

if TYPE_CHECKING:
    from lamina.diagnosis import Outcome


class Job(NamedTuple):
    """What is to be trained, and how.

    Args:
        dataset: What to learn from and to be judged by.
        model: `"mlp"` or `"cnn"`.
        epochs: Passes over the training samples.
        batch_size: Samples per step.
        learning_rate: Adam's; its default, 0.001, for None.
        seed: Makes the training reproducible.
        command: As typed, for the report and the script.
    """

    dataset: Dataset
    model: str
    epochs: int
    batch_size: int = 32
    learning_rate: float | None = None
    seed: int = 1
    command: str = "lamina train"

    def script(self, file: str) -> str:
        """A script of plain Lamina that does the same."""
        return architectures.script(**self._asdict(), file=file)

    def settings(self) -> dict[str, Any]:
        """What was chosen, for the report."""
        return {
            "Command": self.command,
            "Data": self.dataset.title,
            "Epochs": self.epochs,
            "Batch size": f"{self.batch_size} samples per step",
            "Optimizer": f"Adam, learning rate {self.learning_rate or 0.001:g}",
            "Seed": self.seed,
        }


def build(job: Job) -> Any:
    """A compiled model."""
    import lamina

    lamina.utils.set_random_seed(job.seed)
    model = architectures.build(job.dataset, job.model)
    rate = job.learning_rate
    model.compile(
        optimizer="adam" if rate is None else lamina.optimizers.Adam(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def fit(job: Job, model: Any, verbose: str | int = "auto") -> "Outcome":
    """Train a model and measure it."""
    from lamina.diagnosis import measure

    began = time.perf_counter()
    history = model.fit(
        *job.dataset.train, epochs=job.epochs, batch_size=job.batch_size, verbose=verbose
    )
    return measure(model, job.dataset, history, time.perf_counter() - began)


def write_files(job: Job, model: Any, outcome: "Outcome", folder: Path, script: str) -> list[Path]:
    """Write the model, its history, the report and the script; returns their paths."""
    from lamina.diagnosis import write_report

    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in ("model.keras", "history.csv", "report.html", script)]
    code = job.script(script)
    model.save(paths[0])
    write_history(outcome.history, paths[1])
    network = {"mlp": "dense network", "cnn": "convolutional network"}[job.model]
    write_report(
        paths[2],
        outcome,
        model,
        title=f"{job.dataset.title} with a {network}",
        settings=job.settings(),
        code=code,
    )
    paths[3].write_text(code, encoding="utf-8")
    return paths


def write_history(history: dict[str, list[float]], path: Path) -> None:
    """One row an epoch, counted from 0 as `CSVLogger` does, one column a measure."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *history])
        writer.writerows(
            [epoch, *values] for epoch, values in enumerate(zip(*history.values(), strict=True))
        )
