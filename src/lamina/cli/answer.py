"""`lamina predict` for a model with a contract: an answer for every file, row or text."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lamina.cli import console
from lamina.core.messages.messages import escape_control_characters

if TYPE_CHECKING:
    from lamina.prediction import Answer
    from lamina.prediction.raw_sources import RawInputs

_MAX_NAME_LENGTH = 48
_INPUTS = {"table": "rows", "text": "texts", "series": "a series"}


def answer(
    model: Any, inputs: list[str], top: int, show: bool, json: bool, seen: Path | None = None
) -> None:
    """Print an answer for every input, as a table or as JSON.

    Args:
        model: A loaded model with a contract.
        inputs: Paths, texts, or `-` for standard input.
        top: Classes to show.
        show: Whether to draw pictures as the model receives them.
        json: Whether to print JSON.
        seen: Folder for PNG files of these pictures.

    Raises:
        ValueError: If pictures are to be drawn and the model takes none.
        typer.Exit: With 1, if an input could not be read; the others are answered.
    """
    from lamina import Predictor  # after the cheap errors
    from lamina.prediction.raw_inputs import read_inputs
    from lamina.prediction.raw_sources import is_file

    contract = model.input_contract
    if (show or seen is not None) and contract.kind != "images":
        option = "--show" if show else "--seen"
        raise ValueError(
            f"{option} is for pictures, but the model takes {_INPUTS[contract.kind]}.\n"
            f"  Fix: leave {option} out."
        )
    sources: list[Any] = []
    for argument in inputs:
        if argument == "-":
            sources += from_standard_input(contract)
        else:
            sources.append(Path(argument) if is_file(argument) else argument)
    raw_inputs = read_inputs(contract, sources)
    answers = Predictor(model).answers_to(raw_inputs)
    if json:
        console.print_json([answer.to_json() for answer in answers])
    else:
        for remark in raw_inputs.remarks:
            console.remark(escape_control_characters(remark))
        _print_table(contract.target, answers, top)
        if show:
            _show(raw_inputs)
    if seen is not None:
        _write(raw_inputs, seen)
    failed = [answer for answer in answers if answer.error is not None]
    for answer in failed:
        console.print_error(ValueError(f"{answer.input}: {answer.error}"))
    if failed:
        raise typer.Exit(1)


def from_standard_input(contract: Any) -> list[Any]:
    """Read sources from standard input: a picture, a table, or a text in every line."""
    from lamina.data.loading.table_files import decode_text, parse_table

    content, name = sys.stdin.buffer.read(), Path("standard input")
    if contract.kind == "images":
        return [content]
    if contract.kind == "text":
        lines = decode_text(content, name)[0].splitlines()
        return [line for line in lines if line.strip()]
    return [parse_table(content, name, [column.name for column in contract.columns]).frame]


def _print_table(target: str | None, answers: "list[Answer]", top: int) -> None:
    from rich.table import Table
    from rich.text import Text

    from lamina.diagnosis.verdict import percent
    from lamina.training.input_contract import UNKNOWN

    valid = [answer for answer in answers if answer.error is None]
    if not valid:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("input")
    table.add_column(Text(escape_control_characters(target or "answer")))
    if valid[0].label is not None:
        table.add_column("confidence", justify="right")
        table.add_column("others")
    for answer in valid:
        name = Text(_shorten(answer.input))
        if answer.label is None:
            values = answer.value if isinstance(answer.value, list) else [answer.value]
            table.add_row(name, Text(", ".join(f"{value:,.6g}" for value in values)))
            continue
        likeliest = sorted((answer.probabilities or {}).items(), key=lambda pair: -pair[1])
        if answer.is_far:
            table.add_row(
                name,
                Text(UNKNOWN, style="bold"),
                Text(""),
                Text(_format_probabilities(likeliest[:top])),
            )
            continue
        confidence, others = (
            percent(answer.confidence or 0.0),
            _format_probabilities(likeliest[1:top]),
        )
        table.add_row(
            name,
            Text(escape_control_characters(answer.label), style="bold"),
            Text(confidence),
            Text(others),
        )
    console.console().print(table, soft_wrap=True)
    far = sum(bool(answer.is_far) for answer in valid)
    if far:
        console.remark(
            f"{UNKNOWN} {far:,} of {len(valid):,} inputs are far from everything that the model "
            "was trained on, so the classes computed for them mean little."
        )


def _format_probabilities(classes: list[tuple[str, float]]) -> str:
    from lamina.diagnosis.verdict import percent

    return ", ".join(f"{escape_control_characters(label)} {percent(p)}" for label, p in classes)


def _shorten(name: str) -> str:
    """A name on one line, shortened at its start, because paths differ at their end."""
    line = escape_control_characters(" ".join(name.split()))
    return line if len(line) <= _MAX_NAME_LENGTH else f"…{line[-_MAX_NAME_LENGTH:]}"


def _write(raw_inputs: "RawInputs", folder: Path) -> None:
    """Write the pictures as the model receives them."""
    from lamina.prediction.picture_inputs import write_enlarged

    folder.mkdir(parents=True, exist_ok=True)
    used_stems: set[str] = set()
    pictures = [] if raw_inputs.x is None else raw_inputs.x
    for name, pixels in zip(raw_inputs.names, pictures, strict=True):
        stem = Path(name).stem
        while stem in used_stems:  # files of several folders may have the same name
            stem += "_"
        used_stems.add(stem)
        write_enlarged(pixels.astype("float32") / 255, folder / f"{stem}.png")


def _show(raw_inputs: "RawInputs") -> None:
    """Draw the pictures as the model receives them."""
    from lamina.cli import art

    pictures = [] if raw_inputs.x is None else raw_inputs.x
    for name, pixels in zip(raw_inputs.names, pictures, strict=True):
        console.say_plain(escape_control_characters(name))
        grey = pixels.mean(axis=2) / 255
        screen = console.console()
        if screen.is_terminal and screen.color_system in ("256", "truecolor"):
            screen.print(art.half_blocks([grey]))
        else:
            print(art.shades(grey))
