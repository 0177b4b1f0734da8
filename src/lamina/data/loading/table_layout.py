"""Detects the layout of a table in a text file: separator, quotation marks, names of columns."""

import contextlib
import csv
import io
import re
from collections import Counter
from pathlib import Path
from typing import Any

from lamina.data.loading.dates import is_date
from lamina.data.loading.numbers import number_of

_SEPARATORS = ",;\t|"
# Maximum number of lines above a table, such as a title and remarks.
_MAX_TITLE_LINES = 30
# Name of the empty column that arises if every line ends with a separator.
EMPTY_LAST_COLUMN = "\0"


def find_separator(sample: str) -> str:
    """Find what separates the values of a text: a comma, semicolon, tab or vertical bar."""
    lines = [line for line in sample.splitlines()[:200] if line.strip()]
    # A separator occurs in every line, usually equally often.
    counts = {s: [line.count(s) for line in lines] for s in _SEPARATORS}
    candidates = {s: c for s, c in counts.items() if min(c, default=0) > 0}
    if not candidates:  # there may be a title above the table
        counts = {s: _without_leading_zeros(c) for s, c in counts.items()}
        candidates = {s: c for s, c in counts.items() if len(c) > 1 and min(c) > 0}
    if "\t" in candidates:
        return "\t"
    if "," in candidates:
        others = [s for s in candidates if s != "," and _has_commas_in_values(s, lines)]
        if others:
            return others[0]
    if candidates:
        return max(
            candidates,
            key=lambda s: (Counter(candidates[s]).most_common(1)[0][1], candidates[s][0]),
        )
    try:
        return csv.Sniffer().sniff(sample, _SEPARATORS).delimiter
    except csv.Error:
        return ","


def find_quoting(sample: str, separator: str) -> int:
    """Find whether quotation marks enclose values, or belong to texts, as in many `.tsv` files.

    Returns:
        `csv.QUOTE_MINIMAL` or `csv.QUOTE_NONE`.
    """
    if separator != "\t":
        return csv.QUOTE_MINIMAL
    values = [value for line in sample.splitlines() for value in line.split(separator)]
    quoted = [value for value in values if value.startswith('"')]
    are_enclosed = all(len(value) > 1 and value.endswith('"') for value in quoted)
    return csv.QUOTE_MINIMAL if are_enclosed else csv.QUOTE_NONE


def first_rows(sample: str, separator: str, quoting: Any) -> tuple[list[list[str]], list[int]]:
    """The first rows that are not empty, and the line number in the text where each ends."""
    reader = csv.reader(io.StringIO(sample), delimiter=separator, quoting=quoting)
    rows: list[list[str]] = []
    line_numbers: list[int] = []
    with contextlib.suppress(csv.Error):  # a value may exceed the parser's limit
        for row in reader:
            if row:
                rows.append(row)
                line_numbers.append(reader.line_num)
            if len(rows) >= 2000:
                break
    return rows or [sample.split("\n", 1)[0].split(separator)], line_numbers or [1]


def count_title_rows(rows: list[list[str]]) -> int:
    """The number of rows above the table, such as a title: they have only one value."""
    lengths = [len(row) for row in rows]
    usual = Counter(lengths).most_common(1)[0][0]
    if usual < 2 or lengths[0] > 1:
        return 0
    # A header may lack the name of the first column.
    first = next((i for i, length in enumerate(lengths) if length >= max(2, usual - 1)), 0)
    if usual == 2 and any(map(_is_number, map(str.strip, rows[first]))):
        return 0  # perhaps the name of one column, above lines that begin with the name of a row
    return first if first <= _MAX_TITLE_LINES and max(lengths[:first], default=0) == 1 else 0


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row has names, rather than numbers, dates or values that occur below."""
    first, others = rows[0], rows[1:]
    if all(_is_number(value.strip()) or is_date(value) for value in first if value.strip()):
        return False
    for i, value in enumerate(first):
        column = [row[i] for row in others if len(row) > i]
        if value.strip() and not _is_number(value.strip()) and column.count(value) > 1:
            return False
    return True


def names_for_short_header(
    rows: list[list[str]], path: Path, remarks: list[str]
) -> list[str] | None:
    """Column names if all lines have one value more than the first; None if they do not.

    R writes row names in this way. Other programs end lines with a separator.

    Raises:
        ValueError: If it is not clear which column has no name.
    """
    header, others = rows[0], rows[1:]
    if not others or any(len(row) != len(header) + 1 for row in others[:-1] or others):
        return None
    if all(not row[-1].strip() for row in others):
        return [*header, EMPTY_LAST_COLUMN]
    if len({row[0] for row in others}) == len(others) and len(others) > 1:
        remarks.append(
            f"The lines of {path.name} have one value more than there are names; the first was "
            "taken for the name of the row."
        )
        return ["Unnamed: 0", *header]
    raise ValueError(
        f"{path} names {len(header)} columns, but its lines have {len(header) + 1} values, e.g. "
        f"{', '.join(others[0])[:60]!r}.\n"
        "  Fix: a name for each column in the first line."
    )


def _without_leading_zeros(counts: list[int]) -> list[int]:
    first = next((i for i, count in enumerate(counts[:_MAX_TITLE_LINES]) if count), len(counts))
    return counts[first:]


def _has_commas_in_values(separator: str, lines: list[str]) -> bool:
    """Whether commas are within the values that a separator divides: `1,5;2,5`, `Oslo, Norway;3`.

    Such commas are decimal marks, or are followed by a space in a text.
    """
    if len({line.count(separator) for line in lines}) > 1:
        return False
    values = [value.strip() for line in lines for value in line.split(separator)]
    return all(
        number_of(value, decimal_comma=True) is not None or not re.search(r",(?! )", value)
        for value in values
        if "," in value
    )


def _is_number(text: str) -> bool:
    return number_of(text) is not None or number_of(text, decimal_comma=True) is not None
