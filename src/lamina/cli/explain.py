"""`lamina explain`: explains the answer of a saved model for a picture, a row or a text."""

import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from lamina.cli import console
from lamina.cli.options import RANGE_REMARK, AsJson, ModelFile, PixelMax, load
from lamina.core.messages.messages import escape_control_characters


def explain(
    model: ModelFile,
    input: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="What the model was trained on: a picture file, a table (.csv, .tsv, .parquet), a "
            "text in quotation marks, or a .txt file.",
        ),
    ],
    row: Annotated[int, typer.Option(min=1, help="The row of a table to explain.")] = 1,
    target: Annotated[
        str | None,
        typer.Option(help="The class to explain.", show_default="the likeliest"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File for the picture: .png, .svg, .pdf, .jpg; or .html, .json."),
    ] = None,
    invert: Annotated[
        bool | None,
        typer.Option(
            "--invert/--no-invert",
            help="Swap light and dark, for a model whose file does not say what its pictures are.",
        ),
    ] = None,
    pixel_max: PixelMax = None,
    json: AsJson = False,
) -> None:
    """Explain a model's answer: which pixels, columns or words raised and lowered its score.

    The contributions are integrated gradients, in units of the score before softmax; for pictures
    there is a Grad-CAM map as well.
    """
    network = load(model, "explain", [input])
    contract = network.input_contract
    if contract is not None and contract.kind != "arrays":
        x, remarks = _by_contract(contract, input, row)
    else:
        x, remarks = _picture(network, input, invert, pixel_max)
    with warnings.catch_warnings():
        # The pictures have the format of the training images, or the one the user chose.
        warnings.simplefilter("ignore", UserWarning)
        explanation = network.explain(x, target=_number_or_name(network, target))
    if out is not None:
        try:
            explanation.save(out)
        except OSError as error:
            raise ValueError(
                f"{out} cannot be written: {error.strerror or error}.\n"
                "  Fix: name a file in a folder that exists with --out."
            ) from None
    if json:
        console.print_json({"input": input, **explanation.to_json()})
        return
    for remark in remarks:
        console.remark(escape_control_characters(remark))
    for line in str(explanation).splitlines():
        console.say_plain(escape_control_characters(line))
    if out is not None:
        console.remark(f"Written: {out}")


def _by_contract(contract: Any, source: str, row: int) -> tuple[Any, list[str]]:
    """One sample, converted by the model's contract."""
    import jax

    from lamina.prediction.raw_inputs import read_inputs

    inputs_read = read_inputs(contract, [source])
    if inputs_read.x is None:
        name, reason = next(iter(inputs_read.errors.items()))
        raise ValueError(f"{name}: {reason}.")
    if row > len(inputs_read.names):
        raise ValueError(
            f"{source} has {len(inputs_read.names)} sample{'s' * (len(inputs_read.names) > 1)}, "
            f"but --row is {row}."
        )
    return jax.tree.map(lambda a: a[row - 1 : row], inputs_read.x), inputs_read.remarks


def _picture(
    network: Any, source: str, invert: bool | None, pixel_max: float | None
) -> tuple[Any, list[str]]:
    """A picture, converted by what the model's name and layers say about its inputs."""
    from lamina.prediction import (  # after the cheap errors
        inputs as model_inputs,
        named_sets,
        picture_inputs,
    )

    size = model_inputs.input_form(network)
    pixels = model_inputs.expected_range(network, pixel_max)
    form = named_sets.form_for(network)
    picture = picture_inputs.convert_picture(Path(source), size, form, invert)
    remarks = [] if pixels.is_known else [RANGE_REMARK]
    if picture.note:
        remarks.append(f"{source} {picture.note}.")
    if picture.inverted and invert is None:
        remarks.append(
            f"{source} is dark on light and was inverted; --no-invert leaves it unchanged."
        )
    if picture.blank:
        raise ValueError(f"{source} is blank: there is nothing to explain.")
    return picture.image.reshape(1, *size.shape) * pixels.pixel_max, remarks


def _number_or_name(network: Any, target: str | None) -> Any:
    """The index of a class if the target is digits and not a class name; else the name."""
    if target is None or not target.isdigit():
        return target
    contract = network.input_contract
    names = contract.class_names if contract is not None else None
    return target if names is not None and target in names else int(target)
