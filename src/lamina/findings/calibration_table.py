"""How often findings are right, by their evidence and confidence; a generated file.

Nothing was measured yet: each keeps the confidence that the checks and trials gave.
"""

SHARES: dict[str, tuple[tuple[float, float], ...]] = {}
