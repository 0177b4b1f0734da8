"""Signs that a column is not what it seems: a stand-in for what is missing, two units, the target.

None of them is certain, so they are remarks, and nothing is left out for them.
"""

import re
from collections.abc import Sequence

import numpy as np

from lamina.data.loading.numbers import number_of

# Numbers such as -999, which many programs write for what is missing.
_STAND_IN = re.compile(r"-?9{2,}|-8{3,}")
# A stand-in occurs so often at least, and is farther from the others than they are from each other.
_TIMES = 3
_CURRENCIES = "$€£¥"
# Correlation, and share of right answers, above which a column is the target in disguise.
_SAME_NUMBER, _SAME_CLASS = 0.995, 0.99
# Rows for each value of a column, and rows at all, below which that may be chance.
_ROWS_FOR_EACH, _FEWEST = 10, 50


def stand_in(numbers: np.ndarray) -> str | None:
    """What to say of a number that may stand for what is missing.

    Args:
        numbers: float, NaN where they are missing.

    Example:
        >>> stand_in(np.array([1.0, -999.0, 2.0, -999.0, 3.0, -999.0]))
        '-999 occurs 3 times, far from all others: does it stand for what is missing?'
    """
    distinct, counts = np.unique(numbers[np.isfinite(numbers)], return_counts=True)
    if len(distinct) < 3:
        return None
    lowest = (distinct[0], counts[0], distinct[1] - distinct[0], distinct[-1] - distinct[1])
    highest = (distinct[-1], counts[-1], distinct[-1] - distinct[-2], distinct[-2] - distinct[0])
    for number, count, distance, others in (lowest, highest):
        is_far = count >= _TIMES and distance > others
        if is_far and _STAND_IN.fullmatch(f"{float(number):.15g}"):
            return (
                f"{number:g} occurs {count:,} times, far from all others: does it stand for what "
                "is missing?"
            )
    return None


def several_units(texts: Sequence[str]) -> str | None:
    """What to say of numbers with several units, which are read as if they had one.

    Example:
        >>> several_units(["$5", "€5", "7"])
        'its values are in $ and €, and are read as if they were in one unit.'
        >>> several_units(["50%", "0.5"])
        '1 of its 2 values has %, and 50% is read as 50.'
    """
    found = [unit for unit in _CURRENCIES if any(unit in text for text in texts)]
    if len(found) > 1:
        units = f"{', '.join(found[:-1])} and {found[-1]}"
        return f"its values are in {units}, and are read as if they were in one unit."
    shares = sum("%" in text for text in texts)
    if 0 < shares < len(texts):
        has = "has" if shares == 1 else "have"
        return f"{shares:,} of its {len(texts):,} values {has} %, and 50% is read as 50."
    return None


def tells_target(
    values: np.ndarray, target: np.ndarray, name: str, target_name: str, is_number: bool
) -> list[str]:
    """What to say of a column that alone tells the target almost always.

    Args:
        values: A column of numbers or of categories, `(rows,)`.
        target: Numbers, or a whole number for each class, `(rows,)`.
        name: The name of the column.
        target_name: The name of the target.
        is_number: Whether the target is a number.
    """
    told = _tells_number(values, target) if is_number else _tells_class(values, target)
    if told is None:
        return []
    return [
        f"alone it tells {target_name!r}: {told}. If it is not known before {target_name!r} is, "
        f"leave it out: drop=[{name!r}] (--drop {name} on the command line)."
    ]


def repeats_target(
    values: Sequence[str | None], answers: Sequence[str | None], number: bool
) -> bool:
    """Whether each value stands for one answer and each answer for one value."""
    pairs = {pair for pair in zip(values, answers, strict=True) if pair[0] is not None}
    covered = sum(value is not None for value in values)
    if covered < 0.95 * len(values) or (not number and len(values) < 2 * len(set(answers))):
        return False
    one_to_one = len({v for v, _ in pairs}) == len({a for _, a in pairs}) == len(pairs)
    # Distinct values are one to one with distinct numbers by chance: they must be the same.
    return one_to_one and (not number or all(_same_number(v, a) for v, a in pairs))


def _same_number(first: str | None, second: str | None) -> bool:
    return number_of(first or "") == number_of(second or "") is not None


def _tells_number(values: np.ndarray, target: np.ndarray) -> str | None:
    if values.dtype.kind == "f":
        known = np.isfinite(values)
        x, y = values[known].astype(float), target[known].astype(float)
        if len(x) < _FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
            return None
        correlation = abs(float(np.corrcoef(x, y)[0, 1]))
        return f"its correlation is {correlation:.4f}" if correlation > _SAME_NUMBER else None
    groups = _groups(values)
    if groups is None:
        return None
    sums, squares = np.bincount(groups, target), np.bincount(groups, target**2)
    within = float((squares - sums**2 / np.bincount(groups)).sum())
    share = 1 - within / max(float(len(target) * target.var()), 1e-300)
    return f"its values explain {share:.2%} of it" if share > _SAME_NUMBER else None


def _tells_class(values: np.ndarray, target: np.ndarray) -> str | None:
    known = np.isfinite(values) if values.dtype.kind == "f" else np.full(len(values), True)
    values, target = values[known], target[known]
    sizes = np.bincount(target) if len(target) else np.zeros(1)
    always_wrong = len(target) - int(sizes.max())
    if len(values) < _FEWEST or always_wrong < _ROWS_FOR_EACH:
        return None
    groups = _groups(values)
    if groups is not None:
        counts = np.zeros((groups.max() + 1, len(sizes)))
        np.add.at(counts, (groups, target), 1)
        wrong = len(target) - float(counts.max(axis=1).sum())
    elif values.dtype.kind == "f":
        # In the order of the values, a row of another class than its neighbours makes two changes.
        in_order = target[np.argsort(values, kind="stable")]
        changes = int((np.diff(in_order) != 0).sum()) - (int((sizes > 0).sum()) - 1)
        wrong = max(0, changes) / 2
    else:
        return None
    if wrong > (1 - _SAME_CLASS) * len(target) or wrong > always_wrong / 10:
        return None
    return f"it is right for {1 - wrong / len(target):.1%} of the rows"


def _groups(values: np.ndarray) -> np.ndarray | None:
    """A number for each value; None if too few rows have each of them."""
    distinct, groups = np.unique(values.astype(str), return_inverse=True)
    many = len(distinct) > 1 and len(values) >= max(_FEWEST, _ROWS_FOR_EACH * len(distinct))
    return groups if many else None
