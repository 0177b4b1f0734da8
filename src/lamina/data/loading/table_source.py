"""Tables: which column is predicted, what the others hold, which of them are of no use."""

from typing import Any

import numpy as np

from lamina.core.messages.errors import did_you_mean
from lamina.data.loading.assembly import Samples
from lamina.data.loading.columns import (
    Column,
    Unusable,
    as_texts,
    guess_column,
    has_decimal_comma,
    inputs_of,
    number_of,
    numbers_of,
    odd_value,
)
from lamina.data.loading.dates import order_of
from lamina.data.loading.description import LeftOut
from lamina.data.loading.duplicates import copies_of_values
from lamina.data.loading.options import Options
from lamina.data.loading.table_files import Table
from lamina.data.loading.text_source import as_text_inputs

# A target of so many different whole numbers, or fewer, is taken for classes.
_MOST_CLASSES = 10
_SHOWN = 12


def read_samples(table: Table, name: str, options: Options) -> Samples:
    """The samples of a table.

    Raises:
        ValueError: If the target is not there, has no values or one value alone, or if no column is
            of use.
    """
    frame, remarks = table.frame, list(table.remarks)
    if not table.has_header:
        frame = _with_names(frame, options, remarks)
    target = find_target(frame, options, name)
    left_out = list(table.left_out)
    odd = odd_value(frame[target])
    if odd is not None:
        raise ValueError(
            f"Column {target!r}, the target, has {odd} in it, and not one number or text a row.\n"
            "  Fix: a column for each of its values, and one of them as the target."
        )
    known = [text is not None for text in as_texts(frame[target])]
    if not any(known):
        raise ValueError(f"Column {target!r}, the target, has no values in {name}.")
    if not all(known):
        left_out.append(LeftOut(f"{known.count(False):,} rows", f"have no {target}"))
        frame = frame[np.array(known)]
    lines = (np.flatnonzero(known) + 1).tolist()
    texts = [text for text in as_texts(frame[target]) if text is not None]
    distinct = set(texts)
    if len(distinct) == 1:
        raise ValueError(
            f"Column {target!r}, the target, has one value alone, {texts[0]!r}: there is nothing "
            "to learn."
        )
    read = numbers_of(texts, has_decimal_comma(texts))
    is_number, why = _is_number(read, distinct, options.task)
    remarks.append(f"The target {target!r} is {'a number' if is_number else 'a class'}: {why}.")
    names = [f"row {line}" for line in lines]
    labels = None if is_number else texts
    values = None
    if is_number:
        if not any(number is not None for number in read):
            raise ValueError(
                f"Column {target!r}, the target, has no numbers, e.g. {texts[0]!r}.\n"
                "  Fix: leave task='number' out."
            )
        if None in read:
            rows = np.array([number is not None for number in read])
            left_out.append(
                LeftOut(f"{(~rows).sum():,} rows", f"have a {target} that is no number")
            )
            frame, read = frame[rows], [number for number in read if number is not None]
            names = [name for name, kept in zip(names, rows, strict=True) if kept]
        values = np.array(read, dtype="float32")
    shared: dict[str, Any] = {
        "target": target,
        "labels": labels,
        "values": values,
        "names": names,
        "left_out": left_out,
        "remarks": remarks,
        "groups": _groups(frame, options),
    }
    kind = "numbers" if is_number else f"{len(distinct):,} classes"
    if options.text is not None:
        return _texts(frame, options.text, target, kind, name, shared)
    return _columns(frame, target, kind, options, shared)


def find_target(frame: Any, options: Options, name: str) -> str:
    """The column to predict.

    Raises:
        ValueError: If none is named, or there is none of that name.
    """
    there = list(map(str, frame.columns))
    shown = ", ".join(there[:_SHOWN]) + (", …" if len(there) > _SHOWN else "")
    if options.target is None:
        raise ValueError(
            f"Which column of {name} is to be predicted? It has {shown}.\n"
            f"  Fix: target={there[-1]!r}, or --target {there[-1]} on the command line."
        )
    for wanted in options.named_columns():
        if wanted not in there:
            raise ValueError(
                f"{name} has no column {wanted!r}.{did_you_mean(wanted, there)}\n"
                f"  Its columns: {shown}."
            )
    return options.target


def _texts(
    frame: Any, column: str, target: str, kind: str, name: str, shared: dict[str, Any]
) -> Samples:
    read = as_texts(frame[column])
    there = np.array([text is not None for text in read])
    if not there.any():
        raise ValueError(f"Column {column!r} has no texts in {name}.")
    if not there.all():
        shared["left_out"].append(LeftOut(f"{(~there).sum():,} rows", f"have no {column}"))
        for key in ("labels", "names"):
            if shared[key] is not None:
                kept = zip(shared[key], there, strict=True)
                shared[key] = [value for value, is_there in kept if is_there]
        for key in ("values", "groups"):
            shared[key] = None if shared[key] is None else shared[key][there]
    texts = [text for text in read if text is not None]
    others = [n for n in map(str, frame.columns) if n not in (column, target)]
    shared["left_out"] += [LeftOut(f"column {n}", "is not the text") for n in others]
    x, remarks = as_text_inputs(texts)
    shared["remarks"] += remarks
    return Samples(
        kind="text",
        title=f"{len(texts):,} texts, {target}: {kind}",
        x=x,
        copies=copies_of_values(texts),
        column_lines=(f"{column}: text", f"{target}: the target"),
        columns=(Column(column, "text", "as you said"),),
        **shared,
    )


