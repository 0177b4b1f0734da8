"""`lamina quickstart`: trains a digit classifier, evaluates it, saves it and loads it again."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamina.cli import console

if TYPE_CHECKING:
    from lamina.datasets import Dataset
    from lamina.diagnosis import Outcome


class Data(StrEnum):
    """The data sets to choose from."""

    auto = "auto"
    mnist = "mnist"
    fashion_mnist = "fashion_mnist"
    digits = "digits"


def quickstart(
    data: Annotated[
        Data, typer.Option(help="auto: MNIST if it is available, else the bundled digits.")
    ] = Data.auto,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write.", show_default="quickstart, or the next free"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier run in the folder.")
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the data.", show_default="3, or 20 for digits"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Makes the training reproducible.")] = 1,
) -> None:
    """Train a network to read digits, evaluate it, save it, and load it again.

    Writes a folder with the model, pictures, report.html, and quickstart.py, the same job as
    twenty lines of plain Lamina.
    """
    dataset = load(data)

    from lamina.cli import output_folder
    from lamina.diagnosis import charts
    from lamina.jobs import architectures, train_job

    folder = output_folder.prepare(out, Path("quickstart"), overwrite)
    if epochs is None:
        epochs = architectures.default_epochs(dataset)
    job = train_job.Job(
        dataset, "mlp", epochs, seed=seed, command=_train_command(data, epochs, seed),
        file="quickstart.py",
    )  # fmt: skip
    held_out = len(dataset.train[0]) - job.samples
    console.say(
        f"[bold]Data[/bold]     {dataset.title}: {job.samples:,} images for training, "
        f"{held_out:,} for validation, {len(dataset.test[0]):,} for testing."
    )
    charts.save(charts.sample_grid(*dataset.train, dataset.class_names), folder / "samples.png")
    show_samples(dataset)

    model = train_job.build(job)
    console.say(
        f"[bold]Network[/bold]  {' – '.join(map(str, _layer_sizes(model)))}, "
        f"{model.count_params():,} parameters; it scales the pixels itself."
    )
    console.say(f"[bold]Training[/bold] {epochs} epoch{'s' * (epochs > 1)}, then it is measured.")
    run = train_job.fit(job, model, folder, tell=console.remark)
    names = ["model.keras", "history.csv", job.file]
    outcome = train_job.measure(job, model, run, tell=console.remark)
    if outcome is not None:
        console.say(f"[bold]Verdict[/bold]  {outcome.verdict.sentence}")
        train_job.report(job, model, run, outcome, folder)
        _write_pictures(outcome, folder)
        names += ["report.html", "curves.png", "confusion.png", "mistakes.png"]
    _check_saved_model(folder / "model.keras", dataset)

    console.say(f"[bold]Written[/bold]  {folder}/  {', '.join([*names, 'samples.png'])}")
    if run.stopped or outcome is None:
        console.say(f"Trained {train_job.describe_epochs(job, run)}.")
        raise typer.Exit(130)
    console.say()
    console.say("Next:")
    console.say(f"  open {folder / 'report.html'} in a browser: curves, confusions, mistakes")
    console.say(f"  python {folder / 'quickstart.py'}: the same job in twenty lines, to change")
    console.say(f"  lamina predict {folder / 'model.keras'} your-digit.png --show")
    if dataset.name == "digits" and data == Data.auto:  # MNIST was not available
        console.say("  lamina train digits --model cnn: the same digits, and a better network")
    else:
        console.say("  lamina train fashion_mnist --model cnn: clothes, and a better network")


def load(data: Data) -> "Dataset":
    """Load the chosen data set; for `auto` MNIST, or the bundled digits if it is unavailable."""
    from lamina import datasets

    if data != Data.auto:
        return datasets.load(data)
    try:
        return datasets.load("mnist")
    except datasets.DatasetUnavailableError:
        console.say(
            "MNIST is not on this machine and cannot be downloaded: using the bundled digits "
            "instead."
        )
        return datasets.load("digits")


def show_samples(dataset: "Dataset") -> None:
    """Draw a few images in the terminal; nothing in a pipe."""
    from lamina.cli import art

    screen = console.console()
    if not screen.is_terminal or screen.color_system not in ("256", "truecolor"):
        return
    images = dataset.train[0] / dataset.pixel_max
    count = max(1, min(6, (screen.width - 1) // (images.shape[2] + 1)))
    screen.print(art.half_blocks(list(images[:count])))


def _train_command(data: Data, epochs: int, seed: int) -> str:
    data_option = "" if data == Data.auto else f" --data {data}"
    return f"lamina quickstart{data_option} --epochs {epochs} --seed {seed}"


def _layer_sizes(model: Any) -> list[int]:
    """The output sizes of layers with weights or a new output size: 784, 128, 128, 10."""
    import math

    sizes = [math.prod(layer.output.shape[1:]) for layer in model.layers]
    return [
        n for i, n in enumerate(sizes) if i == 0 or n != sizes[i - 1] or model.layers[i].weights
    ]


def _write_pictures(outcome: "Outcome", folder: Path) -> None:
    from lamina.diagnosis import charts

    names = outcome.class_names
    if outcome.history:
        charts.save(charts.training_curves(outcome.history), folder / "curves.png")
    charts.save(charts.confusion_matrix(outcome.confusion, names), folder / "confusion.png")
    charts.save(
        charts.confident_mistakes(*outcome.test_data, outcome.probabilities, names),
        folder / "mistakes.png",
    )


def _check_saved_model(path: Path, dataset: "Dataset") -> None:
    """Load the saved model as a user would, and predict for one image."""
    import lamina
    from lamina.diagnosis.verdict import percent

    loaded = lamina.models.load_model(path)
    probabilities = loaded.predict(dataset.test[0][:1], verbose=0)[0]
    predicted = dataset.class_names[int(probabilities.argmax())]
    truth = dataset.class_names[int(dataset.test[1][0])]
    console.say(
        f"[bold]Saved[/bold]    and loaded again: the first test image is read as {predicted} "
        f"({percent(float(probabilities.max()))}), and it is {truth}."
    )
