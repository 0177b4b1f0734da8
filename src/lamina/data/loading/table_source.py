"""Tables: which column is predicted, what the others hold, which of them are of no use."""

from typing import Any

import numpy as np

from lamina.core.messages.errors import did_you_mean
from lamina.data.loading.assembly import Samples
from lamina.data.loading.cells import as_texts, numbers_of, odd_value, strings_in
from lamina.data.loading.columns import Column, Unusable, guess_column, inputs_of
from lamina.data.loading.dates import day_month_order
from lamina.data.loading.decimal_marks import DecimalMarks, decimal_marks, has_decimal_comma
from lamina.data.loading.description import LeftOut
from lamina.data.loading.doubts import repeats_target, several_units, stand_in, tells_target
from lamina.data.loading.duplicates import copies_of_values
from lamina.data.loading.numbers import mostly_numbers
from lamina.data.loading.options import Options
from lamina.data.loading.table_files import Table
from lamina.data.loading.text_source import as_text_inputs

# A target of so many different whole numbers, or fewer, is taken for classes.
_MOST_CLASSES = 10
# Texts as a target are not classes if more than this share of them are different.
_MOST_DISTINCT, _FEWEST = 0.9, 20
_SHOWN = 12


def read_samples(table: Table, name: str, options: Options) -> Samples:
    """The samples of a table.

    Raises:
        ValueError: If the target is missing, has no values or a single value, or if no column is
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
            f"Column {target!r}, the target, has a single value, {texts[0]!r}: there is nothing "
            "to learn."
        )
    marks = decimal_marks(frame, options.decimal_comma, table.separator)
    comma = has_decimal_comma(strings_in(frame[target]), marks.comma_for(target))
    read = numbers_of(frame[target], comma)
    is_number, why = _is_number(texts, read, distinct, options.task)
    remarks.append(f"The target {target!r} is {'a number' if is_number else 'a class'}: {why}.")
    remarks += marks.remarks_on(target) if is_number else []
    names = [f"row {line}" for line in lines]
    labels = None if is_number else texts
    if labels and len(labels) > _FEWEST and len(distinct) > _MOST_DISTINCT * len(labels):
        raise ValueError(
            f"Column {target!r}, the target, has another value in nearly every row, e.g. "
            f"{texts[0]!r} and {texts[1]!r}: there is no class to learn.\n"
            "  Fix: another target."
        )
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
                LeftOut(f"{(~rows).sum():,} rows", f"have a {target} that is not a number")
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
    return _columns(frame, target, kind, options, marks, shared)


def find_target(frame: Any, options: Options, name: str) -> str:
    """The column to predict.

    Raises:
        ValueError: If none is named, or the name is unknown.
    """
    columns = list(map(str, frame.columns))
    shown = ", ".join(columns[:_SHOWN]) + (", …" if len(columns) > _SHOWN else "")
    if options.target is None:
        raise ValueError(
            f"Which column of {name} is to be predicted? It has {shown}.\n"
            f"  Fix: target={columns[-1]!r}, or --target {columns[-1]} on the command line."
        )
    for wanted in options.named_columns():
        if wanted not in columns:
            spaces = (
                "\n  Likely cause: spaces separate its values.\n"
                f"  Fix: load(pandas.read_csv({name!r}, sep=r'\\s+'), …)."
            )
            raise ValueError(
                f"{name} has no column {wanted!r}.{did_you_mean(wanted, columns)}\n"
                f"  Its columns: {shown}."
                f"{spaces if len(columns) == 1 and wanted in columns[0].split() else ''}"
            )
    return options.target


def _texts(
    frame: Any, column: str, target: str, kind: str, name: str, shared: dict[str, Any]
) -> Samples:
    read = as_texts(frame[column])
    present = np.array([text is not None for text in read])
    if not present.any():
        raise ValueError(f"Column {column!r} has no texts in {name}.")
    if not present.all():
        shared["left_out"].append(LeftOut(f"{(~present).sum():,} rows", f"have no {column}"))
        for key in ("labels", "names"):
            if shared[key] is not None:
                kept = zip(shared[key], present, strict=True)
                shared[key] = [value for value, is_there in kept if is_there]
        for key in ("values", "groups"):
            shared[key] = None if shared[key] is None else shared[key][present]
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
    frame: Any,
    target: str,
    kind: str,
    options: Options,
    marks: DecimalMarks,
    shared: dict[str, Any],
) -> Samples:
    dropped = set(options.drop or ())
    chosen = options.columns or [n for n in map(str, frame.columns) if n != target]
    chosen = [name for name in chosen if name not in dropped]
    shared["left_out"] += [
        LeftOut(f"column {n}", "was dropped, as you asked") for n in options.drop or ()
    ]
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
            decimal_comma=marks.comma_for(name),
        )
        if (
            isinstance(found, Column)
            and options.columns is None
            and repeats_target(as_texts(frame[name]), answers, number=shared["labels"] is None)
        ):
            found = Unusable(name, "says the target in other words, so a model would learn nothing")
        if isinstance(found, Unusable):
            shared["left_out"].append(LeftOut(f"column {name}", found.why))
            continue
        columns.append(found)
        lines.append(str(found))
        if found.kind == "date":
            shared["remarks"] += remarks_on_assumed_order(name, frame[name], options)
        if found.kind == "number":
            shared["remarks"] += marks.remarks_on(name)
    if not columns:
        why = "; ".join(str(out) for out in shared["left_out"])
        raise ValueError(f"No column is left to predict {target!r} from: {why}.")
    inputs, _ = inputs_of(columns, {str(n): frame[n] for n in frame.columns})
    is_number = shared["labels"] is None
    meant = shared["values"] if is_number else np.unique(shared["labels"], return_inverse=True)[1]
    chosen_by_user = options.columns is not None or len(columns) == 1
    for column in columns:
        doubts = _doubts(column, frame[column.name], inputs)
        if not chosen_by_user and column.name in inputs:
            doubts += tells_target(inputs[column.name], meant, column.name, target, is_number)
        shared["remarks"] += [f"Column {column.name!r}: {doubt}" for doubt in doubts]
    count = len(shared["names"])
    same = frame.groupby([target, *(column.name for column in columns)], sort=False, dropna=False)
    return Samples(
        kind="table",
        title=f"{count:,} rows of {len(columns)} columns, {target}: {kind}",
        x=inputs,
        columns=tuple(columns),
        column_lines=tuple(lines),
        same_rows=same.ngroup().to_numpy(),
        **shared,
    )


def _doubts(column: Column, values: Any, inputs: dict[str, np.ndarray]) -> list[str]:
    """What to say of numbers that may not be what they seem."""
    if column.kind != "number":
        return []
    texts = [text for text in values.tolist() if isinstance(text, str) and text.strip()]
    found = (stand_in(inputs[column.name]), several_units(texts))
    return [doubt for doubt in found if doubt is not None]


def remarks_on_assumed_order(name: str, values: Any, options: Options) -> list[str]:
    """Remarks for the user on a column of dates whose order, day or month first, is assumed."""
    texts = [text for text in as_texts(values) if text is not None]
    order = day_month_order(texts, options.day_first)
    return [f"Column {name!r}: {order.why}."] if order.assumed else []


def _is_number(
    texts: list[str], numbers: list[float | None], distinct: set[str], task: str | None
) -> tuple[bool, str]:
    """Whether a target is a number rather than a class, and why."""
    if task is not None:
        return task == "number", "as you said"
    if not mostly_numbers(texts, numbers) or distinct <= {"True", "False"}:
        return False, f"{len(distinct):,} different values"
    if any(number is not None and number != int(number) for number in numbers):
        return True, "its values have fractions"
    if len(distinct) > _MOST_CLASSES:
        return True, f"{len(distinct):,} different whole numbers"
    return False, f"{len(distinct):,} different whole numbers; task='number' predicts an amount"


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
