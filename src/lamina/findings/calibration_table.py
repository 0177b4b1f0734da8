"""How often findings are right, by their evidence and confidence; a generated file.

From 168 findings in programs with known faults and in healthy ones, by
`benchmarks/diagnosis/calibrate.py`. Each kind of evidence has steps of the least
confidence that checks and trials gave, and the share of such findings that were right.
"""

SHARES: dict[str, tuple[tuple[float, float], ...]] = {
    "hint": ((0.167, 0.056), (0.2, 0.26), (0.233, 0.9)),
    "seen, first": ((0.6, 0.9), (0.75, 0.968)),
    "seen, later": ((0.6, 0.25), (0.75, 0.338)),
    "tried, first": ((0.75, 0.966),),
    "tried, later": ((0.75, 0.338),),
}
