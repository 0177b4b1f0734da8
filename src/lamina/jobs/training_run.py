"""Shared by the training jobs: a model is saved even if its training is stopped by Ctrl-C."""

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from lamina.jobs.interruption import Stopping

Tell = Callable[[str], None]
Run = TypeVar("Run", bound=NamedTuple)
Result = TypeVar("Result")


def silent(text: str) -> None:
    """Ignore a message."""


def train_and_write(
    train: Callable[[Any], Any],
    write: Callable[[float, bool], Run],
    tell: Tell,
    model_file: Path,
) -> tuple[Run, bool]:
    """Train a model and write it, also after Ctrl-C; writing is not interrupted.

    Args:
        train: Called with a callback for `fit`, by which Ctrl-C stops it after the current steps.
        write: Called with the seconds that training took and whether it was stopped. Writes the
            model and returns the results.
        tell: Called with a message if the training is stopped.
        model_file: Where `write` writes the model, for the message.

    Returns:
        The result of `write`, and whether Ctrl-C was pressed until then.

    Raises:
        KeyboardInterrupt: After the third Ctrl-C.
    """
    stopping = Stopping(tell)
    start = time.perf_counter()
    interruption: BaseException | None = None
    try:
        train(stopping.callback())
    except (KeyboardInterrupt, SystemExit) as error:
        interruption = error  # raised again when everything is written
    seconds = time.perf_counter() - start
    with stopping.deferred():
        try:
            run = write(seconds, stopping.count > 0)
        except Exception:
            if interruption is None:
                raise
            tell("The model was left in the middle of a step and could not be saved.")
            raise interruption from None
    if interruption is not None:
        tell(f"{model_file} has the weights reached so far.")
        raise interruption
    return run, stopping.count > 0


def run_unless_interrupted(measure: Callable[[], Result], tell: Tell) -> Result | None:
    """The result of `measure`; None if it is stopped by Ctrl-C."""
    try:
        return measure()
    except KeyboardInterrupt:
        tell("Measuring was stopped; the model is saved.")
        return None


def write_history(history: dict[str, list[float]], path: Path) -> None:
    """Write a row per epoch, counted from 0 as in `CSVLogger`, and a column per metric."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *history])
        writer.writerows(
            [epoch, *values] for epoch, values in enumerate(zip(*history.values(), strict=True))
        )
