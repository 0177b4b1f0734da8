"""Splits rows into training, validation and test parts."""

from typing import NamedTuple

import numpy as np

SPLIT_METHODS = ("stratified", "random", "tail", "group")


class Split(NamedTuple):
    """Which rows belong to which part.

    Args:
        how: How they were split: `"stratified"`, `"random"`, `"tail"`, `"group"`,
            `"by time, the last for test"` for a series, or `"as given"`
            if the user's folders define the split.
        train: Row numbers of the training part.
        val: Row numbers of the validation part.
        test: Row numbers of the test part.
    """

    how: str
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray

    def sizes(self) -> dict[str, int]:
        """How many rows each part has."""
        return {"train": len(self.train), "val": len(self.val), "test": len(self.test)}


def split_rows(
    rows: int,
    how: str,
    validation: float,
    test: float,
    seed: int = 0,
    labels: np.ndarray | None = None,
    together: np.ndarray | None = None,
) -> Split:
    """Split rows into three parts. The same arguments give the same parts everywhere.

    Args:
        rows: How many rows there are.
        how: `"random"`; `"stratified"`, random with the same mix of `labels` in every part;
            `"tail"`, the last rows for the test part and those before them for validation;
            `"group"`, random; rows with the same number in `together` stay in one part.
        validation: Fraction of the rows for validation, 0 for none.
        test: Fraction of the rows for the test part, 0 for none.
        seed: For the random order.
        labels: A whole number for every row, `(rows,)`; needed by `"stratified"`.
        together: A whole number for every row, `(rows,)`. Rows with the same number in
            `together`, such as copies of one picture, stay in one part. `"tail"` does not use it.

    Example:
        >>> split = split_rows(10, "tail", validation=0.2, test=0.2)
        >>> split.train.tolist(), split.val.tolist(), split.test.tolist()
        ([0, 1, 2, 3, 4, 5], [6, 7], [8, 9])
    """
    if how == "tail":
        wanted_test, wanted_val = round(test * rows), round(validation * rows)
        order = np.arange(rows)
        stop = rows - wanted_test
        return Split(how, order[: stop - wanted_val], order[stop - wanted_val : stop], order[stop:])
    units = _units(np.arange(rows) if together is None else together)
    strata = np.zeros(rows, dtype=int) if labels is None or how != "stratified" else labels
    # Philox gives the same numbers on every platform.
    generator = np.random.Generator(np.random.Philox(seed))
    parts: dict[str, list[np.ndarray]] = {"train": [], "val": [], "test": []}
    by_stratum: dict[int, list[np.ndarray]] = {}
    for unit in units:
        by_stratum.setdefault(int(strata[unit[0]]), []).append(unit)
    capacities = _capacities({s: by_stratum[s] for s in sorted(by_stratum)}, rows, validation, test)
    for stratum, capacity in capacities.items():
        inside = by_stratum[stratum]
        for number in generator.permutation(len(inside)):
            unit = inside[number]
            # Rows that stay together go where all of them fit.
            part = next((name for name in capacity if len(unit) <= capacity[name]), "train")
            if part != "train":
                capacity[part] -= len(unit)
            parts[part].append(unit)
    train, val, test_rows = (
        np.sort(np.concatenate(rows_of_part)) if rows_of_part else np.arange(0)
        for rows_of_part in parts.values()
    )
    return Split(how, train, val, test_rows)


def _capacities(
    by_stratum: dict[int, list[np.ndarray]], rows: int, validation: float, test: float
) -> dict[int, dict[str, int]]:
    """How many rows of each class go to the test and validation parts.

    A few rows of each class would round to none, so rows still missing from a part are taken from
    classes with none in it, largest first, as long as one row is left to train on.
    """
    sizes = {s: sum(map(len, units)) for s, units in by_stratum.items()}
    capacities = {
        s: {"test": round(test * size), "val": round(validation * size)}
        for s, size in sizes.items()
    }
    for part, fraction in (("test", test), ("val", validation)):
        lacking = round(fraction * rows) - sum(capacity[part] for capacity in capacities.values())
        without = [s for s, capacity in capacities.items() if not capacity[part] and fraction]
        for stratum in sorted(without, key=lambda s: -sizes[s])[: max(0, lacking)]:
            if sizes[stratum] - sum(capacities[stratum].values()) > 1:
                capacities[stratum][part] = 1
    return capacities


def _units(together: np.ndarray) -> list[np.ndarray]:
    """The rows that share a number, as one array each, in the order of their first rows."""
    order = np.argsort(together, kind="stable")
    starts = np.flatnonzero(np.diff(together[order], prepend=together[order][:1] - 1))
    units = np.split(order, starts[1:])
    return sorted(units, key=lambda unit: int(unit[0])) if len(order) else []
