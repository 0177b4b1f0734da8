"""Plants wrong labels, copies between sets and columns that tell the target, and looks for them.

Prints the tables of docs/diagnosis.md as Markdown. Where cleanlab is installed it gets the same
probabilities.
"""

import argparse
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from setups import setup_of

import lamina
import programs
from lamina.diagnosis import find_duplicates
from lamina.diagnosis.data_checks.checking import check_data
from lamina.diagnosis.data_checks.label_noise import class_indices, estimate_noise
from lamina.diagnosis.data_checks.noise_or_overlap import noise_rate
from lamina.diagnosis.data_checks.out_of_sample import out_of_sample
from lamina.diagnosis.experiments.scores import task_of
from lamina.diagnosis.experiments.setup import Samples, TrainingSetup
from lamina.findings import Record
from programs import PROGRAMS, Program

SHARES = (0.02, 0.05, 0.2)
FOLDS, REPEATS = 4, 2
# Recall at which precision is compared.
RECALL = 0.8
# Changes of copied pictures, whose values are 0–1.
CHANGES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "exact": lambda x, rng: x,
    "noise": lambda x, rng: x + rng.normal(0, 5 / 255, x.shape).astype(x.dtype),
    "shift": lambda x, rng: np.roll(x, (1, 0), axis=(1, 2)),
}


class Extent(NamedTuple):
    """What the tables are made of.

    Args:
        programs: Programs for copies, columns and data as they are.
        noisy: Programs for wrong labels.
        rates: Rates of wrong labels.
        seeds: How many seeds.
    """

    programs: Sequence[Callable[[int], Program]]
    noisy: Sequence[Callable[[int], Program]]
    rates: Sequence[float]
    seeds: int


def mnist_cnn(seed: int) -> Program:
    """A convolutional network on as many samples as the dense one."""
    dense = programs.mnist_dense(seed)
    x, x_val = dense.x[..., None], dense.x_val[..., None]
    made = replace(programs.normalised_cnn(seed), x=x, y=dense.y, x_val=x_val, y_val=dense.y_val)
    return replace(made, name="mnist cnn")


def classes_of(program: Program) -> tuple[np.ndarray, int] | None:
    """Class indices and the number of classes; None for other targets."""
    task = task_of(program.y, program.loss if isinstance(program.loss, str) else None)
    labels = class_indices(program.y, task.classes)
    return (labels, task.classes) if task.kind == "classes" and labels is not None else None


def with_labels(program: Program, labels: np.ndarray, classes: int) -> Program:
    one_hot = program.y.ndim == 2
    return replace(program, y=np.eye(classes, dtype="float32")[labels] if one_hot else labels)


def percent(values: Sequence[float]) -> str:
    return " / ".join(f"{100 * value:.1f}" for value in values)


def decimals(values: Sequence[float | None]) -> str:
    return " / ".join("–" if value is None else f"{value:.2f}" for value in values)


def precision_at_recall(ranked: np.ndarray, wrong: np.ndarray) -> float | None:
    """Precision of the shortest list that has so many of the wrong labels; None without such."""
    found = np.cumsum(wrong[ranked])
    needed = np.ceil(RECALL * wrong.sum())
    if not wrong.any() or not len(found) or found[-1] < needed:
        return None
    length = int(np.searchsorted(found, needed)) + 1
    return float(found[length - 1] / length)


def of_cleanlab(labels: np.ndarray, probabilities: np.ndarray) -> tuple[float, np.ndarray] | None:
    """The rate and the ranking of cleanlab; None where it is not installed."""
    try:
        from cleanlab.count import estimate_joint
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        return None
    probabilities = np.maximum(probabilities, 1e-7)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    joint = estimate_joint(labels, probabilities)
    ranked = np.argsort(get_label_quality_scores(labels, probabilities), kind="stable")
    return 1 - float(np.trace(joint)), ranked


def label_noise_rows(extent: Extent) -> Iterator[str]:
    """Lines of the table of planted wrong labels."""
    yield "| program | planted % | estimated % | cleanlab % | finding % | precision | cleanlab |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for make in extent.noisy:
        for rate in extent.rates:
            results = [one_noise(make(seed), rate, seed) for seed in range(extent.seeds)]
            ours, theirs, found, first, second = zip(*results, strict=True)
            name = make(0).name if rate == extent.rates[0] else ""
            told = " / ".join("–" if one is None else f"{100 * one:.1f}" for one in found)
            yield (
                f"| {name} | {100 * rate:g} | {percent(ours)} | "
                f"{'–' if theirs[0] is None else percent(theirs)} | {told} | "
                f"{decimals(first)} | {decimals(second)} |"
            )


def one_noise(program: Program, rate: float, seed: int) -> tuple[Any, ...]:
    known = classes_of(program)
    assert known is not None
    labels, classes = known
    rng = np.random.default_rng(seed)
    changed = rng.permutation(len(labels))[: round(rate * len(labels))]
    given = labels.copy()
    given[changed] = (labels[changed] + rng.integers(1, classes, len(changed))) % classes
    setup = setup_of(with_labels(program, given, classes), seed)
    probabilities = out_of_sample(setup, given, FOLDS, classes, REPEATS)
    once = out_of_sample(setup, given, FOLDS, classes)  # `fit` has no time for more
    assert probabilities is not None
    assert once is not None
    found, wrong = estimate_noise(given, probabilities), given != labels
    theirs = of_cleanlab(given, probabilities)
    return (
        found.rate,
        None if theirs is None else theirs[0],
        noise_rate(given, once),
        precision_at_recall(found.suspects, wrong),
        None if theirs is None else precision_at_recall(theirs[1], wrong),
    )