def _columns(
    frame: Any, target: str, kind: str, options: Options, shared: dict[str, Any]
) -> Samples:
    chosen = options.columns or [n for n in map(str, frame.columns) if n != target]
    columns: list[Column] = []
    lines = [f"{target}: the target, {kind}"]
    answers = as_texts(frame[target])
    kinds = dict(options.kinds or {})
    for name in chosen:
        if name in (target, options.group):
            continue
        found: Column | Unusable = guess_column(
            name,
            frame[name],
            kinds.get(name, "date" if name == options.time else None),
            chosen=options.columns is not None,
            day_first=options.day_first,
        )
        if (
            isinstance(found, Column)
            and options.columns is None
            and _repeats(as_texts(frame[name]), answers, number=shared["labels"] is None)
        ):
            found = Unusable(name, "says the target in other words, so a model would learn nothing")
        if isinstance(found, Unusable):
            shared["left_out"].append(LeftOut(f"column {name}", found.why))
            continue
        columns.append(found)
        lines.append(str(found))
        if found.kind == "date":
            shared["remarks"] += assumed_order(name, frame[name], options)
    if not columns:
        why = "; ".join(str(out) for out in shared["left_out"])
        raise ValueError(f"No column is left to predict {target!r} from: {why}.")
    inputs, _ = inputs_of(columns, {str(n): frame[n] for n in frame.columns})
    count = len(shared["names"])
    repeated = int(frame[[target, *(column.name for column in columns)]].duplicated().sum())
    if repeated:
        shared["remarks"].append(f"{repeated:,} rows repeat another row.")
    return Samples(
        kind="table",
        title=f"{count:,} rows of {len(columns)} columns, {target}: {kind}",
        x=inputs,
        columns=tuple(columns),
        column_lines=tuple(lines),
        **shared,
    )


def assumed_order(name: str, values: Any, options: Options) -> list[str]:
    """What the user has to know of a column of dates whose order nothing tells."""
    texts = [text for text in as_texts(values) if text is not None]
    order = order_of(texts, options.day_first)
    return [f"Column {name!r}: {order.why}."] if order.assumed else []


def _is_number(
    numbers: list[float | None], distinct: set[str], task: str | None
) -> tuple[bool, str]:
    """Whether a target is a number rather than a class, and why."""
    if task is not None:
        return task == "number", "as you said"
    readable = sum(number is not None for number in numbers)
    if readable < 0.95 * len(numbers) or distinct <= {"True", "False"}:
        return False, f"{len(distinct):,} different values"
    if any(number is not None and number != int(number) for number in numbers):
        return True, "its values have fractions"
    if len(distinct) > _MOST_CLASSES:
        return True, f"{len(distinct):,} different whole numbers"
    return False, f"{len(distinct):,} different whole numbers; task='number' predicts an amount"


def _repeats(values: list[str | None], answers: list[str | None], number: bool) -> bool:
    """Whether each value stands for one answer and each answer for one value."""
    pairs = {pair for pair in zip(values, answers, strict=True) if pair[0] is not None}
    covered = sum(value is not None for value in values)
    if covered < 0.95 * len(values):
        return False
    one_to_one = len({v for v, _ in pairs}) == len({a for _, a in pairs}) == len(pairs)
    # Distinct values are one to one with distinct numbers by chance: they must be the same.
    return one_to_one and (not number or all(_same_number(v, a) for v, a in pairs))


def _same_number(first: str | None, second: str | None) -> bool:
    return number_of(first or "") == number_of(second or "") is not None


def _groups(frame: Any, options: Options) -> np.ndarray | None:
    if options.group is None:
        return None
    place: dict[str | None, int] = {}
    texts = as_texts(frame[options.group])
    # Rows without a value are groups of their own.
    return np.array(
        [
            len(texts) + i if text is None else place.setdefault(text, len(place))
            for i, text in enumerate(texts)
        ]
    )


def _with_names(frame: Any, options: Options, remarks: list[str]) -> Any:
    """A table without a header; of two columns the text is told from the target by its length."""
    if options.text is None or options.target is None or len(frame.columns) != 2:
        return frame
    lengths = [
        np.mean([len(text or "") for text in as_texts(frame[name])]) for name in frame.columns
    ]
    names = [options.target, options.text]
    if lengths[0] > lengths[1]:
        names.reverse()
    if {options.target, options.text} <= set(map(str, frame.columns)):
        return frame
    remarks.append(f"Its columns were taken for {names[0]!r} and {names[1]!r}.")
    return frame.set_axis(names, axis=1)
