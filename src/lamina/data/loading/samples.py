"""Samples of any kind, as read from their files, and their split into parts."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.contract import Contract, ImageInput
from lamina.contract.measure import measure_target
from lamina.data.loading.description import Description, LeftOut
from lamina.data.loading.drawings import detect_drawing
from lamina.data.loading.duplicates import Copies
from lamina.data.loading.loaded import LoadedData, make_part
from lamina.data.loading.options import Options
from lamina.data.loading.splits import Split, split_rows


@dataclass
class Samples:
    """All samples of a source, before they are split.

    Args:
        kind: `"images"`, `"table"`, `"text"` or `"series"`.
        title: A description of the samples, in one line.
        x: Inputs: an array, or a dict of arrays.
        target: Name of the target.
        labels: For classes, the class name of every sample; None for a number.
        values: For a number, the target of every sample, float32; None for classes.
        names: A name for every sample.
        left_out: What could not be used.
        remarks: Further remarks for the user.
        copies: Which samples are copies of each other; None if that was not examined.
        same_rows: For a table, a group index for every row, equal for rows with equal values.
        parts: `"train"`, `"val"` or `"test"` for every sample; None if folders do not say it.
        groups: A group index for every sample; samples of a group stay in one part.
        columns: Input columns of a table.
        column_lines: Lines of `describe` about the columns.
    """

    kind: str
    title: str
    x: Any
    target: str
    labels: list[str] | None
    values: np.ndarray | None
    names: list[str]
    left_out: list[LeftOut]
    remarks: list[str]
    copies: Copies | None = None
    same_rows: np.ndarray | None = None
    parts: list[str] | None = None
    groups: np.ndarray | None = None
    columns: tuple[Any, ...] = ()
    column_lines: tuple[str, ...] = ()


def split_samples(samples: Samples, options: Options) -> LoadedData:
    """Split samples into parts, and describe them.

    Raises:
        ValueError: If there is only one class, or no training sample.
    """
    class_names, y = _encode_targets(samples)
    split = _choose_split(samples, y if class_names else None, options)
    copies = samples.copies
    leaks: list[tuple[int, int]] = []
    if copies is not None:
        leaks = copies.between(split.train, split.val) + copies.between(split.train, split.test)
    counts = np.bincount(y, minlength=len(class_names)).tolist() if class_names else []
    remarks = list(samples.remarks)
    for name, rows in zip(("train", "val", "test"), split[1:], strict=True):
        fraction = {"train": 1.0, "val": options.validation, "test": options.test}[name]
        if not len(rows) and fraction:
            remarks.append(
                f"The {name} part has no samples: there are too few samples, or too few groups."
            )
    if not len(split.train):
        raise ValueError(
            f"No sample is left to train on: validation={options.validation} and "
            f"test={options.test} take all {len(samples.names):,}.\n"
            "  Fix: validation=0.15, test=0.15."
        )
    if class_names and split.test.size:
        absent = sorted(set(range(len(class_names))) - set(y[split.train].tolist()))
        if absent:
            listed = ", ".join(repr(class_names[i]) for i in absent[:5])
            remarks.append(f"No training sample is of the class {listed}.")
        rare = [class_names[i] for i, count in enumerate(counts) if 0 < count < 3]
        if rare:
            listed = ", ".join(map(repr, rare[:5]))
            remarks.append(f"Too few samples to be both trained and tested on: class {listed}.")
    if copies is not None and class_names:
        contradictory = [(a, b) for a, b in copies.pairs if y[a] != y[b]]
        if contradictory:
            a, b = (samples.names[i] for i in contradictory[0])
            remarks.append(
                f"{len(contradictory):,} copies are of another class than the original, e.g. {a} "
                f"and {b}."
            )
    if samples.same_rows is not None:
        remarks += _remarks_on_repeated_rows(samples.same_rows, split)
    if class_names:
        remarks += _remarks_on_similar_names(class_names)
    description = Description(
        title=samples.title,
        parts=split.sizes(),
        split=split.method,
        classes=dict(zip(class_names or [], counts, strict=True)),
        columns=list(samples.column_lines),
        left_out=samples.left_out,
        duplicates=[(samples.names[a], samples.names[b]) for a, b in copies.pairs]
        if copies
        else [],
        leaks=[(samples.names[a], samples.names[b]) for a, b in leaks],
        remarks=remarks,
    )
    contract = _make_contract(samples, class_names, split)
    return make_loaded_data(samples.x, y, samples.names, split, options, contract, description)


def _remarks_on_repeated_rows(same_rows: np.ndarray, split: Split) -> list[str]:
    """Remarks on rows that occur more than once, especially in different parts."""
    repeated = len(same_rows) - len(np.unique(same_rows))
    if not repeated:
        return []
    held_out = np.concatenate([split.val, split.test])
    leaks = int(np.isin(same_rows[held_out], same_rows[split.train]).sum())
    line = f"{repeated:,} rows repeat another row"
    if not leaks:
        return [f"{line}."]
    return [
        f"{line}; {leaks:,} of the {len(held_out):,} of val and test are in train as well. If they "
        "are one thing recorded twice, results are too good: frame.drop_duplicates() before load."
    ]


def _remarks_on_similar_names(class_names: list[str]) -> list[str]:
    """Remarks on class names that differ only in capitals or spaces."""
    by_normalized_name: dict[str, list[str]] = {}
    for name in class_names:
        by_normalized_name.setdefault("".join(name.casefold().split()), []).append(name)
    similar = [names for names in by_normalized_name.values() if len(names) > 1]
    if not similar:
        return []
    shown = ", ".join(map(repr, similar[0][:4]))
    return [
        f"Classes {shown} differ in capitals or spaces alone, and count as different ones. If they "
        "are one class, give it one name."
    ]


def make_loaded_data(
    x: Any,
    y: np.ndarray,
    names: list[str],
    split: Split,
    options: Options,
    contract: Contract,
    description: Description,
) -> LoadedData:
    """Make a LoadedData with the three parts of a split."""
    class_names = None if contract.class_names is None else list(contract.class_names)
    train, val, test = (
        make_part(
            x,
            y,
            names,
            rows,
            batch_size=options.batch_size,
            shuffle=shuffle,
            seed=options.seed,
            class_names=class_names,
            contract=contract,
        )
        for rows, shuffle in ((split.train, True), (split.val, False), (split.test, False))
    )
    target = contract.target or ""
    return LoadedData(
        contract.kind, target, train, val, test, class_names, contract.columns, description
    )


def _make_contract(samples: Samples, class_names: list[str] | None, split: Split) -> Contract:
    """The contract of a model that is trained on these samples."""
    image = target_range = None
    if samples.kind == "images":
        height, width, channels = map(int, samples.x.shape[1:])
        sample = split.train[:: max(1, len(split.train) // 500)]  # there may be millions
        image = ImageInput(height, width, channels, detect_drawing(samples.x[sample]))
    if samples.values is not None and split.train.size:
        target_range = measure_target(samples.values[split.train])
    return Contract(
        kind=samples.kind,
        columns=samples.columns,
        image=image,
        target=samples.target,
        class_names=None if class_names is None else tuple(class_names),
        target_range=target_range,
        split=split.method,
    )


def _encode_targets(samples: Samples) -> tuple[list[str] | None, np.ndarray]:
    if samples.labels is None:
        assert samples.values is not None
        return None, samples.values
    names, y = np.unique(np.array(samples.labels, dtype=object).astype(str), return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            f"All {len(y):,} samples are of one class, {str(names[0])!r}: there is nothing to "
            "distinguish.\n  Expected: samples of at least two classes."
        )
    sorted_names = sorted(names.tolist(), key=_sort_key)
    index_of = {name: i for i, name in enumerate(sorted_names)}
    return sorted_names, np.array([index_of[names[i]] for i in y], dtype="int32")


def _sort_key(name: str) -> tuple[float, str]:
    """Sorts class names that are numbers by value: 2 before 10."""
    try:
        return float(name), name
    except ValueError:
        return np.inf, name


def _choose_split(samples: Samples, labels: np.ndarray | None, options: Options) -> Split:
    rows = len(samples.names)
    method = options.split or ("stratified" if labels is not None else "random")
    if method == "stratified" and labels is None:
        raise ValueError(
            "split='stratified' keeps the class frequencies, but the target is a number.\n"
            "  Fix: split='random'."
        )
    groups = samples.groups
    if groups is None and samples.copies is not None:
        groups = samples.copies.groups
    if samples.parts is None:
        return split_rows(
            rows, method, options.validation, options.test, options.seed, labels, groups
        )
    parts = np.array(samples.parts)
    train, val, test = (np.flatnonzero(parts == part) for part in ("train", "val", "test"))
    description = "as given"
    for part, fraction in (("test", options.test), ("val", options.validation)):
        if (test if part == "test" else val).size or not fraction:
            continue
        # The missing part is split off the training part.
        split = split_rows(
            len(train),
            method,
            fraction,
            0,
            options.seed,
            None if labels is None else labels[train],
            None if groups is None else groups[train],
        )
        if part == "test":
            test, train = train[split.val], train[split.train]
        else:
            val, train = train[split.val], train[split.train]
        description += f", {part} taken from train"
    return Split(description, train, val, test)
