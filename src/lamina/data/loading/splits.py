"""Splits rows into training, validation and test parts."""

from typing import NamedTuple

import numpy as np

SPLIT_METHODS = ("stratified", "random", "tail", "group")


class Split(NamedTuple):
    """Which rows belong to which part.

    Args:
        method: How they were split: `"stratified"`, `"random"`, `"tail"`, `"group"`,
            `"by time, the last for test"` for a series, or `"as given"`
            if the user's folders define the split.
        train: Row numbers of the training part.
        val: Row numbers of the validation part.
        test: Row numbers of the test part.
    """

    method: str
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray

    def sizes(self) -> dict[str, int]:
        """How many rows each part has."""
        return {"train": len(self.train), "val": len(self.val), "test": len(self.test)}


def split_rows(
    rows: int,
    method: str,
    validation: float,
    test: float,
    seed: int = 0,
    labels: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> Split:
    """Split rows into three parts. The same arguments give the same parts everywhere.

    Args:
        rows: How many rows there are.
        method: `"random"`; `"stratified"`, random with the same frequencies of `labels` in every
            part; `"tail"`, the last rows for the test part and those before them for validation;
            `"group"`, random, but rows of a group stay in one part.
        validation: Fraction of the rows for validation, 0 for none.
        test: Fraction of the rows for the test part, 0 for none.
        seed: Seed of the random order.
        labels: Class indices, `(rows,)`; needed by `"stratified"`.
        groups: Group indices, `(rows,)`. Rows of a group, such as copies of one picture, stay in
            one part. `"tail"` does not use them.

    Example:
        >>> split = split_rows(10, "tail", validation=0.2, test=0.2)
        >>> split.train.tolist(), split.val.tolist(), split.test.tolist()
        ([0, 1, 2, 3, 4, 5], [6, 7], [8, 9])
    """
    if method == "tail":
        test_size, val_size = round(test * rows), round(validation * rows)
        order = np.arange(rows)
        stop = rows - test_size
        return Split(method, order[: stop - val_size], order[stop - val_size : stop], order[stop:])
    row_groups = _rows_by_group(np.arange(rows) if groups is None else groups)
    strata = np.zeros(rows, dtype=int) if labels is None or method != "stratified" else labels
    # Philox gives the same numbers on every platform.
    generator = np.random.Generator(np.random.Philox(seed))
    parts: dict[str, list[np.ndarray]] = {"train": [], "val": [], "test": []}
    by_stratum: dict[int, list[np.ndarray]] = {}
    for group in row_groups:
        by_stratum.setdefault(int(strata[group[0]]), []).append(group)
    capacities = _capacities({s: by_stratum[s] for s in sorted(by_stratum)}, rows, validation, test)
    for stratum, capacity in capacities.items():
        groups_of_stratum = by_stratum[stratum]
        for number in generator.permutation(len(groups_of_stratum)):
            group = groups_of_stratum[number]
            # A group goes to a part that has room for all of its rows.
            part = next((name for name in capacity if len(group) <= capacity[name]), "train")
            if part != "train":
                capacity[part] -= len(group)
            parts[part].append(group)
    train, val, test_rows = (
        np.sort(np.concatenate(rows_of_part)) if rows_of_part else np.arange(0)
        for rows_of_part in parts.values()
    )
    return Split(method, train, val, test_rows)


def _capacities(
    by_stratum: dict[int, list[np.ndarray]], rows: int, validation: float, test: float
) -> dict[int, dict[str, int]]:
    """How many rows of each class (a stratum) go to the test and validation parts.

    The counts are rounded, which may leave rare classes out of a part. If a part then has too few
    rows, one row each is added from such classes, the largest first, as long as one row is left to
    train on.
    """
    sizes = {s: sum(map(len, row_groups)) for s, row_groups in by_stratum.items()}
    capacities = {
        s: {"test": round(test * size), "val": round(validation * size)}
        for s, size in sizes.items()
    }
    for part, fraction in (("test", test), ("val", validation)):
        missing = round(fraction * rows) - sum(capacity[part] for capacity in capacities.values())
        absent = [s for s, capacity in capacities.items() if not capacity[part] and fraction]
        for stratum in sorted(absent, key=lambda s: -sizes[s])[: max(0, missing)]:
            if sizes[stratum] - sum(capacities[stratum].values()) > 1:
                capacities[stratum][part] = 1
    return capacities


def _rows_by_group(groups: np.ndarray) -> list[np.ndarray]:
    """The row indices of each group, in the order of their first rows."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=groups[order][:1] - 1))
    row_groups = np.split(order, starts[1:])
    return sorted(row_groups, key=lambda group: int(group[0])) if len(order) else []
