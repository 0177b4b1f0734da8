"""How often findings are right, by their evidence and confidence; a generated file.

From 144 findings in programs with known faults and in healthy ones, by
`benchmarks/diagnosis/calibrate.py`. Each kind of evidence has steps of the least
confidence that checks and trials gave, and the share of such findings that were right.
"""

SHARES: dict[str, tuple[tuple[float, float], ...]] = {
    "hint": ((0.167, 0.071), (0.2, 0.283), (0.3, 0.833)),
    "seen, first": ((0.6, 0.9), (0.75, 0.964)),
    "seen, later": ((0.6, 0.242),),
    "tried, first": ((0.75, 0.961),),
    "tried, later": ((0.6, 0.242),),
}
