"""`lamina predict` for a model with a contract: an answer for every file, row or text."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lamina.cli import console
from lamina.core.messages.messages import escape_control_characters

if TYPE_CHECKING:
    from lamina.prediction import Answer
    from lamina.prediction.raw_sources import RawInputs

_MAX_NAME_LENGTH = 48


def answer(model: Any, inputs: list[str], top: int, show: bool, json: bool) -> None:
    """Print an answer for every input, as a table or as JSON.

    Raises:
        typer.Exit: With 1, if an input could not be read; the others are answered.
    """
    from lamina import Predictor  # after the cheap errors
    from lamina.prediction.raw_inputs import read_inputs
    from lamina.prediction.raw_sources import is_file

    read = read_inputs(model.input_contract, [Path(i) if is_file(i) else i for i in inputs])
    answers = Predictor(model).answers_to(read)
    if json:
        console.print_json([answered.to_json() for answered in answers])
    else:
        for remark in read.remarks:
            console.remark(escape_control_characters(remark))
        _print_table(model.input_contract.target, answers, top)
        if show and model.input_contract.kind == "images":
            _show(read)
    failed = [answered for answered in answers if answered.error is not None]
    for answered in failed:
        console.print_error(ValueError(f"{answered.input}: {answered.error}"))
    if failed:
        raise typer.Exit(1)


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
