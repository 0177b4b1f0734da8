"""Reads tables: finds the target and its kind, the input columns, and columns to leave out."""

from typing import Any

import numpy as np

from lamina.core.messages.errors import did_you_mean
from lamina.data.loading.cells import as_texts, parse_numbers, strings_in, unsupported_value
from lamina.data.loading.column_warnings import (
    missing_value_code,
    mixed_units,
    predicts_target,
    repeats_target,
)
from lamina.data.loading.columns import Column, UnusableColumn, guess_column, inputs_of
from lamina.data.loading.dates import day_month_order
from lamina.data.loading.decimal_marks import DecimalMarks, decimal_marks, has_decimal_comma
from lamina.data.loading.description import LeftOut
from lamina.data.loading.duplicates import copies_of_values
from lamina.data.loading.numbers import mostly_numbers
from lamina.data.loading.options import Options
from lamina.data.loading.samples import Samples
from lamina.data.loading.table_files import Table
from lamina.data.loading.text_source import texts_as_array

# A target with up to this many distinct integers is taken for classes.
_MAX_CLASSES = 10
# Texts are not classes if more than this fraction of them are distinct, of more than this many.
_MAX_DISTINCT, _MIN_ROWS = 0.9, 20
_MAX_SHOWN = 12


def read_samples(table: Table, name: str, options: Options) -> Samples:
    """Read the samples of a table.

    Raises:
        ValueError: If the target is missing, has no values or a single value, or if there is no
            useful input column.
    """
    frame, remarks = table.frame, list(table.remarks)
    if not table.has_header:
        frame = _with_names(frame, options, remarks)
    target = find_target(frame, options, name)
    left_out = list(table.left_out)
    unsupported = unsupported_value(frame[target])
    if unsupported is not None:
        raise ValueError(
            f"Column {target!r}, the target, has {unsupported} in it, and not one number or text a "
            "row.\n  Fix: a column for each of its values, and one of them as the target."
        )
    has_target = [text is not None for text in as_texts(frame[target])]
    if not any(has_target):
        raise ValueError(f"Column {target!r}, the target, has no values in {name}.")
    if not all(has_target):
        left_out.append(LeftOut(f"{has_target.count(False):,} rows", f"have no {target}"))
        frame = frame[np.array(has_target)]
    lines = (np.flatnonzero(has_target) + 1).tolist()
    texts = [text for text in as_texts(frame[target]) if text is not None]
    distinct = set(texts)
    if len(distinct) == 1:
        raise ValueError(
            f"Column {target!r}, the target, has a single value, {texts[0]!r}: there is nothing "
            "to learn."
        )
    marks = decimal_marks(frame, options.decimal_comma, table.separator)
    comma = has_decimal_comma(strings_in(frame[target]), marks.comma_for(target))
    numbers = parse_numbers(frame[target], comma)
    is_number, why = _is_number(texts, numbers, distinct, options.task)
    remarks.append(f"The target {target!r} is {'a number' if is_number else 'a class'}: {why}.")
    remarks += marks.remarks_on(target) if is_number else []
    names = [f"row {line}" for line in lines]
    labels = None if is_number else texts
    if labels and len(labels) > _MIN_ROWS and len(distinct) > _MAX_DISTINCT * len(labels):
        raise ValueError(
            f"Column {target!r}, the target, has another value in nearly every row, e.g. "
            f"{texts[0]!r} and {texts[1]!r}: there is no class to learn.\n"
            "  Fix: another target."
        )
    values = None
    if is_number:
        if not any(number is not None for number in numbers):
            raise ValueError(
                f"Column {target!r}, the target, has no numbers, e.g. {texts[0]!r}.\n"
                "  Fix: leave task='number' out."
            )
        if None in numbers:
            is_valid = np.array([number is not None for number in numbers])
            left_out.append(
                LeftOut(f"{(~is_valid).sum():,} rows", f"have a {target} that is not a number")
            )
            frame, numbers = frame[is_valid], [n for n in numbers if n is not None]
            names = [name for name, valid in zip(names, is_valid, strict=True) if valid]
        values = np.array(numbers, dtype="float32")
    shared: dict[str, Any] = {
        "target": target,
        "labels": labels,
        "values": values,
        "names": names,
        "left_out": left_out,
        "remarks": remarks,
        "groups": _group_indices(frame, options),
    }
    kind = "numbers" if is_number else f"{len(distinct):,} classes"
    if options.text is not None:
        return _read_text_samples(frame, options.text, target, kind, name, shared)
    return _read_column_samples(frame, target, kind, options, marks, shared)


def find_target(frame: Any, options: Options, name: str) -> str:
    """The column to predict.

    Raises:
        ValueError: If none is named, or the name is unknown.
    """
    columns = list(map(str, frame.columns))
    shown = ", ".join(columns[:_MAX_SHOWN]) + (", …" if len(columns) > _MAX_SHOWN else "")
    if options.target is None:
        raise ValueError(
            f"Which column of {name} is to be predicted? It has {shown}.\n"
            f"  Fix: target={columns[-1]!r}, or --target {columns[-1]} on the command line."
        )
    for column in options.named_columns():
        if column not in columns:
            spaces = (
                "\n  Likely cause: spaces separate its values.\n"
                f"  Fix: load(pandas.read_csv({name!r}, sep=r'\\s+'), …)."
            )
            raise ValueError(
                f"{name} has no column {column!r}.{did_you_mean(column, columns)}\n"
                f"  Its columns: {shown}."
                f"{spaces if len(columns) == 1 and column in columns[0].split() else ''}"
            )
    return options.target


