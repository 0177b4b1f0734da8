"""From samples to parts: what all kinds of data share once their files are read."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lamina.contract import Contract, ImageInput
from lamina.contract.measure import measured_target
from lamina.data.loading.description import Description, LeftOut
from lamina.data.loading.drawings import drawing_of
from lamina.data.loading.duplicates import Copies
from lamina.data.loading.loaded import LoadedData, part_of
from lamina.data.loading.options import Options
from lamina.data.loading.splits import Split, split_rows


@dataclass
class Samples:
    """Samples that were read, before they are split.

    Args:
        kind: `"images"`, `"table"`, `"text"` or `"series"`.
        title: What they are, in a line.
        x: Inputs: an array, or a dict of arrays.
        target: What the target is called.
        labels: For classes, the name of the class of every sample; None for a number.
        values: For a number, the target of every sample, float32.
        names: What each sample is called.
        copies: Which samples are copies of each other, if that was looked for.
        same_rows: Of a table, a number for every row, equal for rows with the same values, which
            may be by chance.
        parts: `"train"`, `"val"` or `"test"` for every sample, where the user's folders say it.
        groups: A number for every sample, of those that must stay together.
        columns: Input columns of a table.
        column_lines: What `describe` says of the columns.
        left_out: What could not be used.
        remarks: What else the user should know.
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


def assemble(samples: Samples, options: Options) -> LoadedData:
    """Split samples and describe them.

    Raises:
        ValueError: If there is one class alone.
    """
    class_names, y = _targets(samples)
    split = _split(samples, y if class_names else None, options)
    copies = samples.copies
    leaks: list[tuple[int, int]] = []
    if copies is not None:
        leaks = copies.between(split.train, split.val) + copies.between(split.train, split.test)
    counts = np.bincount(y, minlength=len(class_names)).tolist() if class_names else []
    remarks = list(samples.remarks)
    for name, rows in zip(("train", "val", "test"), split[1:], strict=True):
        wanted = {"train": 1.0, "val": options.validation, "test": options.test}[name]
        if not len(rows) and wanted:
            remarks.append(f"The {name} part has no sample: there are too few, or too few groups.")
    if not len(split.train):
        raise ValueError(
            f"No sample is left to train on: validation={options.validation} and "
            f"test={options.test} take all {len(samples.names):,}.\n"
            "  Fix: validation=0.15, test=0.15."
        )
    if class_names and split.test.size:
        absent = sorted(set(range(len(class_names))) - set(y[split.train].tolist()))
        if absent:
            few = ", ".join(repr(class_names[i]) for i in absent[:5])
            remarks.append(f"No training sample is of the class {few}.")
        rare = [class_names[i] for i, count in enumerate(counts) if 0 < count < 3]
        if rare:
            few = ", ".join(map(repr, rare[:5]))
            remarks.append(f"Too few samples to be both trained and tested on: class {few}.")
    if copies is not None and class_names:
        torn = [(a, b) for a, b in copies.pairs if y[a] != y[b]]
        if torn:
            a, b = (samples.names[i] for i in torn[0])
            remarks.append(
                f"{len(torn):,} copies are of another class than the original, e.g. {a} and {b}."
            )
    if samples.same_rows is not None:
        remarks += _repeated(samples.same_rows, split)
    if class_names:
        remarks += _alike(class_names)
    description = Description(
        title=samples.title,
        parts=split.sizes(),
        split=split.how,
        classes=dict(zip(class_names or [], counts, strict=True)),
        columns=list(samples.column_lines),
        left_out=samples.left_out,
        duplicates=[(samples.names[a], samples.names[b]) for a, b in copies.pairs]
        if copies
        else [],
        leaks=[(samples.names[a], samples.names[b]) for a, b in leaks],
        remarks=remarks,
    )
    contract = _contract(samples, class_names, split)
    return loaded_data_of(samples.x, y, samples.names, split, options, contract, description)


