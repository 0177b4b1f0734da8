"""Runs healthy and faulty programs and writes what diagnosis said of each, as JSON lines."""

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from injectors import INJECTORS, Injector

import lamina
from lamina.diagnosis.experiments.scores import score_of, task_of
from lamina.findings import Findings, finding_of_error
from programs import ODD, PROGRAMS, Program


def trained(program: Program, seed: int, level: str) -> dict[str, Any]:
    """Train a program, and say what it reached and what was found."""
    lamina.utils.set_random_seed(seed)
    lamina.config.set_diagnosis(level)
    model = program.model()
    error = None
    began = time.perf_counter()
    try:
        validation = (program.x_val, program.y_val)
        model.fit(program.x, program.y, validation_data=validation, verbose=0, **program.fit)
    except (ValueError, FloatingPointError) as caught:
        caught_error, error = caught, str(caught).splitlines()[0]
    seconds = time.perf_counter() - began
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
    }


def score(program: Program, model: Any) -> float:
    """Score in validation: 0 is guessing, 1 is perfect."""
    loss = program.loss if isinstance(program.loss, str) else program.loss.name
    task = task_of(
        program.y_val, "sparse_categorical_crossentropy" if _is_labels(program) else loss
    )
    predictions = model.predict(program.x_val, verbose=0)
    return float(score_of([task], predictions, program.y_val).mean())


def _is_labels(program: Program) -> bool:
    y = program.y_val
    return y.dtype.kind in "iu" and y.ndim == 1


def case(make: Any, injector: Injector | None, seed: int, level: str) -> dict[str, Any] | None:
    """One run; None where the fault has no meaning for the program."""
    program = make(seed)
    if injector is not None:
        faulty = injector.inject(program, np.random.default_rng(seed))
        if faulty is None:
            return None
        program = faulty
    result = trained(program, seed, level)
    return {
        "program": program.name,
        "fault": None if injector is None else injector.name,
        "right": [] if injector is None else list(injector.right),
        "seed": seed,
        "level": level,
        **result,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--level", default="full")
    parser.add_argument("--programs", default="", help="a part of a name")
    parser.add_argument("--faults", default="", help="a part of a name; 'healthy' for none")
    parser.add_argument("--share", type=float, default=1.0, help="share of the cases, at random")
    parser.add_argument("--out", type=Path, default=Path("diagnosis.jsonl"))
    options = parser.parse_args()
    lamina.config.disable_interactive_logging()
    cases = [
        (make, injector, seed)
        for seed in range(options.first_seed, options.first_seed + options.seeds)
        for make in PROGRAMS
        if options.programs in make.__name__
        for injector in (None, *INJECTORS)
        if options.faults in ("healthy" if injector is None else injector.name)
    ]
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    if options.faults in "healthy":
        odd = [make for make in ODD if options.programs in make.__name__]
        cases += [(make, None, seed) for make in odd for seed in seeds]
    chosen = random.Random(0)
    cases = [one for one in cases if one[1] is None or chosen.random() < options.share]
    chosen.shuffle(cases)  # a run that is stopped has a bit of everything
    with options.out.open("a", encoding="utf-8") as out:
        for make, injector, seed in cases:
            result = case(make, injector, seed, options.level)
            if result is not None:
                out.write(json.dumps(result, default=str) + "\n")
                out.flush()
                codes = [
                    found["code"] for found in result["findings"] if found["severity"] != "hint"
                ]
                print(
                    result["program"],
                    "|",
                    result["fault"],
                    "|",
                    f"{result['score']:.2f}",
                    codes,
                    f"{result['seconds']}s",
                    file=sys.stderr,
                )


if __name__ == "__main__":
    main()
