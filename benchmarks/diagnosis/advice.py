"""Applies the change of right findings with five seeds, beside the best of a random search.

Reads the runs that `run.py` has written. For each faulty run that hurts and whose finding is right,
copies are trained with five new seeds: unchanged, with the advised change, and with the change that
was best in a random search with as many trainings as diagnosis made. Writes JSON lines.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cases import case_named
from random_changes import random_change
from results import code_digest, known_rows
from setups import setup_of, task_of_program
from table import harmful, right_finding, rows_of

import lamina
from lamina.diagnosis.experiments.copies import CannotCopyError
from lamina.diagnosis.experiments.setup import TrainingSetup
from lamina.diagnosis.experiments.trials import Trials
from lamina.findings import Change
from programs import Program

# None of them was used when the advice was found.
SEEDS = (101, 102, 103, 104, 105)
_MOST_DRAWS = 40
_SHORT = 2  # findings, copies and trainings of the random search in the short form


def change_of(given: dict[str, Any]) -> Change:
    """The change that was written as JSON."""
    return Change(**{**given, "also": tuple(map(change_of, given["also"]))})


def scores(setups: Sequence[TrainingSetup], program: Program, change: Change | None) -> list[float]:
    """What copies reach in validation, one for each setup."""
    tasks = [task_of_program(program)]
    return [round(Trials(one, tasks, float("inf")).run(change).score, 4) for one in setups]


def best_of_random(
    program: Program, setup: TrainingSetup, trainings: int, rng: np.random.Generator
) -> Change | None:
    """The change that reaches most in a random search; None if nothing beats the unchanged copy.

    Args:
        program: The faulty program.
        setup: What its training begins with.
        trainings: How many copies are trained. Changes that no copy can be made with cost nothing.
        rng: Draws.
    """
    trials = Trials(setup, [task_of_program(program)], float("inf"))
    best, highest, done = None, trials.run().score, 1
    for _ in range(_MOST_DRAWS):
        if done >= trainings:
            break
        change = random_change(program, rng)
        try:
            score = trials.run(change).score
        except (CannotCopyError, ValueError, TypeError):
            continue
        done += 1
        if score > highest:
            best, highest = change, score
    return best


def compared(row: dict[str, Any], short: bool = False) -> dict[str, Any]:
    """What a copy reaches with five seeds: unchanged, as advised, and after a random search."""
    case = case_named(row["program"], row["fault"], row["seed"])
    program = case.program()
    finding = right_finding(row)
    assert program is not None
    assert finding is not None
    change = change_of(finding["change"])
    began = time.perf_counter()
    setups = [setup_of(program, seed) for seed in (SEEDS[:_SHORT] if short else SEEDS)]
    trainings = _SHORT if short else max(len(row["trials"]), 2)
    rng = np.random.default_rng(row["seed"])
    drawn = best_of_random(program, setup_of(program, row["seed"]), trainings, rng)
    unchanged = scores(setups, program, None)
    return {
        "program": row["program"],
        "fault": row["fault"],
        "seed": row["seed"],
        "source": code_digest(),
        "code": finding["code"],
        "severity": finding["severity"],
        "change": change.describe(),
        "unchanged": unchanged,
        "advised": scores(setups, program, change),
        "trainings": trainings,
        "random_change": None if drawn is None else drawn.describe(),
        "random": unchanged if drawn is None else scores(setups, program, drawn),
        "seconds": round(time.perf_counter() - began, 1),
    }


def waiting(runs: Path, done: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Runs whose advice was not applied yet, first those of faults and programs with the fewest."""
    known = {(row["program"], row["fault"], row["seed"]) for row in done}
    counts = Counter(value for row in done for value in (row["program"], row["fault"]))
    rows = [
        row
        for row in harmful([row for row in rows_of([runs]) if row["level"] == "full"])
        if (row["program"], row["fault"], row["seed"]) not in known
        and (right_finding(row) or {}).get("change")
    ]
    return sorted(rows, key=lambda row: (counts[row["fault"]], counts[row["program"]]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after these")
    parser.add_argument("--wait", action="store_true", help="for more runs, until the time is up")
    parser.add_argument("--short", action="store_true", help="two findings with two seeds each")
    parser.add_argument("--keep", action="store_true", help="rows that older code has measured")
    parser.add_argument("--out", type=Path, default=Path("diagnosis-advice.jsonl"))
    options = parser.parse_args()
    lamina.config.disable_interactive_logging()
    lamina.config.set_diagnosis("off")
    ends = time.monotonic() + 60 * options.minutes
    done = known_rows(options.out, options.keep)
    most = _SHORT if options.short else float("inf")
    with options.out.open("a", encoding="utf-8") as out:
        while time.monotonic() < ends and len(done) < most:
            rows = waiting(options.runs, done)
            if not rows and not options.wait:
                break
            if not rows:
                time.sleep(5)
                continue
            done.append(compared(rows[0], options.short))
            out.write(json.dumps(done[-1]) + "\n")
            out.flush()
            print(_summary(done[-1]), file=sys.stderr, flush=True)


def _summary(row: dict[str, Any]) -> str:
    means = ", ".join(f"{k} {np.mean(row[k]):.2f}" for k in ("unchanged", "advised", "random"))
    return f"{row['program']} | {row['fault']} | {row['change']}: {means}; {row['seconds']}s"


if __name__ == "__main__":
    main()
