"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A saved model: model.keras.")]
DatasetName = Annotated[
    str, typer.Argument(metavar="DATASET", help="mnist, fashion_mnist or digits.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
PixelMax = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Largest pixel value the model was trained on, e.g. 1 or 255; found in the model's "
        "own layers if left out.",
    ),
]
