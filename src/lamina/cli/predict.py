"""`lamina predict`: classifies image files with a saved model."""

import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamina.cli import console
from lamina.cli.answer import answer
from lamina.cli.options import RANGE_REMARK, AsJson, ModelFile, PixelMax, load

if TYPE_CHECKING:
    from lamina.prediction.picture_inputs import PictureInput


class Like(StrEnum):
    """Data sets whose format pictures can be converted to."""

    mnist = "mnist"
    fashion_mnist = "fashion_mnist"
    digits = "digits"
    none = "none"


def predict(
    model: ModelFile,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="What the model was trained on: picture files or folders of them; tables of rows "
            "(.csv, .tsv, .parquet); texts in quotation marks, or .txt files; - for standard "
            "input.",
        ),
    ],
    top: Annotated[int, typer.Option(min=1, help="Classes to show, likeliest first.")] = 3,
    show: Annotated[
        bool, typer.Option("--show", help="Draw each image as the model receives it.")
    ] = False,
    seen: Annotated[
        Path | None,
        typer.Option(help="Folder for PNG files of the images as the model receives them."),
    ] = None,
    like: Annotated[
        Like | None,
        typer.Option(
            help="The data set that the model was trained on: strokes are found, cropped, "
            "scaled and centred as in that data set. none: only the size is changed.",
            show_default="by the model's name, or its size",
        ),
    ] = None,
    invert: Annotated[
        bool | None,
        typer.Option(
            "--invert/--no-invert",
            help="Swap light and dark. By default: if the background is light, because digits "
            "and clothes are trained as light on dark.",
        ),
    ] = None,
    pixel_max: PixelMax = None,
    json: AsJson = False,
) -> None:
    """Predict for files, rows or texts: class names with their probabilities, or numbers.

    Images may have any size and colours: they are converted as the model needs them. If a file
    cannot be read, the others are answered, and the exit code is 1.
    """
    import numpy as np

    network = load(model, "predict", inputs)
    if network.input_contract is not None and network.input_contract.kind != "arrays":
        for option, value in (
            ("--like", like), ("--invert", invert), ("--pixel-max", pixel_max)
        ):  # fmt: skip
            if value is not None:
                raise ValueError(
                    f"{option} is for models that do not remember what they were trained on, and "
                    f"this one does.\n  Fix: leave {option} out."
                )
        answer(network, inputs, top, show, json, seen)
        return
    images = [Path(path) for path in inputs]
    from lamina import Predictor
    from lamina.core.messages.errors import LaminaWarning
    from lamina.prediction import (  # after the cheap errors
        inputs as model_inputs,
        named_sets,
        picture_inputs,
    )

    input_size = model_inputs.input_form(network)
    pixels = model_inputs.expected_range(network, pixel_max)
    form = _form_for(network, like)
    pictures: list[PictureInput | Exception] = []
    paths = picture_inputs.picture_files(images)
    for path in paths:
        try:
            pictures.append(picture_inputs.convert_picture(path, input_size, form, invert))
        except (ValueError, OSError) as error:
            pictures.append(error)
    read = [item for item in pictures if not isinstance(item, Exception)]
    results: list[dict] = []
    if read:
        batch = np.stack([s.image for s in read]).reshape(-1, *input_size.shape) * pixels.pixel_max
        predictor = Predictor(network)
        with warnings.catch_warnings():
            # The pictures have the format of the training images, or the one the user chose.
            warnings.simplefilter("ignore", LaminaWarning)
            probabilities = predictor.probabilities(batch)
        names = predictor.names_of(probabilities.shape[1])
        results = [_result(s, names, row) for s, row in zip(read, probabilities, strict=True)]
    if seen is not None and read:
        seen.mkdir(parents=True, exist_ok=True)
        for picture in read:
            picture_inputs.write_enlarged(picture.image, seen / f"{picture.path.stem}.png")
    answers = iter(results)
    documents = [
        {"image": str(path), "error": str(item)} if isinstance(item, Exception) else next(answers)
        for path, item in zip(paths, pictures, strict=True)
    ]
    if json:
        if read:
            console.print_json(documents)
    else:
        _print_remarks(read, pixels.is_known, invert)
        possible = named_sets.candidate_datasets(network) if like is None and read else []
        if possible:
            console.remark(
                f"The model's name, {network.name!r}, does not say which images it has learnt "
                "from, so the pictures were only resized; "
                f"--like {possible[-1]} or --like {possible[0]} makes them like that set's."
            )
        for picture, result in zip(read, results, strict=True):
            _show(result, top)
            if show:
                _draw(picture.image)
    failures = [item for item in pictures if isinstance(item, Exception)]
    for failure in failures:
        console.print_error(failure)
    if failures:
        raise typer.Exit(1)


def _result(picture: "PictureInput", names: tuple[str, ...], row: Any) -> dict:
    best = int(row.argmax())
    return {
        "image": str(picture.path),
        # A prediction for an empty page means nothing.
        "class": None if picture.blank else names[best],
        "confidence": None if picture.blank else float(row[best]),
        "inverted": bool(picture.inverted),
        "blank": picture.blank,
        "uneven": picture.uneven,
        "note": picture.note,
        "probabilities": (
            {} if picture.blank else {name: float(p) for name, p in zip(names, row, strict=True)}
        ),
    }


def _form_for(network: Any, like: Like | None) -> Any:
    """The format of the images that the model was trained on."""
    from lamina.prediction.named_sets import form_for

    try:
        return form_for(network, None if like is None else str(like))
    except ValueError as error:
        raise ValueError(f"{error}\n  Fix: leave --like out, or name another set.") from None


def _print_remarks(read: "list[PictureInput]", range_is_known: bool, invert: bool | None) -> None:
    """Print remarks to stderr on how the images were converted."""
    if not range_is_known:
        console.remark(RANGE_REMARK)
    for picture in read:
        if picture.note:
            console.remark(f"{picture.path} {picture.note}.")
    inverted = sum(picture.inverted for picture in read)
    if invert is None and inverted:
        console.remark(
            f"{inverted} of {len(read)} images are dark on light and were inverted; "
            "--no-invert leaves them unchanged."
        )


def _show(result: dict, top: int) -> None:
    from rich.markup import escape

    from lamina.diagnosis.verdict import percent

    path = escape(result["image"])
    if result["blank"]:
        verdict = "[bold]blank[/bold], there is nothing to read"
        if result["uneven"]:
            verdict = (
                "[bold]no drawing found[/bold], nothing stands out from the background, as in noise"
            )
        console.say(f"{path}: {verdict}")
        return
    console.say(f"{path}: [bold]{result['class']}[/bold] ({percent(result['confidence'])})")
    likeliest = sorted(result["probabilities"].items(), key=lambda pair: -pair[1])[:top]
    width = max(len(name) for name, _ in likeliest)
    for name, probability in likeliest:
        console.say(
            f"  {name:{width}}  [blue]{console.bar(probability)}[/blue] {percent(probability):>7}"
        )


def _draw(image: Any) -> None:
    from lamina.cli import art

    grey = image.mean(axis=2) if image.ndim == 3 else image
    screen = console.console()
    if screen.is_terminal and screen.color_system in ("256", "truecolor"):
        screen.print(art.half_blocks([grey]))
    else:
        print(art.shades(grey))
