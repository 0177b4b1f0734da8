"""Makes the tables of docs/diagnosis.md from the runs that `run.py` has written."""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# A fault counts if it costs this much of the score that the healthy program reaches.
HURTS = 0.05
SIGNIFICANT = 0.05


def rows_of(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """All runs; a later run of the same case replaces an earlier one."""
    rows = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            rows[row["program"], row["fault"], row["seed"], row["level"]] = row
    return list(rows.values())


def codes(row: dict[str, Any], severities: tuple[str, ...] = ("problem", "warning")) -> list[str]:
    """Codes of the findings that are shown."""
    return [found["code"] for found in row["findings"] if found["severity"] in severities]


def harmful(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Faulty runs that reach less than the healthy program does on average, if that is known."""
    healthy = defaultdict(list)
    for row in rows:
        if row["fault"] is None:
            healthy[row["program"]].append(row["score"])
    usual = {program: sum(scores) / len(scores) for program, scores in healthy.items()}
    return [
        row
        for row in rows
        if row["fault"] and row["score"] < usual.get(row["program"], -1.0) - HURTS
    ]


def share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "–"


def by_fault(rows: list[dict[str, Any]]) -> str:
    """A line for each fault."""
    cases = defaultdict(list)
    for row in harmful(rows):
        cases[row["fault"]].append(row)
    lines = ["| fault | runs | something found | right first | right in the first two | misses |"]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    for fault, group in sorted(cases.items()):
        missed = Counter(
            f"{row['program']}: {', '.join(codes(row)[:2]) or 'nothing'}"
            for row in group
            if not is_right(row, 2)
        )
        lines.append(f"| {fault} | {_counts(group)} | {'; '.join(missed)} |")
    return "\n".join(lines)


def by_seed(rows: list[dict[str, Any]]) -> str:
    """A line for each seed."""
    cases = defaultdict(list)
    for row in harmful(rows):
        cases[row["seed"]].append(row)
    lines = ["| seed | runs | something found | right first | right in the first two |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    lines += [f"| {seed} | {_counts(group)} |" for seed, group in sorted(cases.items())]
    return "\n".join(lines)


def _counts(group: list[dict[str, Any]]) -> str:
    found = sum(bool(codes(row)) for row in group)
    first, two = (sum(is_right(row, count) for row in group) for count in (1, 2))
    shares = " | ".join(share(part, len(group)) for part in (found, first, two))
    return f"{len(group)} | {shares}"


def is_right(row: dict[str, Any], count: int) -> bool:
    """Whether a right cause is among the first findings of a faulty run."""
    return bool(set(codes(row)[:count]) & set(row["right"]))


def summary(rows: list[dict[str, Any]]) -> str:
    """The figures of all faulty runs together."""
    bad = harmful(rows)
    found = sum(bool(codes(row)) for row in bad)
    first, two = (sum(is_right(row, count) for row in bad) for count in (1, 2))
    shown = sum(len(codes(row)) for row in bad)
    right = sum(code in row["right"] for row in bad for code in codes(row))
    harmless = sorted(
        {row["fault"] for row in rows if row["fault"]} - {row["fault"] for row in bad}
    )
    by_cause = defaultdict(list)
    for row in bad:
        by_cause[row["right"][0]].append(is_right(row, 2))
    average = sum(sum(hits) / len(hits) for hits in by_cause.values()) / max(len(by_cause), 1)
    return "\n".join(
        [
            f"- Faulty runs that hurt: {len(bad)} of "
            f"{sum(row['fault'] is not None for row in rows)}. Faults that hurt in none: "
            f"{', '.join(harmless) or 'none'}.",
            f"- Something found: {share(found, len(bad))}.",
            f"- A right cause first: {share(first, len(bad))}; in the first two: "
            f"{share(two, len(bad))}; averaged over {len(by_cause)} causes: {average:.0%}.",
            f"- Findings for each faulty run: {shown / max(len(bad), 1):.2f}; of them right: "
            f"{share(right, shown)}.",
        ]
    )


def of_healthy(rows: list[dict[str, Any]]) -> str:
    """False alarms: runs with a problem, and runs with each code."""
    runs = [row for row in rows if row["fault"] is None]
    alarms = sum(bool(codes(row, ("problem",))) for row in runs)
    kinds = Counter(code for row in runs for code in set(codes(row)))
    told = ", ".join(
        f"{code} in {count} ({share(count, len(runs))})" for code, count in kinds.most_common()
    )
    scripts = sum(row["program"].endswith(".py") for row in runs)
    of_them = f", {scripts} of them examples" if scripts else ""
    return (
        f"- Healthy runs: {len(runs)}{of_them}; with a problem: {alarms} "
        f"({share(alarms, len(runs))}); problems and warnings: {told or 'none'}."
    )


def right_finding(row: dict[str, Any]) -> dict[str, Any] | None:
    """The first right finding of a faulty run that is shown; None without one."""
    for found in row["findings"]:
        if found["code"] in row["right"] and found["severity"] != "hint":
            return found
    return None


def improves(before: Sequence[float], after: Sequence[float]) -> bool:
    """Whether scores of the same seeds are higher afterwards: a paired t-test, one-sided."""
    from scipy.stats import ttest_rel

    gains = np.subtract(after, before)
    if np.allclose(gains, gains[0]):  # the test divides by their deviation
        return bool(gains[0] > 0)
    return bool(ttest_rel(after, before, alternative="greater").pvalue < SIGNIFICANT)


def advice(rows: list[dict[str, Any]], compared: list[dict[str, Any]]) -> str:
    """How often the advised change makes copies better, beside a random search.

    Args:
        rows: Runs with full diagnosis.
        compared: What `advice.py` has written.
    """
    right = [found for row in harmful(rows) if (found := right_finding(row)) is not None]
    silent = Counter(found["code"] for found in right if found["change"] is None)
    groups = defaultdict(list)
    for row in compared:
        groups[row["fault"]].append(row)
    lines = [
        "| fault | right findings | advice improves | gain | random search improves | gain |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for fault, group in [*sorted(groups.items()), ("all", compared)]:
        cells = []
        for name in ("advised", "random"):
            better = sum(improves(row["unchanged"], row[name]) for row in group)
            gains = [np.mean(row[name]) - np.mean(row["unchanged"]) for row in group]
            mean_gain = f"{np.mean(gains):.2f}" if gains else "–"
            cells += [f"{better} ({share(better, len(group))})", mean_gain]
        lines.append(f"| {fault} | {len(group)} | {' | '.join(cells)} |")
    above, below = (
        sum(improves(row[one], row[other]) for row in compared)
        for one, other in (("random", "advised"), ("advised", "random"))
    )
    told = ", ".join(f"{code} {count}" for code, count in silent.most_common())
    trainings = np.median([row["trainings"] for row in compared] or [0])
    return "\n".join(
        [
            *lines,
            "",
            f"- Of {len(right)} right findings {sum(silent.values())} have no change to apply: "
            f"{told}. Of the others, {len(compared)} were applied.",
            f"- The advice is significantly better than the random search in {above}, and "
            f"significantly worse in {below}. The median search has {trainings:.0f} trainings.",
        ]
    )


def write_into(page: Path, name: str, text: str) -> None:
    """Put text between the markers of this name in a page."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, rest = page.read_text(encoding="utf-8").split(begin)
    _, after = rest.split(end)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--advice", type=Path, help="what advice.py has written")
    parser.add_argument("--page", type=Path, help="the page to write the tables into")
    parser.add_argument("--short", action="store_true", help="no effect; for the other scripts")
    options = parser.parse_args()
    rows = rows_of(options.runs)
    texts = {"tables": tables(rows)}
    if options.advice is not None:
        lines = options.advice.read_text(encoding="utf-8").splitlines()
        full = [row for row in rows if row["level"] == "full"]
        texts["advice"] = advice(full, list(map(json.loads, lines)))
    for name, text in texts.items():
        if options.page is None:
            print(text)
        else:
            write_into(options.page, name, text)


def tables(rows: list[dict[str, Any]]) -> str:
    """The tables of every level."""
    parts = []
    for level in sorted({row["level"] for row in rows}):
        of_level = [row for row in rows if row["level"] == level]
        parts.append(f'\n### `set_diagnosis("{level}")`\n')
        if harmful(of_level):
            parts += [summary(of_level), of_healthy(of_level)]
            parts += ["", by_seed(of_level), "", by_fault(of_level)]
        else:
            parts.append(of_healthy(of_level))
    return "\n".join(parts)


if __name__ == "__main__":
    main()
