"""`lamina diagnose`: finds what is wrong with a saved model and its data."""

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from lamina.cli import console
from lamina.cli.options import AsJson, ModelFile, load


def diagnose(
    model: ModelFile,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="What the model was trained on: a folder with a subfolder for every class, a "
            "table with the target in it; or mnist, fashion_mnist or digits.",
        ),
    ],
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of its training. Default: 10.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples per step of its training.")] = 32,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html", help="Also write a report with the findings and measures."
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Find out what is wrong with a saved model and its data.

    Copies of the model are trained with one change each, for 20 seconds or 15 % of a training that
    takes over a minute, to see which change helps. The model's file is not changed.
    """
    if report is not None and not report.parent.is_dir():
        raise ValueError(
            f"{report} cannot be written: there is no folder {str(report.parent)!r}.\n"
            "  Fix: name a file in a folder that exists with --report."
        )
    network = load(model, "diagnose", [data])
    from lamina.jobs.diagnose_job import diagnose_model

    if not json:
        console.remark("Copies of the model are trained, to see what helps …")
    findings, remarks = diagnose_model(network, data, epochs, batch_size, report)
    if json:
        console.print_json({**json_format.loads(findings.to_json()), "remarks": remarks})
        return
    for remark in remarks[:10]:
        console.remark(remark)
    console.say_plain(str(findings))
    if report is not None:
        console.remark(f"Written: {report}")