def _read_text_samples(
    frame: Any, column: str, target: str, kind: str, name: str, shared: dict[str, Any]
) -> Samples:
    texts_or_none = as_texts(frame[column])
    present = np.array([text is not None for text in texts_or_none])
    if not present.any():
        raise ValueError(f"Column {column!r} has no texts in {name}.")
    if not present.all():
        shared["left_out"].append(LeftOut(f"{(~present).sum():,} rows", f"have no {column}"))
        for key in ("labels", "names"):
            if shared[key] is not None:
                pairs = zip(shared[key], present, strict=True)
                shared[key] = [value for value, is_present in pairs if is_present]
        for key in ("values", "groups"):
            shared[key] = None if shared[key] is None else shared[key][present]
    texts = [text for text in texts_or_none if text is not None]
    others = [n for n in map(str, frame.columns) if n not in (column, target)]
    shared["left_out"] += [LeftOut(f"column {n}", "is not the text") for n in others]
    x, remarks = texts_as_array(texts)
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


def _read_column_samples(
    frame: Any,
    target: str,
    kind: str,
    options: Options,
    marks: DecimalMarks,
    shared: dict[str, Any],
) -> Samples:
    dropped = set(options.drop or ())
    candidates = options.columns or [n for n in map(str, frame.columns) if n != target]
    candidates = [name for name in candidates if name not in dropped]
    shared["left_out"] += [
        LeftOut(f"column {n}", "was dropped, as you asked") for n in options.drop or ()
    ]
    columns: list[Column] = []
    lines = [f"{target}: the target, {kind}"]
    target_texts = as_texts(frame[target])
    kinds = dict(options.kinds or {})
    for name in candidates:
        if name in (target, options.group):
            continue
        column: Column | UnusableColumn = guess_column(
            name,
            frame[name],
            kinds.get(name, "date" if name == options.time else None),
            named_by_user=options.columns is not None,
            day_first=options.day_first,
            decimal_comma=marks.comma_for(name),
        )
        if (
            isinstance(column, Column)
            and options.columns is None
            and repeats_target(
                as_texts(frame[name]), target_texts, is_number=shared["labels"] is None
            )
        ):
            column = UnusableColumn(name, "repeats the target, so a model would learn nothing")
        if isinstance(column, UnusableColumn):
            shared["left_out"].append(LeftOut(f"column {name}", column.why))
            continue
        columns.append(column)
        lines.append(str(column))
        if column.kind == "date":
            shared["remarks"] += remarks_on_date_order(name, frame[name], options)
        if column.kind == "number":
            shared["remarks"] += marks.remarks_on(name)
    if not columns:
        why = "; ".join(map(str, shared["left_out"]))
        raise ValueError(f"No column is left to predict {target!r} from: {why}.")
    inputs, _ = inputs_of(columns, {str(n): frame[n] for n in frame.columns})
    is_number = shared["labels"] is None
    targets = shared["values"] if is_number else np.unique(shared["labels"], return_inverse=True)[1]
    chosen_by_user = options.columns is not None or len(columns) == 1
    for column in columns:
        warnings = _warnings_about(column, frame[column.name], inputs)
        if not chosen_by_user and column.name in inputs:
            warnings += predicts_target(
                inputs[column.name], targets, column.name, target, is_number
            )
        shared["remarks"] += [f"Column {column.name!r}: {warning}" for warning in warnings]
    count = len(shared["names"])
    groups = frame.groupby([target, *(column.name for column in columns)], sort=False, dropna=False)
    return Samples(
        kind="table",
        title=f"{count:,} rows of {len(columns)} columns, {target}: {kind}",
        x=inputs,
        columns=tuple(columns),
        column_lines=tuple(lines),
        same_rows=groups.ngroup().to_numpy(),
        **shared,
    )


def _warnings_about(column: Column, values: Any, inputs: dict[str, np.ndarray]) -> list[str]:
    """Warnings about codes for missing values and mixed units in a column of numbers."""
    if column.kind != "number":
        return []
    texts = [text for text in values.tolist() if isinstance(text, str) and text.strip()]
    warnings = (missing_value_code(inputs[column.name]), mixed_units(texts))
    return [warning for warning in warnings if warning is not None]


def remarks_on_date_order(name: str, values: Any, options: Options) -> list[str]:
    """Remarks for the user on a column of dates whose order, day or month first, is a guess."""
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
    if len(distinct) > _MAX_CLASSES:
        return True, f"{len(distinct):,} different integers"
    return False, f"{len(distinct):,} different integers; task='number' predicts an amount"


def _group_indices(frame: Any, options: Options) -> np.ndarray | None:
    if options.group is None:
        return None
    index_of: dict[str | None, int] = {}
    texts = as_texts(frame[options.group])
    # Each row without a value is a separate group.
    return np.array(
        [
            len(texts) + i if text is None else index_of.setdefault(text, len(index_of))
            for i, text in enumerate(texts)
        ]
    )


def _with_names(frame: Any, options: Options, remarks: list[str]) -> Any:
    """Name the two columns of a table without a header: the one with longer texts is the text."""
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
