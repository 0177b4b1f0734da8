"""`lamina train`: trains a small network on own data or a named data set, and writes a folder."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lamina.cli import console
from lamina.cli.options import AsJson, devices_of
from lamina.cli.own_options import pairs
from lamina.cli.train_own import is_user_data, train_own

# Headings of the options for own data in the help.
TABLES_HEADING, OWN_DATA_HEADING = "Tables", "Own data"


class Architecture(StrEnum):
    """The networks to choose from."""

    auto = "auto"
    mlp = "mlp"
    cnn = "cnn"


def train(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="mnist, fashion_mnist or digits; or your own: a folder with a subfolder of "
            "pictures or texts for every class, or a table (.csv, .tsv, .parquet).",
        ),
    ],
    target: Annotated[
        str | None, typer.Option(help="The column to predict.", rich_help_panel=TABLES_HEADING)
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            help="The one column with a text to predict from.", rich_help_panel=TABLES_HEADING
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            help="A column to predict from; several times for several.",
            show_default="all useful ones",
            rich_help_panel=TABLES_HEADING,
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            help="A column not to predict from; several times for several.",
            rich_help_panel=TABLES_HEADING,
        ),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=KIND",
            help="What a column holds: number, category, date or text.",
            show_default="guessed",
            rich_help_panel=TABLES_HEADING,
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="classes|number",
            help="What the target is.",
            show_default="guessed",
            rich_help_panel=TABLES_HEADING,
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            help="The column of dates that a series is sorted by.", rich_help_panel=TABLES_HEADING
        ),
    ] = None,
    forecast: Annotated[
        int | None,
        typer.Option(min=1, help="Steps of a series to predict.", rich_help_panel=TABLES_HEADING),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Steps of a series to predict from.",
            show_default="twice --forecast",
            rich_help_panel=TABLES_HEADING,
        ),
    ] = None,
    day_first: Annotated[
        bool | None,
        typer.Option(
            "--day-first/--month-first",
            help="Whether dates such as 02/03/2024 begin with the day, if all dates of a column "
            "are ambiguous.",
            show_default="by the dates",
            rich_help_panel=TABLES_HEADING,
        ),
    ] = None,
    decimal_comma: Annotated[
        bool | None,
        typer.Option(
            "--decimal-comma/--decimal-point",
            help="Whether 1,234 is little more than 1, if all numbers are ambiguous.",
            show_default="by the numbers",
            rich_help_panel=TABLES_HEADING,
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="With --split group: a column whose rows stay together.",
            rich_help_panel=TABLES_HEADING,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="stratified, random, tail or group: how samples are kept for validation and test.",
            show_default="by the data",
            rich_help_panel=OWN_DATA_HEADING,
        ),
    ] = None,
    validation: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Fraction of the samples to validate on while training.",
            show_default="0.15",
            rich_help_panel=OWN_DATA_HEADING,
        ),
    ] = None,
    test: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Fraction of the samples to measure on at the end.",
            show_default="0.15",
            rich_help_panel=OWN_DATA_HEADING,
        ),
    ] = None,
    image_size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="HEIGHT WIDTH",
            help="Size that pictures are resized to.",
            show_default="by the pictures",
            rich_help_panel=OWN_DATA_HEADING,
        ),
    ] = None,
    max_memory: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Bytes of pictures to keep in memory; more are kept in a file.",
            show_default="a quarter of the machine's",
            rich_help_panel=OWN_DATA_HEADING,
        ),
    ] = None,
    model: Annotated[
        Architecture,
        typer.Option(
            help="auto: a small network that suits the data; mlp: two dense layers; cnn: two "
            "convolutions.",
            show_default="mlp for named sets, else auto",
        ),
    ] = Architecture.auto,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the data.", show_default="by the data"),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples per step.")] = 32,
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", "--lr", help="Adam's learning rate.", show_default="0.001"),
    ] = None,
    devices: Annotated[
        str | None,
        typer.Option(
            metavar="all|NUMBER",
            help="Divide every batch over so many devices.",
            show_default="the first one",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Makes the training reproducible.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write.", show_default="runs/DATASET-MODEL, or the next free"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier run in the folder.")
    ] = False,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure/--no-measure", help="Measure the trained model and write the report."
        ),
    ] = True,
    json: AsJson = False,
) -> None:
    """Train a network on your own data, or on a named data set.

    Writes model.keras, history.csv and train.py, the same job as a plain script; then measures the
    model and writes report.html. Ctrl-C ends the training early and keeps what was learnt.
    """
    import math

    from lamina import datasets
    from lamina.cli import output_folder
    from lamina.jobs import architectures, train_job

    if learning_rate is not None and not 0 < learning_rate < math.inf:
        raise typer.BadParameter("it must be above 0.", param_hint="--learning-rate")
    devices_of(devices)  # refuses wrong text
    if dataset in architectures.MODELS:
        raise ValueError(
            f"{dataset} is a network, but the data set comes first.\n"
            f"  Fix: lamina train mnist --model {dataset}"
        )
    own_data_options = {
        "target": target, "text": text, "columns": columns or None, "drop": drop or None,
        "kinds": pairs(kinds), "task": task, "time": time, "forecast": forecast, "window": window,
        "day_first": day_first, "decimal_comma": decimal_comma, "group": group, "split": split,
        "validation": validation, "test": test, "image_size": image_size, "max_memory": max_memory,
    }  # fmt: skip
    if is_user_data(dataset, own_data_options):
        train_own(
            dataset, own_data_options, str(model), epochs, batch_size, learning_rate, seed, out,
            overwrite, measure, json, devices_of(devices),
        )  # fmt: skip
        return
    if model == Architecture.auto:
        model = Architecture.mlp
    data = datasets.load(dataset)
    epochs = epochs or architectures.default_epochs(data)
    folder = output_folder.prepare(out, Path("runs", f"{data.name}-{model}"), overwrite)
    given_options = {"--batch-size": batch_size if batch_size != 32 else None,
             "--learning-rate": learning_rate, "--devices": devices,
             "--seed": seed if seed != 1 else None}  # fmt: skip
    options = "".join(
        f" {name} {value}" for name, value in given_options.items() if value is not None
    )
    job = train_job.Job(
        data, str(model), epochs, batch_size, learning_rate, seed,
        command=f"lamina train {data.name} --model {model} --epochs {epochs}{options}",
        devices=devices_of(devices),
    )  # fmt: skip
    network = train_job.build(job)
    if not json:
        console.say(
            f"{data.title}: {job.samples:,} images for training, "
            f"{len(data.train[0]) - job.samples:,} for validation, {len(data.test[0]):,} for "
            f"testing; {network.count_params():,} parameters."
        )
    run = train_job.fit(job, network, folder, 0 if json else "auto", console.remark)
    paths = [folder / name for name in ("model.keras", "history.csv", job.file)]
    if not json:
        epochs_trained = f"Trained {train_job.describe_epochs(job, run)}. " if run.stopped else ""
        console.say(f"{epochs_trained}Saved in {folder}: {', '.join(path.name for path in paths)}")
    outcome = None
    if measure:
        announce = train_job.silent if json else console.say
        outcome = train_job.measure(job, network, run, announce, console.remark)
    if outcome is not None:
        paths.append(train_job.report(job, network, run, outcome, folder))
    if json:
        console.print_json(
            {
                "test": outcome and outcome.test,
                "train": outcome and outcome.train,
                "verdict": outcome
                and {"kind": outcome.verdict.kind, "sentence": outcome.verdict.sentence},
                "epochs": run.epochs,
                "stopped": run.stopped,
                "seconds": round(run.seconds, 3),
                "files": [str(path) for path in paths],
            }
        )
    elif outcome is not None:
        console.say(f"[bold]{outcome.verdict.sentence}[/bold]")
        console.say(outcome.verdict.advice)
        console.say(f"Report: {paths[-1]}")
    if run.stopped or (measure and outcome is None):
        raise typer.Exit(130)
