"""Makes the tables of docs/diagnosis.md from the runs that `run.py` has written."""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# A fault counts if it costs this much of the score that the healthy program reaches.
HURTS = 0.05
BEGIN, END = "<!-- tables -->", "<!-- end of tables -->"


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
    """Faulty runs that reach less than the healthy program, or end with an error."""
    healthy = defaultdict(list)
    for row in rows:
        if row["fault"] is None:
            healthy[row["program"]].append(row["score"])
    usual = {program: sum(scores) / len(scores) for program, scores in healthy.items()}
    return [
        row
        for row in rows
        if row["fault"] and row["score"] < usual.get(row["program"], 1.0) - HURTS
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
        found = sum(bool(codes(row)) for row in group)
        first = sum(bool(set(codes(row)[:1]) & set(row["right"])) for row in group)
        two = sum(bool(set(codes(row)[:2]) & set(row["right"])) for row in group)
        missed = Counter(
            f"{row['program']}: {', '.join(codes(row)[:2]) or 'nothing'}"
            for row in group
            if not set(codes(row)[:2]) & set(row["right"])
        )
        lines.append(
            f"| {fault} | {len(group)} | {share(found, len(group))} | {share(first, len(group))} "
            f"| {share(two, len(group))} | {'; '.join(missed)} |"
        )
    return "\n".join(lines)


def summary(rows: list[dict[str, Any]]) -> str:
    """The figures of all runs together."""
    bad = harmful(rows)
    healthy = [row for row in rows if row["fault"] is None]
    found = sum(bool(codes(row)) for row in bad)
    two = sum(bool(set(codes(row)[:2]) & set(row["right"])) for row in bad)
    first = sum(bool(set(codes(row)[:1]) & set(row["right"])) for row in bad)
    right = sum(bool(set(codes(row)) & set(row["right"])) for row in bad)
    shown = sum(len(codes(row)) for row in bad)
    by_cause = defaultdict(list)
    for row in bad:
        by_cause[row["right"][0]].append(bool(set(codes(row)[:2]) & set(row["right"])))
    average = sum(sum(hits) / len(hits) for hits in by_cause.values()) / max(len(by_cause), 1)
    alarms = [row for row in healthy if codes(row, ("problem",))]
    kinds = Counter(code for row in healthy for code in set(codes(row)))
    of_healthy = (
        f"- Healthy runs: {len(healthy)}; with a problem: {len(alarms)}; "
        f"findings: {dict(kinds) or 'none'}."
    )
    if not bad:
        return of_healthy
    lines = [
        f"- Faulty runs that hurt: {len(bad)} of {sum(row['fault'] is not None for row in rows)}.",
        f"- Something found: {share(found, len(bad))}.",
        f"- A right cause first: {share(first, len(bad))}; in the first two: "
        f"{share(two, len(bad))}; averaged over causes: {average:.0%}.",
        f"- Findings for each faulty run: {shown / max(len(bad), 1):.2f}; of them right: "
        f"{share(right, shown)}.",
        of_healthy,
    ]
    return "\n".join(lines)


def advice(rows: list[dict[str, Any]]) -> str:
    """How often the change of a right finding made a copy better."""
    tried = better = 0
    for row in harmful(rows):
        for found in row["findings"]:
            if found["code"] in row["right"] and found["severity"] != "hint":
                evidence = found["evidence"]
                after = evidence.get(
                    "score with the change", evidence.get("score with all changes")
                )
                tried += 1
                better += after is not None and float(after) > float(evidence["score"]) + 0.03
                break
    return (
        f"- Of {tried} right findings the change was tried on a copy and helped in "
        f"{share(better, tried)}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--page", type=Path, help="the page to write the tables into")
    options = parser.parse_args()
    text = tables(rows_of(options.runs))
    if options.page is None:
        print(text)
        return
    page = options.page.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    options.page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def tables(rows: list[dict[str, Any]]) -> str:
    """The tables of every level."""
    parts = []
    for level in sorted({row["level"] for row in rows}):
        of_level = [row for row in rows if row["level"] == level]
        parts += [f'\n### `set_diagnosis("{level}")`\n', summary(of_level)]
        if harmful(of_level):
            parts += [advice(of_level), "", by_fault(of_level)]
    return "\n".join(parts)


if __name__ == "__main__":
    main()