def _repeated(same_rows: np.ndarray, split: Split) -> list[str]:
    """What to say of rows that occur more than once, above all in different parts."""
    repeated = len(same_rows) - len(np.unique(same_rows))
    if not repeated:
        return []
    held_out = np.concatenate([split.val, split.test])
    torn = int(np.isin(same_rows[held_out], same_rows[split.train]).sum())
    line = f"{repeated:,} rows repeat another row"
    if not torn:
        return [f"{line}."]
    return [
        f"{line}; {torn:,} of the {len(held_out):,} of val and test are in train as well. If they "
        "are one thing recorded twice, results are too good: frame.drop_duplicates() before load."
    ]


def _alike(class_names: list[str]) -> list[str]:
    """What to say of names of classes that differ in capitals or spaces alone."""
    by_form: dict[str, list[str]] = {}
    for name in class_names:
        by_form.setdefault("".join(name.casefold().split()), []).append(name)
    alike = [names for names in by_form.values() if len(names) > 1]
    if not alike:
        return []
    shown = ", ".join(map(repr, alike[0][:4]))
    return [
        f"Classes {shown} differ in capitals or spaces alone, and count as different ones. If they "
        "are one class, give it one name."
    ]


def loaded_data_of(
    x: Any,
    y: np.ndarray,
    names: list[str],
    split: Split,
    options: Options,
    contract: Contract,
    description: Description,
) -> LoadedData:
    """LoadedData with the three parts of a split."""
    class_names = None if contract.class_names is None else list(contract.class_names)
    train, val, test = (
        part_of(
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


def _contract(samples: Samples, class_names: list[str] | None, split: Split) -> Contract:
    """What a model that is trained on these samples has to remember of them."""
    image = target_range = None
    if samples.kind == "images":
        height, width, channels = map(int, samples.x.shape[1:])
        some = split.train[:: max(1, len(split.train) // 500)]  # the pictures may fill a disk
        image = ImageInput(height, width, channels, drawing_of(samples.x[some]))
    if samples.values is not None and split.train.size:
        target_range = measured_target(samples.values[split.train])
    return Contract(
        kind=samples.kind,
        columns=samples.columns,
        image=image,
        target=samples.target,
        class_names=None if class_names is None else tuple(class_names),
        target_range=target_range,
        split=split.how,
    )


def _targets(samples: Samples) -> tuple[list[str] | None, np.ndarray]:
    if samples.labels is None:
        assert samples.values is not None
        return None, samples.values
    names, y = np.unique(np.array(samples.labels, dtype=object).astype(str), return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            f"All {len(y):,} samples are of one class, {str(names[0])!r}: there is nothing to tell "
            "apart.\n  Expected: samples of two classes at least."
        )
    ordered = sorted(names.tolist(), key=_as_number_or_text)
    place = {name: i for i, name in enumerate(ordered)}
    return ordered, np.array([place[names[i]] for i in y], dtype="int32")


def _as_number_or_text(name: str) -> tuple[float, str]:
    """Classes that are numbers come in the order of the numbers: 2 before 10."""
    try:
        return float(name), name
    except ValueError:
        return np.inf, name


def _split(samples: Samples, labels: np.ndarray | None, options: Options) -> Split:
    rows = len(samples.names)
    how = options.split or ("stratified" if labels is not None else "random")
    if how == "stratified" and labels is None:
        raise ValueError(
            "split='stratified' keeps the mix of classes, and the target is a number.\n"
            "  Fix: split='random'."
        )
    together = samples.groups
    if together is None and samples.copies is not None:
        together = samples.copies.groups
    if samples.parts is None:
        return split_rows(
            rows, how, options.validation, options.test, options.seed, labels, together
        )
    given = np.array(samples.parts)
    train, val, test = (np.flatnonzero(given == part) for part in ("train", "val", "test"))
    said = "as given"
    for wanted, fraction in (("test", options.test), ("val", options.validation)):
        if (test if wanted == "test" else val).size or not fraction:
            continue
        of = split_rows(
            len(train),
            how,
            fraction,
            0,
            options.seed,
            None if labels is None else labels[train],
            None if together is None else together[train],
        )
        if wanted == "test":
            test, train = train[of.val], train[of.train]
        else:
            val, train = train[of.val], train[of.train]
        said += f", {wanted} taken from train"
    return Split(said, train, val, test)
