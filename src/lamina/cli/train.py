"""`lamina train`: a small network on a named data set, with everything written to a folder."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lamina.cli import console
from lamina.cli.options import AsJson, DatasetName


class Architecture(StrEnum):
    """What may be trained."""

    mlp = "mlp"
    cnn = "cnn"


def train(
    dataset: DatasetName,
    model: Annotated[
        Architecture, typer.Option(help="mlp: two dense layers; cnn: two convolutions.")
    ] = Architecture.mlp,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the data.", show_default="3, or 20 for digits"),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples per step.")] = 32,
    learning_rate: Annotated[
        float | None, typer.Option(help="Adam's learning rate.", show_default="0.001")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Makes the training reproducible.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write.", show_default="runs/DATASET-MODEL")
    ] = None,
    json: AsJson = False,
) -> None:
    """Train a network on a named data set.

    Writes model.keras, history.csv, report.html and train.py, the same job as a plain script.
    """
    from lamina import datasets
    from lamina.cli import architectures, training

    if learning_rate is not None and learning_rate <= 0:
        raise typer.BadParameter("it must be above 0.", param_hint="--learning-rate")
    data = datasets.load(dataset)
    epochs = epochs or architectures.EPOCHS.get(data.name, architectures.DEFAULT_EPOCHS)
    folder = out or Path("runs", f"{data.name}-{model}")
    given = {"--batch-size": batch_size if batch_size != 32 else None,
             "--learning-rate": learning_rate, "--seed": seed if seed != 1 else None}  # fmt: skip
    options = "".join(f" {name} {value}" for name, value in given.items() if value is not None)
    job = training.Job(
        data, str(model), epochs, batch_size, learning_rate, seed,
        command=f"lamina train {data.name} --model {model} --epochs {epochs}{options}",
    )  # fmt: skip
    network = training.build(job)
    if not json:
        console.say(
            f"{data.title}: {len(data.train[0]):,} images to learn from, {len(data.test[0]):,} to "
            f"be judged by; {network.count_params():,} parameters."
        )
    outcome = training.fit(job, network, verbose=0 if json else "auto")
    paths = training.write_files(job, network, outcome, folder, "train.py")
    if json:
        console.print_json(
            {
                "test": outcome.test,
                "train": outcome.train,
                "verdict": {"kind": outcome.verdict.kind, "sentence": outcome.verdict.sentence},
                "seconds": round(outcome.seconds, 3),
                "files": [str(path) for path in paths],
            }
        )
        return
    console.say(f"[bold]{outcome.verdict.sentence}[/bold]")
    console.say(outcome.verdict.advice)
    console.say(f"Written to {folder}: {', '.join(path.name for path in paths)}")
