"""`lamina train` on a user's own data: a folder, a table, texts or a series."""

import shlex
from pathlib import Path
from typing import Any

import typer

from lamina.cli import console
from lamina.cli.own_options import to_command_line
from lamina.core.messages.messages import escape_control_characters


def is_user_data(source: str, load_arguments: dict[str, Any]) -> bool:
    """Whether `source` is a path to a user's data rather than the name of a data set."""
    looks_like_a_path = "/" in source or "\\" in source or Path(source).suffix != ""
    return (
        Path(source).exists()
        or looks_like_a_path
        or any(v is not None for v in load_arguments.values())
    )


def train_own(
    source: str,
    load_arguments: dict[str, Any],
    model: str,
    epochs: int | None,
    batch_size: int,
    learning_rate: float | None,
    seed: int,
    out: Path | None,
    overwrite: bool,
    measure: bool,
    json: bool,
    devices: str | int | None = None,
) -> None:
    """Load data, train, save and evaluate; the arguments are those of `train`."""
    from lamina.cli import output_folder
    from lamina.data import load
    from lamina.jobs import own_data_job, own_network

    if model != "auto":
        raise ValueError(
            f"--model {model} is for named data sets; a network for your own data is chosen by "
            "their kind and size.\n  Fix: leave --model out, and change train.py afterwards."
        )
    name = Path(source).absolute().stem or "data"
    folder = output_folder.prepare(out, Path("runs", name), overwrite)
    arguments = {
        **load_arguments,
        "batch_size": batch_size if batch_size != 32 else None,
        "seed": seed,
    }
    data = load(source, **{k: v for k, v in arguments.items() if v is not None}, verbose=False)
    code = own_network.network_code(data, learning_rate)
    epochs = epochs or own_network.default_epochs(data)
    words = to_command_line(load_arguments)
    words += to_command_line(
        {
            "epochs": epochs,
            "batch_size": arguments["batch_size"],
            "learning_rate": learning_rate,
            "devices": devices,
            "seed": seed if seed != 1 else None,
        }
    )
    job = own_data_job.OwnDataJob(
        source, arguments, data, code, epochs, seed,
        command=escape_control_characters(shlex.join(["lamina", "train", source, *words])),
        devices=devices,
    )  # fmt: skip
    network = own_network.build(data, code, seed)
    if not json:
        for line in data.describe().headline().splitlines():
            console.say_plain(escape_control_characters(line))
        console.say_plain("")
        console.say_plain(code)
        console.say_plain("")
    run = own_data_job.fit(job, network, folder, 0 if json else "auto", console.remark)
    paths = [folder / part for part in ("model.keras", "history.csv", job.file)]
    if not json:
        best_epoch = (
            f", of which number {run.best_epoch} was the best and is kept" if run.epochs else ""
        )
        console.say(f"Trained {run.epochs} epochs{best_epoch}.")
        console.say_plain(
            escape_control_characters(
                f"Saved in {folder}: {', '.join(path.name for path in paths)}"
            )
        )
    measured = None
    nothing_to_measure_on = not data.test.size and not data.val.size
    if measure and nothing_to_measure_on:
        console.remark("No sample was kept for val or test, so nothing is measured.")
    if measure and not nothing_to_measure_on and not run.stopped:
        measured = own_data_job.measure(job, network, run, console.remark)
        if measured is not None and measured.outcome is not None:
            paths.append(own_data_job.report(job, network, run, measured, folder))
    if json:
        console.print_json(
            {
                "kind": data.kind,
                "target": data.target,
                "class_names": data.class_names,
                "samples": {name: part.size for name, part in data.parts.items()},
                "left_out": list(map(str, data.describe().left_out)),
                "measured_on": measured and measured.part,
                "results": measured and measured.results,
                "baseline": measured and measured.baseline,
                "epochs": run.epochs,
                "best_epoch": run.best_epoch,
                "stopped": run.stopped,
                "seconds": round(run.seconds, 3),
                "files": [str(path) for path in paths],
            }
        )
    elif measured is not None:
        _print_results(job, measured)
        if measured.outcome is not None:
            console.say_plain(escape_control_characters(f"Report: {paths[-1]}"))
    if run.stopped or (measure and not nothing_to_measure_on and measured is None):
        raise typer.Exit(130)


def _print_results(job: Any, measured: Any) -> None:
    """Print the result and, for comparison, the baseline (see `own_data_job.Measured`)."""
    from rich.markup import escape

    part = {"test": "never seen", "val": "of the validation part, which chose the epoch"}
    count = job.data.parts[measured.part].size
    where = f"on {count:,} {job.noun} {part[measured.part]}"
    if job.data.class_names is not None:
        console.say(
            f"[bold]{measured.results['accuracy']:.1%}[/bold] right {where}; "
            f"always answering the commonest class: {measured.baseline:.1%}."
        )
        if measured.outcome is not None:
            console.say_plain(measured.outcome.verdict.advice)
        return
    error = measured.results["mean_absolute_error"]
    simple = "repeating the last value" if job.data.kind == "series" else "the median every time"
    unit = escape(escape_control_characters(job.data.target))
    console.say(
        f"Off by [bold]{error:,.4g}[/bold] {unit} on average {where}; "
        f"{simple}: {measured.baseline:,.4g}."
    )
