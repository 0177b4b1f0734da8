"""Fits what `confidence` means, from the runs that `run.py` has written.

Half of the programs show how often findings of a kind are right; the other half shows whether that
holds. Writes src/lamina/findings/calibration_table.py and, with `--page`, the table of the page.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from table import harmful, rows_of, write_into

from lamina.findings import Finding
from lamina.findings.calibration import evidence_of, share_right

TABLE = Path(__file__).parents[2] / "src/lamina/findings/calibration_table.py"
# With fewer findings, kinds are pooled.
FEWEST = 30
EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
POOLED = {
    "tried, first": "first", "seen, first": "first", "tried, later": "later", "seen, later": "later"
}  # fmt: skip

Steps = list[tuple[float, float]]


class Sample(NamedTuple):
    """A finding of a run with a known answer."""

    program: str
    evidence: str
    confidence: float
    is_right: bool


def samples_of(rows: Iterable[dict[str, Any]]) -> list[Sample]:
    """The findings of faulty runs that hurt and of healthy ones, in which they are wrong.

    Each code counts once in a run. Runs with a fault that costs nothing say neither.
    """
    samples = []
    rows = list(rows)
    for row in [*harmful(rows), *(row for row in rows if row["fault"] is None)]:
        first = {found["code"]: found for found in reversed(row["findings"])}
        for place, given in enumerate(row["findings"]):
            if first[given["code"]] is not given:
                continue
            finding = Finding(
                given["code"], given["severity"], given["title"], given["fix"], given["evidence"]
            )
            samples.append(
                Sample(
                    row["program"],
                    evidence_of(finding, place == 0),
                    given["confidence"],
                    given["code"] in row["right"],
                )
            )
    return samples


def halves(samples: Iterable[Sample]) -> tuple[set[str], set[str]]:
    """Names of the programs to fit on, and of those to check with."""
    names = sorted({sample.program for sample in samples})
    return set(names[::2]), set(names[1::2])


def isotonic(confidences: Sequence[float], right: Sequence[bool]) -> Steps:
    """The share that is right as a rising function of the confidence.

    Returns:
        The least confidence and the share of each step. Half a right and half a wrong finding
        are added to each, so that no share is 0 or 1.

    Source: Ayer, Brunk, Ewing, Reid and Silverman, 1955, "An Empirical Distribution Function for
    Sampling with Incomplete Information", Annals of Mathematical Statistics 26: the pooling of
    neighbours that do not rise.
    """
    counts: dict[float, list[int]] = defaultdict(lambda: [0, 0])
    for confidence, is_right in zip(confidences, right, strict=True):
        counts[round(confidence, 3)][0] += is_right
        counts[round(confidence, 3)][1] += 1
    steps: list[tuple[float, int, int]] = []
    for confidence, (hits, total) in sorted(counts.items()):
        steps.append((confidence, hits, total))
        while len(steps) > 1 and _share(*steps[-2][1:]) >= _share(*steps[-1][1:]):
            _, hits_above, total_above = steps.pop()
            least, hits_below, total_below = steps.pop()
            steps.append((least, hits_below + hits_above, total_below + total_above))
    return [(least, round(_share(hits, total), 3)) for least, hits, total in steps]


def _share(hits: int, total: int) -> float:
    return (hits + 0.5) / (total + 1)


def fitted(samples: Sequence[Sample]) -> dict[str, Steps]:
    """Steps for each kind of evidence; kinds with few findings are pooled."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.evidence].append(sample)
        groups[POOLED.get(sample.evidence, sample.evidence)].append(sample)
    shares = {}
    for evidence in sorted({sample.evidence for sample in samples}):
        group = groups[evidence]
        if len(group) < FEWEST:
            group = groups[POOLED.get(evidence, evidence)]
        shares[evidence] = isotonic(
            [sample.confidence for sample in group], [sample.is_right for sample in group]
        )
    return shares


def calibration_error(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Expected calibration error over the bins of the table.

    Source: Guo, Pleiss, Sun and Weinberger, 2017, "On Calibration of Modern Neural Networks",
    arXiv:1706.04599.
    """
    values, hits = np.array(confidences), np.array(right, float)
    bins = _bins(values)
    gaps = [
        abs(values[bins == one].mean() - hits[bins == one].mean()) * (bins == one).mean()
        for one in np.unique(bins)
    ]
    return float(sum(gaps))


def brier(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Mean squared difference between confidence and what was right; 0 is best."""
    return float(np.mean((np.array(confidences) - np.array(right, float)) ** 2))


def _bins(values: np.ndarray) -> np.ndarray:
    return np.clip(np.digitize(values, EDGES[1:-1]), 0, len(EDGES) - 2)


def report(samples: Sequence[Sample], shares: Mapping[str, Steps]) -> str:
    """Reliability on samples that were not fitted, as Markdown."""
    right = [sample.is_right for sample in samples]
    before = [sample.confidence for sample in samples]
    after = [share_right(sample.evidence, sample.confidence, shares) for sample in samples]
    lines = [
        "| confidence | findings | mean confidence | right |",
        "| --- | --- | --- | --- |",
    ]
    bins, values, hits = _bins(np.array(after)), np.array(after), np.array(right)
    for number in np.unique(bins):
        inside = bins == number
        lines.append(
            f"| {EDGES[number]:g} to {EDGES[number + 1]:g} | {inside.sum()} "
            f"| {values[inside].mean():.2f} | {hits[inside].mean():.2f} |"
        )
    lines += [
        "",
        f"On these {len(samples)} findings of programs that were not fitted, the expected "
        f"calibration error is {calibration_error(after, right):.3f} and the Brier score "
        f"{brier(after, right):.3f}; with the numbers of checks and trials as they are, "
        f"{calibration_error(before, right):.3f} and {brier(before, right):.3f}.",
    ]
    return "\n".join(lines)


def written(shares: Mapping[str, Steps], samples: Sequence[Sample]) -> str:
    """The table as a Python file."""
    lines = [
        '"""How often findings are right, by their evidence and confidence; a generated file.',
        "",
        f"From {len(samples)} findings in programs with known faults and in healthy ones, by",
        "`benchmarks/diagnosis/calibrate.py`. Each kind of evidence has steps of the least",
        "confidence that checks and trials gave, and the share of such findings that were right.",
        '"""',
        "",
        "SHARES: dict[str, tuple[tuple[float, float], ...]] = {",
    ]
    for evidence, steps in shares.items():
        lines.append(f'    "{evidence}": {tuple(steps)},')
    return "\n".join([*lines, "}", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--page", type=Path, help="the page to write the table into")
    parser.add_argument(
        "--short", action="store_true", help="all programs in both halves; Lamina is not changed"
    )
    options = parser.parse_args()
    samples = samples_of(rows_of(options.runs))
    fit, check = halves(samples)
    if options.short:
        fit = check = fit | check
    known = [sample for sample in samples if sample.program in fit]
    shares = fitted(known)
    if not options.short:
        TABLE.write_text(written(shares, known), encoding="utf-8")
    text = report([sample for sample in samples if sample.program in check], shares)
    if options.page is None:
        print(text)
    else:
        write_into(options.page, "calibration", text)


if __name__ == "__main__":
    main()
