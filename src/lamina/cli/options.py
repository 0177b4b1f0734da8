"""Arguments and options that several commands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lamina.core.messages.errors import did_you_mean

ModelFile = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="A saved model, or the folder of a run that has one."),
]
DatasetName = Annotated[
    str, typer.Argument(metavar="DATASET", help="mnist, fashion_mnist or digits.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
PixelMax = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Largest pixel value the model was trained on, e.g. 1 or 255; by default it is found "
        "in the model's layers.",
    ),
]

RANGE_REMARK = (
    "The model does not scale its input, so pixels were brought to 0…1; "
    "--pixel-max sets another range."
)


def devices_of(text: str | None) -> str | int | None:
    """What `fit(devices=…)` takes, of an option `--devices all` or `--devices 2`.

    Example:
        >>> devices_of("all"), devices_of("2"), devices_of(None)
        ('all', 2, None)

    Raises:
        typer.BadParameter: For anything else.
    """
    if text is None or text == "all":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter(
            f"it is 'all' or a number from 1; received {text!r}.", param_hint="--devices"
        )
    return int(text)


def load(model: Path, command: str, others: Sequence[object] = ()) -> Any:
    """Open the model that a command was given.

    Args:
        model: A file, or the folder that `train` or `quickstart` has written.
        command: The command, for the message about arguments in the wrong order.
        others: The command's other arguments.

    Raises:
        ValueError: If the file is not a model, or the arguments are in the wrong order.
        FileNotFoundError: If there is no such file.
    """
    import lamina

    other_model = next((o for o in others if str(o).endswith((".keras", ".h5"))), None)
    if other_model is not None and model.suffix not in (".keras", ".h5"):
        raise ValueError(
            f"The model comes first, then its inputs or data.\n"
            f"  Fix: lamina {command} {other_model} {model}"
        )
    if model.is_dir():
        file = model / "model.keras"
        if not file.is_file():
            names = sorted(p.name for p in model.glob("*.keras"))
            fix = f"lamina {command} {model / names[0]} …" if names else "name a .keras file."
            raise ValueError(f"The folder {model} has no model.keras in it.\n  Fix: {fix}")
        model = file
    elif not model.exists():
        hint = did_you_mean(model.name, [p.name for p in model.absolute().parent.glob("*.keras")])
        raise FileNotFoundError(f"There is no file {str(model)!r}.{hint}")
    return lamina.models.load_model(model)