def duplicate_rows(extent: Extent) -> Iterator[str]:
    """Lines of the table of planted copies: how many runs got the finding."""
    yield "| program | copies | " + " | ".join(f"{share:.0%}" for share in SHARES) + " | found |"
    yield "| --- | --- |" + " --- |" * (len(SHARES) + 1)
    for make in extent.programs:
        for kind, change in CHANGES.items():
            cells, seen = [], []
            for share in SHARES:
                told = 0
                for seed in range(extent.seeds):
                    result = one_copy(make(seed), share, kind, change, seed)
                    if result is not None:
                        told += result[0]
                        seen.append(result[1])
                cells.append(f"{told} of {extent.seeds}")
            if seen:
                share_found = f"{100 * np.mean(seen):.1f} %"
                yield f"| {make(0).name} | {kind} | {' | '.join(cells)} | {share_found} |"


def one_copy(
    program: Program, share: float, kind: str, change: Any, seed: int
) -> tuple[bool, float] | None:
    """Whether there was a finding, and the share of the planted copies that was found."""
    if kind != "exact" and np.ndim(program.x) < 3:
        return None
    rng = np.random.default_rng(seed)
    count = max(round(share * len(program.x_val)), 1)
    x_val = np.array(program.x_val)
    rows = rng.permutation(len(x_val))[:count]
    x_val[rows] = change(program.x[rng.permutation(len(program.x))[:count]], rng)
    codes = codes_of(replace(program, x_val=x_val))
    found = np.isin(rows, find_duplicates(program.x, x_val)).mean()
    return "leak-between-sets" in codes, float(found)


def codes_of(program: Program) -> list[str]:
    """Codes of the findings of checks that train no network, without hints."""
    loss = program.loss if isinstance(program.loss, str) else None
    setup = TrainingSetup(
        None, {}, None, None, Samples(program.x, program.y),
        Samples(program.x_val, program.y_val), epochs=1,
    )  # fmt: skip
    found = check_data(Record(program.name), setup, [task_of(program.y, loss)])
    return [finding.code for finding in found if finding.severity != "hint"]


def leak_rows(extent: Extent) -> Iterator[str]:
    """Lines of the table of planted columns: how many runs got the finding."""
    yield "| program | the target itself | with noise |"
    yield "| --- | --- | --- |"
    for make in extent.programs:
        program = make(0)
        if np.ndim(program.x) != 2 or program.y is program.x or program.x.dtype.kind != "f":
            continue
        cells = []
        for spread in (0.0, 0.05):
            told = [
                "target-leak" in codes_of(with_leak(make(seed), spread, seed))
                for seed in range(extent.seeds)
            ]
            cells.append(f"{sum(told)} of {extent.seeds}")
        yield f"| {program.name} | {cells[0]} | {cells[1]} |"


def with_leak(program: Program, spread: float, seed: int) -> Program:
    """The target as a further column, with noise of `spread` of its deviation."""
    rng = np.random.default_rng(seed)

    def widened(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        column = (y.argmax(axis=1) if y.ndim == 2 else y).astype(float)
        column = column + rng.normal(0, spread * column.std(), len(column))
        return np.concatenate([x, column[:, None].astype(x.dtype)], axis=1)

    return replace(
        program, x=widened(program.x, program.y), x_val=widened(program.x_val, program.y_val)
    )


def clean_rows(extent: Extent) -> Iterator[str]:
    """Lines of the table of data as they are: how many runs got each finding."""
    yield "| program | leak-between-sets | target-leak | label-noise | rate by label_noise % |"
    yield "| --- | --- | --- | --- | --- |"
    for make in extent.programs:
        codes = [code for seed in range(extent.seeds) for code in codes_of(make(seed))]
        noise, rates = "not checked", "–"
        if classes_of(make(0)) is not None:
            results = [one_noise(make(seed), 0.0, seed) for seed in range(extent.seeds)]
            noise = f"{sum(result[2] is not None for result in results)} of {extent.seeds}"
            rates = percent([result[0] for result in results])
        counts = [
            f"{codes.count(c)} of {extent.seeds}" for c in ("leak-between-sets", "target-leak")
        ]
        yield f"| {make(0).name} | {counts[0]} | {counts[1]} | {noise} | {rates} |"


TABLES = {
    "labels": label_noise_rows,
    "duplicates": duplicate_rows,
    "leaks": leak_rows,
    "clean": clean_rows,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", choices=list(TABLES), help="one of the tables")
    parser.add_argument("--short", action="store_true", help="one program, one seed, one rate")
    options = parser.parse_args()
    lamina.config.disable_interactive_logging()
    warnings.simplefilter("ignore")
    noisy = (programs.digits_dense, programs.mnist_dense, mnist_cnn)
    extent = Extent(PROGRAMS, noisy, (0.0, 0.05, 0.1, 0.2), options.seeds)
    if options.short:
        extent = Extent([programs.breast_cancer], [programs.digits_dense], (0.1,), 1)
    for name, rows in TABLES.items():
        if options.only in (None, name):
            print(f"\n{name}, {extent.seeds} seeds\n")
            for row in rows(extent):
                print(row, flush=True)


if __name__ == "__main__":
    main()
