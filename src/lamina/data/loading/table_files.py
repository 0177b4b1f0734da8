"""Tables from files: encoding, separator and header are found, broken lines are named."""

import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lamina.core.user_data.data_kinds import is_table
from lamina.core.user_data.paths import refuse_endless
from lamina.data.loading.columns import number_of
from lamina.data.loading.dates import is_date
from lamina.data.loading.description import LeftOut

_SEPARATORS = ",;\t|"
# Enough of a file to tell its encoding, separator and header by.
_SAMPLE = 2**18


class Table(NamedTuple):
    """A table as it was read.

    Args:
        frame: A pandas DataFrame; from text files, of strings.
        has_header: Whether its first line names the columns.
        left_out: Lines that could not be read.
        remarks: What was found out about the file, for the user.
    """

    frame: Any
    has_header: bool
    left_out: list[LeftOut]
    remarks: list[str]


def read_table(path: Path, expected: Collection[str | None] = ()) -> Table:
    """Read a `.csv`, `.tsv`, `.txt` or `.parquet` file.

    Args:
        path: The file.
        expected: Names of columns that the user has given: a first line with one is the header.

    Raises:
        ImportError: If pandas is not installed; the message has the command.
        ValueError: If the file is no table; the message says why.
    """
    pd = pandas()
    refuse_endless(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        try:
            frame = pd.read_parquet(path)
        except ImportError:
            raise ImportError(
                f"{path} is a Parquet file, and pyarrow is not installed.\n"
                "  Fix: pip install 'lamina[data]'"
            ) from None
        except Exception as error:
            raise ValueError(f"{path} cannot be read as Parquet: {error}.") from None
        return Table(as_frame(frame, str(path)), True, [], [])
    content = path.read_bytes()
    if not content.strip():
        raise ValueError(f"{path} is empty.")
    text, remarks = decoded(content, path)
    given = re.match(r"sep=(.)\r?\n", text)  # as Excel writes it
    text = text[given.end() :] if given else text
    separator = given[1] if given else _separator(text[:_SAMPLE])
    quoting = _quoting(text[:_SAMPLE], separator)
    rows = _first_rows(text[:_SAMPLE], separator, quoting)
    has_header = _has_header(rows) or bool({name.strip() for name in rows[0]} & set(expected))
    if has_header:
        refuse_twins(rows[0], str(path))
    else:
        remarks.append(f"{path.name} has no line with the names of its columns.")
    names = None if has_header else [f"column_{i + 1}" for i in range(max(map(len, rows)))]
    left_out: list[LeftOut] = []
    options: dict[str, Any] = {
        "sep": separator,
        "quoting": quoting,
        "header": 0 if has_header else None,
        "names": names,
        "dtype": str,
        "keep_default_na": False,
        "index_col": False,
        "skip_blank_lines": True,
    }
    try:
        frame = pd.read_csv(io.StringIO(text), **options)
    except pd.errors.ParserError:
        # The slower parser can say which lines have too many values.
        def leave_out(values: list[str]) -> None:
            left_out.append(
                LeftOut(f"the line {separator.join(values)[:40]!r}", "has too many values")
            )

        reader = pd.read_csv(io.StringIO(text), engine="python", on_bad_lines=leave_out, **options)
        frame = reader
    frame.columns = [str(name).strip() for name in frame.columns]
    return Table(frame, has_header, left_out, remarks)


def refuse_twins(names: Sequence[str], where: str) -> None:
    """Refuse a table in which two columns have one name.

    Raises:
        ValueError: The message names them.
    """
    counts = Counter(name.strip() for name in names if name.strip())
    twins = [name for name, count in counts.items() if count > 1]
    if not twins:
        return
    shown = ", ".join(map(repr, twins[:5]))
    places = [i + 1 for i, name in enumerate(names) if name.strip() == twins[0]]
    raise ValueError(
        f"{where} has several columns of one name: {shown}. {twins[0]!r} is the name of columns "
        f"{', '.join(map(str, places[:-1]))} and {places[-1]}.\n"
        "  Fix: give each column a name of its own, or leave out what is there twice; of a data "
        "frame, frame.loc[:, ~frame.columns.duplicated()] keeps the first of each name."
    )


def is_frame(source: Any) -> bool:
    """Whether something is a table of pandas, polars or pyarrow."""
    return is_table(source) or hasattr(source, "to_pydict")


def as_frame(source: Any, where: str) -> Any:
    """A table of another library as a pandas DataFrame whose columns are named by strings.

    Args:
        source: A table of pandas, polars or pyarrow.
        where: What it is called in messages.

    Raises:
        ValueError: If two columns have one name.
    """
    if not hasattr(source, "iloc"):
        # Not to_pandas, for which polars needs pyarrow.
        if hasattr(source, "to_pydict"):
            source = pandas().DataFrame(source.to_pydict())
        elif hasattr(source, "to_dict"):
            source = pandas().DataFrame(source.to_dict(as_series=False))
        else:
            source = source.to_pandas()
    names = list(map(str, source.columns))
    refuse_twins(names, where)
    return source.set_axis(names, axis=1)


def pandas() -> Any:
    """The library that reads tables.

    Raises:
        ImportError: If it is not installed; the message has the command.
    """
    try:
        import pandas as pd
    except ImportError:
        raise ImportError(
            "Tables are read by pandas, which is not installed.\n  Fix: pip install 'lamina[data]'"
        ) from None
    return pd


def decoded(content: bytes, path: Path) -> tuple[str, list[str]]:
    """The text of a file, whatever its encoding, and a remark if that is not UTF-8.

    Raises:
        ValueError: If it is no text.
    """
    remark = []
    try:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text, remark = content.decode("utf-16"), [f"{path.name} is UTF-16."]
        else:
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes  # seldom needed, and slow to import

        best = from_bytes(content[:_SAMPLE]).best()
        encoding = "cp1252" if best is None else best.encoding
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            encoding, text = "latin-1", content.decode("latin-1")
        remark = [f"{path.name} is not UTF-8; it was read as {encoding}."]
    if "\0" in text:
        raise ValueError(f"{path} is no text: it has bytes of value 0.")
    return text, remark


def _separator(sample: str) -> str:
    lines = [line for line in sample.splitlines()[:200] if line.strip()]
    # A separator occurs in every line, and mostly equally often.
    counts = {s: [line.count(s) for line in lines] for s in _SEPARATORS}
    whole = {s: c for s, c in counts.items() if min(c, default=0) > 0}
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


def _quoting(sample: str, separator: str) -> int:
    """Whether quotation marks enclose values, or are part of a text, as in many `.tsv` files."""
    if separator != "\t":
        return csv.QUOTE_MINIMAL
    values = [value for line in sample.splitlines() for value in line.split(separator)]
    begun = [value for value in values if value.startswith('"')]
    enclosed = all(len(value) > 1 and value.endswith('"') for value in begun)
    return csv.QUOTE_MINIMAL if enclosed else csv.QUOTE_NONE


def _first_rows(sample: str, separator: str, quoting: Any) -> list[list[str]]:
    reader = csv.reader(io.StringIO(sample), delimiter=separator, quoting=quoting)
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):  # a value may be longer than this parser takes
        rows += [row for row, _ in zip(reader, range(2000), strict=False) if row]
    return rows or [sample.split("\n", 1)[0].split(separator)]


def _has_header(rows: list[list[str]]) -> bool:
    """Whether the first row has names, and not numbers and dates or values that occur below."""
    first, others = rows[0], rows[1:]
    if all(_is_number(value.strip()) or is_date(value) for value in first if value.strip()):
        return False
    for i, value in enumerate(first):
        column = [row[i] for row in others if len(row) > i]
        if value.strip() and not _is_number(value.strip()) and column.count(value) > 1:
            return False
    return True


def _is_number(text: str) -> bool:
    return number_of(text) is not None or number_of(text, decimal_comma=True) is not None
