"""Draws what faults look like, for docs/diagnosis.md: the losses of a program with and without.

Each picture is one training with a fault of `injectors.py`, or one that is made here. The pictures
are plain SVG in docs/diagnosis/, in both colour schemes, without text that a reader cannot select.
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
from injectors import INJECTORS

import lamina
import programs
from lamina.findings.performance import performance
from programs import Program

FOLDER = Path(__file__).parents[2] / "docs/diagnosis"
WIDTH, HEIGHT = 264, 176
LEFT, RIGHT, TOP, BOTTOM = 38, 10, 34, 26
STYLE = """
text { font: 10px system-ui, sans-serif; fill: #5f6b7e }
.title { font-size: 12px; font-weight: 600; fill: #1c2330 }
.axis { stroke: #8894a8; fill: none } .guess { stroke: #8894a8; stroke-dasharray: 1 3; fill: none }
.train, .val, .healthy { fill: none; stroke-width: 1.8; stroke-linejoin: round }
.train { stroke: #2563c9 } .val { stroke: #c94f0a }
.healthy { stroke: #8894a8; stroke-dasharray: 5 3 }
circle.train { fill: #2563c9 } circle.val { fill: #c94f0a }
@media (prefers-color-scheme: dark) {
text { fill: #97a3b6 } .title { fill: #e8ecf3 }
.train { stroke: #6ea8ff } .val { stroke: #ff9a55 }
circle.train { fill: #6ea8ff } circle.val { fill: #ff9a55 } }
"""


class Losses(NamedTuple):
    """What a training showed.

    Args:
        train: The loss of each epoch.
        val: The loss on validation samples.
        guessing: The loss of a constant answer, if it is known.
    """

    train: list[float]
    val: list[float]
    guessing: float | None


class Case(NamedTuple):
    """A picture: the code, the program, what is done to it, and that in words if it is not a name.

    Args:
        code: The code of the finding.
        program: Makes the program.
        fault: Name of an injector, or a function that makes the faulty program.
        words: What the function does.
    """

    code: str
    program: Callable[[int], Program]
    fault: str | Callable[[Program], Program]
    words: str = ""


def wrong_labels(program: Program) -> Program:
    """With a quarter of the labels changed at random, trained for longer."""
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(program.y))[: len(program.y) // 4]
    y = program.y.copy()
    y[chosen] = (y[chosen] + rng.integers(1, 10, len(chosen))) % 10
    return replace(program, y=y, fit={**program.fit, "epochs": 60})


def by_heart(program: Program) -> Program:
    """With few samples, some of them wrongly labelled, and enough units to remember each."""
    layers = (program.layers[0], programs.dense(512), *program.layers[1:])
    x, y = program.x[:150], program.y[:150]
    y = wrong_labels(replace(program, y=y)).y
    return replace(program, layers=layers, x=x, y=y, fit={**program.fit, "epochs": 60})


CASES = (
    Case("inputs-not-scaled", programs.digits_dense, "inputs × 1000"),
    Case("labels-unrelated", programs.digits_dense, "shuffled labels"),
    Case("label-noise", programs.digits_dense, wrong_labels, "a quarter of the labels wrong"),
    Case("class-imbalance", programs.digits_dense, "imbalance"),
    Case("too-few-samples", programs.digits_dense, "25 samples"),
    Case("data-not-shuffled", programs.mnist_dense, "not shuffled"),
    Case("validation-unlike-training", programs.digits_dense, "sorted tail"),
    Case("targets-not-scaled", programs.diamonds, "large targets"),
    Case("output-activation", programs.digits_dense, "relu output"),
    Case("logits-mismatch", programs.digits_dense, "linear output"),
    Case("network-too-small", programs.digits_dense, "2 units"),
    Case("bad-initialization", programs.digits_dense, "wide weights"),
    Case("dead-relu", programs.digits_dense, "dead units"),
    Case("vanishing-gradients", programs.digits_dense, "deep sigmoid"),
    Case("saturated-activations", programs.digits_dense, "hidden softmax"),
    Case("dropout-too-high", programs.digits_dense, "dropout 0.9"),
    Case("regularization-too-strong", programs.digits_dense, "L2 of 1"),
    Case("frozen-weights", programs.digits_dense, "frozen"),
    Case("learning-rate-too-high", programs.digits_dense, "rate × 100"),
    Case("learning-rate-too-low", programs.digits_dense, "rate / 100"),
    Case("optimizer-choice", programs.digits_dense, "plain SGD"),
    Case("too-few-epochs", programs.digits_dense, "one epoch"),
    Case("batch-size-too-large", programs.digits_dense, "whole batch"),
    Case("overfitting", programs.digits_dense, by_heart, "150 samples, 512 units more"),
)


def faulty(case: Case, program: Program) -> Program | None:
    """The program with the fault; None where it has no meaning."""
    if callable(case.fault):
        return case.fault(program)
    injector = next(one for one in INJECTORS if one.name == case.fault)
    return injector.inject(program, np.random.default_rng(0))


def losses_of(program: Program) -> Losses:
    """Train a program."""
    lamina.utils.set_random_seed(0)
    model = program.model()
    validation = (program.x_val, program.y_val)
    try:
        model.fit(program.x, program.y, validation_data=validation, verbose=0, **program.fit)
    except FloatingPointError:
        pass
    history = model.history
    progress = performance(history.record)
    return Losses(
        history.history.get("loss", []),
        history.history.get("val_loss", []),
        None if progress is None else progress.guessing_loss,
    )


def picture(code: str, note: str, faulty: Losses, healthy: Losses | None) -> str:
    """The losses as SVG.

    Args:
        code: The title.
        note: The program and the fault, in words.
        faulty: The losses of the program with the fault.
        healthy: Those of the program without it; None if they have another loss.
    """
    epochs = max(len(faulty.train), len(healthy.val) if healthy else 0, 2)
    shown = [*faulty.train, *faulty.val, *(healthy.val if healthy else [])]
    finite = [value for value in shown if math.isfinite(value)]
    low, high = min(finite), max(finite)
    is_log = low > 0 and high / low > 50
    low, high = (low, high) if is_log else (min(0.0, low), high)

    def place(epoch: float, value: float) -> tuple[float, float]:
        share = math.log(value / low) / math.log(high / low) if is_log else (
            (value - low) / ((high - low) or 1)
        )  # fmt: skip
        x = LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / (epochs - 1)
        return round(x, 1), round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share, 1)

    def line(values: Sequence[float], kind: str) -> str:
        points = [place(i, v) for i, v in enumerate(values, start=1) if math.isfinite(v)]
        if len(points) == 1:
            return f'<circle class="{kind}" cx="{points[0][0]}" cy="{points[0][1]}" r="3"/>'
        return f'<polyline class="{kind}" points="{" ".join(f"{x},{y}" for x, y in points)}"/>'

    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [
        f'<text class="title" x="{LEFT}" y="14">{escape(code)}</text>',
        f'<text x="{LEFT}" y="27">{escape(note)}</text>',
        f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>',
        f'<text x="{LEFT}" y="{bottom + 13}" text-anchor="middle">1</text>',
        f'<text x="{right}" y="{bottom + 13}" text-anchor="end">epoch {epochs}</text>',
        f'<text x="{LEFT - 4}" y="{bottom + 1}" text-anchor="end">{low:.3g}</text>',
        f'<text x="{LEFT - 4}" y="{TOP + 6}" text-anchor="end">{high:.3g}</text>',
    ]
    if faulty.guessing is not None and low < faulty.guessing < high:
        y = place(1, faulty.guessing)[1]
        parts.append(f'<path class="guess" d="M{LEFT} {y}H{right}"/>')
    if healthy is not None:
        parts.append(line(healthy.val, "healthy"))
    parts += [line(faulty.val, "val"), line(faulty.train, "train")]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img"><title>{escape(code)}: {escape(note)}'
        f"</title><style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a part of a code")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--short", action="store_true", help="one of them")
    options = parser.parse_args()
    lamina.config.disable_interactive_logging()
    options.folder.mkdir(exist_ok=True)
    known: dict[Callable[[int], Program], Losses] = {}
    for case in CASES:
        if (options.only or ("dead-relu" if options.short else "")) not in case.code:
            continue
        healthy = case.program(0)
        program = faulty(case, healthy)
        assert program is not None, case.code
        if case.program not in known:
            known[case.program] = losses_of(healthy)
        is_comparable = program.loss == healthy.loss and case.fault != "large targets"
        losses = losses_of(program)
        drawn = picture(
            case.code,
            f"{healthy.name}, {case.words or case.fault}",
            losses,
            known[case.program] if is_comparable else None,
        )
        (options.folder / f"{case.code}.svg").write_text(drawn, encoding="utf-8")
        print(case.code, [round(v, 3) for v in losses.val[-1:]], file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
