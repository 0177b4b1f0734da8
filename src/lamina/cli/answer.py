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
_TAKES = {"table": "rows", "text": "texts", "series": "a series"}


def answer(
    model: Any, inputs: list[str], top: int, show: bool, json: bool, seen: Path | None = None
) -> None:
    """Print an answer for every input, as a table or as JSON.

    Args:
        model: A loaded model with a contract.
        inputs: Paths, texts, or `-` for what comes from standard input.
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
            f"{option} is for pictures, and the model takes {_TAKES[contract.kind]}.\n"
            f"  Fix: leave {option} out."
        )
    sources: list[Any] = []
    for given in inputs:
        if given == "-":
            sources += from_standard_input(contract)
        else:
            sources.append(Path(given) if is_file(given) else given)
    read = read_inputs(contract, sources)
    answers = Predictor(model).answers_to(read)
    if json:
        console.print_json([answered.to_json() for answered in answers])
    else:
        for remark in read.remarks:
            console.remark(escape_control_characters(remark))
        _print_table(contract.target, answers, top)
        if show:
            _show(read)
    if seen is not None:
        _write(read, seen)
    failed = [answered for answered in answers if answered.error is not None]
    for answered in failed:
        console.print_error(ValueError(f"{answered.input}: {answered.error}"))
    if failed:
        raise typer.Exit(1)


def from_standard_input(contract: Any) -> list[Any]:
    """What comes from standard input, as sources: a picture, a table, or a text in every line."""
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

    read = [answered for answered in answers if answered.error is None]
    if not read:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("input")
    table.add_column(Text(escape_control_characters(target or "answer")))
    if read[0].label is not None:
        table.add_column("confidence", justify="right")
        table.add_column("others")
    for answered in read:
        name = Text(_short(answered.input))
        if answered.label is None:
            values = answered.value if isinstance(answered.value, list) else [answered.value]
            table.add_row(name, Text(", ".join(f"{value:,.6g}" for value in values)))
            continue
        likeliest = sorted((answered.probabilities or {}).items(), key=lambda pair: -pair[1])
        if answered.is_far:
            table.add_row(
                name, Text(UNKNOWN, style="bold"), Text(""), Text(_shares(likeliest[:top]))
            )
            continue
        confidence, others = percent(answered.confidence or 0.0), _shares(likeliest[1:top])
        table.add_row(
            name,
            Text(escape_control_characters(answered.label), style="bold"),
            Text(confidence),
            Text(others),
        )
    console.console().print(table, soft_wrap=True)
    far = sum(bool(answered.is_far) for answered in read)
    if far:
        console.remark(
            f"{UNKNOWN} {far:,} of {len(read):,} inputs are far from everything that the model was "
            "trained on, so the classes computed for them mean little."
        )


def _shares(classes: list[tuple[str, float]]) -> str:
    from lamina.diagnosis.verdict import percent

    return ", ".join(f"{escape_control_characters(label)} {percent(p)}" for label, p in classes)


def _short(name: str) -> str:
    """A name on one line, shortened at its start, because paths differ at their end."""
    line = escape_control_characters(" ".join(name.split()))
    return line if len(line) <= _MAX_NAME_LENGTH else f"…{line[-_MAX_NAME_LENGTH:]}"


def _write(read: "RawInputs", folder: Path) -> None:
    """Write the pictures that the model was shown."""
    from lamina.prediction.picture_inputs import write_enlarged

    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for name, pixels in zip(read.names, [] if read.x is None else read.x, strict=True):
        stem = Path(name).stem
        while stem in taken:  # of two folders
            stem += "_"
        taken.add(stem)
        write_enlarged(pixels.astype("float32") / 255, folder / f"{stem}.png")


def _show(read: "RawInputs") -> None:
    """Draw the pictures that the model was shown."""
    from lamina.cli import art

    for name, pixels in zip(read.names, [] if read.x is None else read.x, strict=True):
        console.say_plain(escape_control_characters(name))
        grey = pixels.mean(axis=2) / 255
        screen = console.console()
        if screen.is_terminal and screen.color_system in ("256", "truecolor"):
            screen.print(art.half_blocks([grey]))
        else:
            print(art.shades(grey))
