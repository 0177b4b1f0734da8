"""How a text file holds a table: its separator, its quotation marks, the names of its columns."""

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
# A title and remarks above a table have fewer lines than this.
_MOST_ABOVE = 30
# The name of a column that a separator at the end of every line makes.
NOTHING = "\0"


def separator_of(sample: str) -> str:
    """What separates the values of a text: a comma, semicolon, tab or vertical bar."""
    lines = [line for line in sample.splitlines()[:200] if line.strip()]
    # A separator occurs in every line, and mostly equally often.
    counts = {s: [line.count(s) for line in lines] for s in _SEPARATORS}
    whole = {s: c for s, c in counts.items() if min(c, default=0) > 0}
    if not whole:  # but for a title above the table
        counts = {s: _after_zeros(c) for s, c in counts.items()}
        whole = {s: c for s, c in counts.items() if len(c) > 1 and min(c) > 0}
    if "\t" in whole:
        return "\t"
    if "," in whole and (others := [s for s in whole if s != "," and _encloses(s, lines)]):
        return others[0]
    if whole:
        return max(whole, key=lambda s: (Counter(whole[s]).most_common(1)[0][1], whole[s][0]))
    try:
        return csv.Sniffer().sniff(sample, _SEPARATORS).delimiter
    except csv.Error:
        return ","


def quoting_of(sample: str, separator: str) -> int:
    """Whether quotation marks enclose values, or are part of a text, as in many `.tsv` files."""
    if separator != "\t":
        return csv.QUOTE_MINIMAL
    values = [value for line in sample.splitlines() for value in line.split(separator)]
    begun = [value for value in values if value.startswith('"')]
    enclosed = all(len(value) > 1 and value.endswith('"') for value in begun)
    return csv.QUOTE_MINIMAL if enclosed else csv.QUOTE_NONE


def first_rows(sample: str, separator: str, quoting: Any) -> tuple[list[list[str]], list[int]]:
    """The first rows that are not empty, and how many lines of text there are up to each."""
    reader = csv.reader(io.StringIO(sample), delimiter=separator, quoting=quoting)
    rows: list[list[str]] = []
    ends: list[int] = []
    with contextlib.suppress(csv.Error):  # a value may be longer than this parser takes
        for row in reader:
            if row:
                rows.append(row)
                ends.append(reader.line_num)
            if len(rows) >= 2000:
                break
    return rows or [sample.split("\n", 1)[0].split(separator)], ends or [1]


def lines_above(rows: list[list[str]]) -> int:
    """How many rows are a title or remarks: they have one value, and those of the table more."""
    lengths = [len(row) for row in rows]
    usual = Counter(lengths).most_common(1)[0][0]
    if usual < 2 or lengths[0] > 1:
        return 0
    # A header may lack the name of the first column.
    first = next((i for i, length in enumerate(lengths) if length >= max(2, usual - 1)), 0)
    if usual == 2 and any(map(_is_number, map(str.strip, rows[first]))):
        return 0  # perhaps the name of one column, above lines that begin with the name of a row
    return first if first <= _MOST_ABOVE and max(lengths[:first], default=0) == 1 else 0


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row has names, and not numbers and dates or values that occur below."""
    first, others = rows[0], rows[1:]
    if all(_is_number(value.strip()) or is_date(value) for value in first if value.strip()):
        return False
    for i, value in enumerate(first):
        column = [row[i] for row in others if len(row) > i]
        if value.strip() and not _is_number(value.strip()) and column.count(value) > 1:
            return False
    return True


def names_of_longer_lines(
    rows: list[list[str]], path: Path, remarks: list[str]
) -> list[str] | None:
    """Names for lines that all have one value more than the first; None if they do not.

    R writes the names of rows like that. Other programs end lines with a separator.

    Raises:
        ValueError: If it cannot be told which column has no name.
    """
    header, others = rows[0], rows[1:]
    if not others or any(len(row) != len(header) + 1 for row in others[:-1] or others):
        return None
    if all(not row[-1].strip() for row in others):
        return [*header, NOTHING]
    if len({row[0] for row in others}) == len(others) and len(others) > 1:
        remarks.append(
            f"The lines of {path.name} have one value more than there are names; the first was "
            "taken for the name of the row."
        )
        return ["Unnamed: 0", *header]
    raise ValueError(
        f"{path} names {len(header)} columns, and its lines have {len(header) + 1} values, e.g. "
        f"{', '.join(others[0])[:60]!r}.\n"
        "  Fix: a name for each column in the first line."
    )


def _after_zeros(counts: list[int]) -> list[int]:
    first = next((i for i, count in enumerate(counts[:_MOST_ABOVE]) if count), len(counts))
    return counts[first:]


def _encloses(separator: str, lines: list[str]) -> bool:
    """Whether commas are within the values that a separator divides: `1,5;2,5`, `Oslo, Norway;3`.

    Then they are decimal marks, or in texts and followed by a space.
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
