"""Warnings about columns: codes for missing values, mixed units, columns that reveal the target.

None of them is certain, so they become remarks, and no column is left out because of them.
"""

import re
from collections.abc import Sequence

import numpy as np

from lamina.data.loading.numbers import number_of

# Numbers such as -999, which many programs write for missing values.
_MISSING_VALUE_CODE = re.compile(r"-?9{2,}|-8{3,}")
# Such a code occurs this many times, and is farther from the other values than their range.
_MIN_OCCURRENCES = 3
_CURRENCIES = "$€£¥"
# A column reveals the target if its correlation with it is above the first number, or if its
# accuracy is above the second.
_MIN_CORRELATION, _MIN_ACCURACY = 0.995, 0.99
# With fewer rows for each value, or fewer rows in all, that may be chance.
_MIN_ROWS_PER_VALUE, _MIN_ROWS = 10, 50


def missing_value_code(numbers: np.ndarray) -> str | None:
    """A warning about a number that may be a code for missing values; None if there is none.

    Args:
        numbers: Array of floats; NaN for missing numbers.

    Example:
        >>> missing_value_code(np.array([1.0, -999.0, 2.0, -999.0, 3.0, -999.0]))
        '-999 occurs 3 times, far from all others: is it a code for missing values?'
    """
    distinct, counts = np.unique(numbers[np.isfinite(numbers)], return_counts=True)
    if len(distinct) < 3:
        return None
    lowest = (distinct[0], counts[0], distinct[1] - distinct[0], distinct[-1] - distinct[1])
    highest = (distinct[-1], counts[-1], distinct[-1] - distinct[-2], distinct[-2] - distinct[0])
    for number, count, distance, range_of_others in (lowest, highest):
        is_far = count >= _MIN_OCCURRENCES and distance > range_of_others
        if is_far and _MISSING_VALUE_CODE.fullmatch(f"{float(number):.15g}"):
            return (
                f"{number:g} occurs {count:,} times, far from all others: is it a code for missing "
                "values?"
            )
    return None


def mixed_units(texts: Sequence[str]) -> str | None:
    """A warning about numbers with several units, which are treated as one; None for one unit.

    Example:
        >>> mixed_units(["$5", "€5", "7"])
        'its values are in $ and €, and are read as if they were in one unit.'
        >>> mixed_units(["50%", "0.5"])
        '1 of its 2 values has %, and 50% is read as 50.'
    """
    currencies = [sign for sign in _CURRENCIES if any(sign in text for text in texts)]
    if len(currencies) > 1:
        units = f"{', '.join(currencies[:-1])} and {currencies[-1]}"
        return f"its values are in {units}, and are read as if they were in one unit."
    percentages = sum("%" in text for text in texts)
    if 0 < percentages < len(texts):
        has = "has" if percentages == 1 else "have"
        return f"{percentages:,} of its {len(texts):,} values {has} %, and 50% is read as 50."
    return None


def predicts_target(
    values: np.ndarray, target: np.ndarray, name: str, target_name: str, is_number: bool
) -> list[str]:
    """A warning about a column that alone predicts the target almost perfectly.

    Args:
        values: A column of numbers or of categories, `(rows,)`.
        target: Numbers, or class indices, `(rows,)`.
        name: The name of the column.
        target_name: The name of the target.
        is_number: Whether the target is a number.
    """
    evidence = _predicts_number(values, target) if is_number else _predicts_class(values, target)
    if evidence is None:
        return []
    return [
        f"alone it predicts {target_name!r}: {evidence}. If it is not known before {target_name!r} "
        f"is, leave it out: drop=[{name!r}] (--drop {name} on the command line)."
    ]


def repeats_target(
    values: Sequence[str | None], targets: Sequence[str | None], is_number: bool
) -> bool:
    """Whether the values of a column and the targets correspond one to one."""
    pairs = {pair for pair in zip(values, targets, strict=True) if pair[0] is not None}
    present = sum(value is not None for value in values)
    if present < 0.95 * len(values) or (not is_number and len(values) < 2 * len(set(targets))):
        return False
    one_to_one = len({v for v, _ in pairs}) == len({t for _, t in pairs}) == len(pairs)
    # Numbers without repetitions correspond one to one by chance, so they must be equal.
    return one_to_one and (not is_number or all(_same_number(v, t) for v, t in pairs))


def _same_number(first: str | None, second: str | None) -> bool:
    return number_of(first or "") == number_of(second or "") is not None


def _predicts_number(values: np.ndarray, target: np.ndarray) -> str | None:
    if values.dtype.kind == "f":
        present = np.isfinite(values)
        x, y = values[present].astype(float), target[present].astype(float)
        if len(x) < _MIN_ROWS or np.ptp(x) == 0 or np.ptp(y) == 0:
            return None
        correlation = abs(float(np.corrcoef(x, y)[0, 1]))
        return f"its correlation is {correlation:.4f}" if correlation > _MIN_CORRELATION else None
    groups = _value_indices(values)
    if groups is None:
        return None
    sums, squares = np.bincount(groups, target), np.bincount(groups, target**2)
    unexplained = float((squares - sums**2 / np.bincount(groups)).sum())
    explained = 1 - unexplained / max(float(len(target) * target.var()), 1e-300)
    if explained <= _MIN_CORRELATION:
        return None
    return f"its values explain {explained:.2%} of the variance"


def _predicts_class(values: np.ndarray, target: np.ndarray) -> str | None:
    present = np.isfinite(values) if values.dtype.kind == "f" else np.full(len(values), True)
    values, target = values[present], target[present]
    sizes = np.bincount(target) if len(target) else np.zeros(1)
    errors_of_guessing = len(target) - int(sizes.max())
    if len(values) < _MIN_ROWS or errors_of_guessing < _MIN_ROWS_PER_VALUE:
        return None
    groups = _value_indices(values)
    if groups is not None:
        counts = np.zeros((groups.max() + 1, len(sizes)))
        np.add.at(counts, (groups, target), 1)
        errors = len(target) - float(counts.max(axis=1).sum())
    elif values.dtype.kind == "f":
        # In the order of the values, a row whose class differs from its neighbours is two changes.
        in_order = target[np.argsort(values, kind="stable")]
        changes = int((np.diff(in_order) != 0).sum()) - (int((sizes > 0).sum()) - 1)
        errors = max(0, changes) / 2
    else:
        return None
    if errors > (1 - _MIN_ACCURACY) * len(target) or errors > errors_of_guessing / 10:
        return None
    return f"it is right for {1 - errors / len(target):.1%} of the rows"


def _value_indices(values: np.ndarray) -> np.ndarray | None:
    """The index of each value among the distinct values; None if there are too few rows."""
    distinct, groups = np.unique(values.astype(str), return_inverse=True)
    needed_rows = max(_MIN_ROWS, _MIN_ROWS_PER_VALUE * len(distinct))
    return groups if len(distinct) > 1 and len(values) >= needed_rows else None
