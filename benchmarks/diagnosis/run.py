"""Runs healthy and faulty programs and writes what diagnosis said of each, as JSON lines.

Each pair of a program and a fault is run with one of the seeds, or with more of them: `--deals`. A
run that is stopped, by hand or by `--minutes`, has a bit of everything. Started again with the same
file and the same code, it goes on where it stopped. `--short` has a few quick cases.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from cases import Case, balanced, dealt, healthy, pairs
from results import code_digest, known_rows
from setups import task_of_program

import lamina
from lamina.diagnosis.experiments.scores import score_of
from lamina.diagnosis.experiments.trials import Trials
from lamina.findings import Findings, finding_of_error
from programs import Program

# Needs no data sets besides those of scikit-learn.
SHORT_PROGRAM = "breast_cancer"
SHORT_FAULTS = ("rate × 1000", "zeros", "frozen")


def trained(program: Program, seed: int, level: str) -> dict[str, Any]:
    """Train a program, and say what it reached and what was found."""
    lamina.utils.set_random_seed(seed)
    lamina.config.set_diagnosis(level)
    model = program.model()
    error = None
    began = time.process_time()
    with measured(), recorded_trials() as trials:
        try:
            validation = (program.x_val, program.y_val)
            model.fit(program.x, program.y, validation_data=validation, verbose=0, **program.fit)
        except (ValueError, FloatingPointError) as caught:
            caught_error, error = caught, str(caught).splitlines()[0]
    seconds = time.process_time() - began
    history = getattr(model, "history", None)
    findings = getattr(history, "findings", None)
    if error is not None and not findings:
        findings = Findings([finding_of_error(caught_error)])
    return {
        "score": -1.0 if error else score(program, model),
        "error": error,
        "seconds": round(seconds, 2),
        "findings": [] if findings is None else [found.to_json() for found in findings],
        "unchecked": [] if findings is None else list(findings.unchecked),
        "trials": trials,
    }


@contextmanager
def measured() -> Iterator[None]:
    """Context manager in which findings can be compared.

    They keep the confidence that checks and trials gave, which is what is calibrated. Budgets count
    the processor time of this process, so that other programs do not shorten the search.
    """
    clock = SimpleNamespace(perf_counter=time.process_time)
    with (
        mock.patch("lamina.training.recorder.calibrated", lambda findings: findings),
        mock.patch("lamina.diagnosis.experiments.trials.time", clock),
        mock.patch("lamina.diagnosis.examination.time", clock),
        mock.patch("lamina.diagnosis.examiner.time", clock),
    ):
        yield


@contextmanager
def recorded_trials() -> Iterator[list[dict[str, Any]]]:
    """Context manager that gives the trainings of copies: their change, score and seconds."""
    done: list[dict[str, Any]] = []
    run = Trials.run

    def recording(self: Trials, *args: Any, **kwargs: Any) -> Any:
        trial = run(self, *args, **kwargs)
        change = None if trial.change is None else trial.change.describe()
        done.append(
            {"change": change, "score": round(trial.score, 4), "seconds": round(trial.seconds, 2)}
        )
        return trial

    with mock.patch.object(Trials, "run", recording):
        yield done


def score(program: Program, model: Any) -> float:
    """Score in validation: 0 is guessing, 1 is perfect."""
    predictions = model.predict(program.x_val, verbose=0)
    return float(score_of([task_of_program(program)], predictions, program.y_val).mean())


def result_of(case: Case, level: str) -> dict[str, Any]:
    """One run, as a row of the results."""
    program = case.program()
    assert program is not None
    return {
        "program": case.make(case.seed).name,
        "fault": case.fault,
        "right": [] if case.injector is None else list(case.injector.right),
        "seed": case.seed,
        "level": level,
        "source": code_digest(),
        **trained(program, case.seed, level),
    }


def chosen_cases(options: argparse.Namespace) -> list[Case]:
    """The cases that the options name."""
    if options.short:
        options.seeds, options.deals, options.part = 1, 1, "1/1"
        cases = [] if options.only == "healthy" else [
            Case(*pair, 0) for pair in pairs(SHORT_PROGRAM) if pair[1].name in SHORT_FAULTS
        ]  # fmt: skip
        return cases + ([] if options.only == "faulty" else healthy([0], SHORT_PROGRAM))
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    rounds: list[list[Case]] = [[] for _ in range(options.deals)]
    if options.only != "healthy":
        found = pairs(options.programs, options.faults)
        for deal, cases in enumerate(rounds):
            cases += dealt(found, seeds, deal)
    if options.only != "faulty":
        rounds[0] += healthy(seeds, options.programs)
    ordered = [case for cases in rounds for case in balanced(cases)]
    part, parts = map(int, options.part.split("/"))
    return ordered[part - 1 :: parts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--deals", type=int, default=1, help="seeds of each pair: hours for all")
    parser.add_argument("--level", default="full")
    parser.add_argument("--programs", default="", help="a part of a name")
    parser.add_argument("--faults", default="", help="a part of a name")
    parser.add_argument("--only", choices=("healthy", "faulty"))
    parser.add_argument("--part", default="1/1", help="2/3: the second of three processes")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after these")
    parser.add_argument("--short", action="store_true", help="a few cases of one program")
    parser.add_argument("--keep", action="store_true", help="rows that older code has measured")
    parser.add_argument("--out", type=Path, default=Path("diagnosis.jsonl"))
    options = parser.parse_args()
    lamina.config.disable_interactive_logging()
    ends = time.monotonic() + 60 * options.minutes
    cases = chosen_cases(options)
    known = known_rows(options.out, options.keep)
    done = {(row["program"], row["fault"], row["seed"], row["level"]) for row in known}
    print(f"{len(cases)} cases", file=sys.stderr)
    with options.out.open("a", encoding="utf-8") as out:
        for case in cases:
            name = case.make(case.seed).name
            if (name, case.fault, case.seed, options.level) in done:
                continue
            if time.monotonic() > ends:
                break
            result = result_of(case, options.level)
            out.write(json.dumps(result, default=str) + "\n")
            out.flush()
            print(summary_of(result), file=sys.stderr, flush=True)


def summary_of(row: dict[str, Any]) -> str:
    """A run in one line."""
    codes = [found["code"] for found in row["findings"] if found["severity"] != "hint"]
    return f"{row['program']} | {row['fault']} | {row['score']:.2f} {codes} {row['seconds']}s"


if __name__ == "__main__":
    main()
