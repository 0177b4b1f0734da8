"""Reads tables from files and data frames; detects the encoding, and reports malformed lines."""

import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lamina.core.user_data.data_kinds import is_table
from lamina.core.user_data.paths import refuse_special_file
from lamina.data.loading.description import LeftOut
from lamina.data.loading.table_layout import (
    EMPTY_LAST_COLUMN,
    count_title_rows,
    find_quoting,
    find_separator,
    first_rows,
    has_header,
    names_for_short_header,
)

# The encoding, separator and header are detected from this many bytes of a file.
_SAMPLE_SIZE = 2**18


class Table(NamedTuple):
    """A table that was read.

    Args:
        frame: A pandas DataFrame; from text files, of strings.
        has_header: Whether its first line names the columns.
        left_out: Lines that could not be read.
        remarks: Remarks for the user on how the file was read.
        separator: What separates the values in a text file; empty for other tables.
    """

    frame: Any
    has_header: bool
    left_out: list[LeftOut]
    remarks: list[str]
    separator: str = ""


def read_table(path: Path, expected: Collection[str | None] = ()) -> Table:
    """Read a `.csv`, `.tsv`, `.txt` or `.parquet` file.

    Args:
        path: The file.
        expected: Names of columns that the user has named. A first line with such a name is the
            header.

    Raises:
        ImportError: If pandas is not installed; the message has the command.
        ValueError: If the file is not a table; the message says why.
    """
    pd = import_pandas()
    refuse_special_file(path)
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
    return parse_table(path.read_bytes(), path, expected)


def parse_table(content: bytes, path: Path, expected: Collection[str | None] = ()) -> Table:
    """Parse the content of a text file as a table.

    Args:
        content: The bytes of the file.
        path: The file, for messages.
        expected: As for `read_table`.

    Raises:
        ImportError, ValueError: As `read_table`.
    """
    if not content.strip():
        raise ValueError(f"{path} is empty.")
    text, remarks = decode_text(content, path)
    separator_line = re.match(r"sep=(.)\r?\n", text)  # as Excel writes it
    if separator_line:
        text, separator = text[separator_line.end() :], separator_line[1]
    else:
        separator = find_separator(text[:_SAMPLE_SIZE])
    quoting = find_quoting(text[:_SAMPLE_SIZE], separator)
    rows, line_numbers = first_rows(text[:_SAMPLE_SIZE], separator, quoting)
    title_rows = count_title_rows(rows)
    if title_rows:
        rows, title_lines = rows[title_rows:], line_numbers[title_rows - 1]
        text = text.split("\n", title_lines)[title_lines]
        above = "Line 1 is" if title_lines == 1 else f"Lines 1 to {title_lines} are"
        remarks.append(f"{above} not part of the table in {path.name}, and skipped.")
    is_named = has_header(rows) or bool({name.strip() for name in rows[0]} & set(expected))
    if is_named:
        refuse_duplicate_columns(rows[0], str(path))
    else:
        remarks.append(f"{path.name} has no line with the names of its columns.")
    names = names_for_short_header(rows, path, remarks) if is_named else None
    if not is_named:
        names = [f"column_{i + 1}" for i in range(max(map(len, rows)))]
    frame, left_out = _parse_lines(text, separator, quoting, 0 if is_named else None, names, path)
    frame.columns = [str(name).strip() for name in frame.columns]
    frame = frame.drop(columns=[EMPTY_LAST_COLUMN], errors="ignore")
    width = len(frame.columns)
    short = sum(len(row) < width for row in rows[1:-1])  # the last one may be cut off
    if short:
        remarks.append(
            f"{short:,} of the first {len(rows):,} lines of {path.name} have fewer values than "
            "there are columns; the absent values count as missing."
        )
    return Table(frame, is_named, left_out, remarks, separator)


def _parse_lines(
    text: str, separator: str, quoting: Any, header: int | None, names: Any, path: Path
) -> tuple[Any, list[LeftOut]]:
    """A table of strings, and the lines with too many values."""
    pd = import_pandas()
    options: dict[str, Any] = {
        "sep": separator,
        "quoting": quoting,
        "header": header,
        "names": names,
        "dtype": str,
        "keep_default_na": False,
        "index_col": False,
        "skip_blank_lines": True,
    }
    try:
        with warnings.catch_warnings():
            # pandas only warns if the first line has too many values, and drops them.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(io.StringIO(text), **options), []
    except (pd.errors.ParserError, pd.errors.ParserWarning):
        pass
    # Read line by line, to report lines with too many values.
    left_out: list[LeftOut] = []
    reader = csv.reader(io.StringIO(text), delimiter=separator, quoting=quoting)
    rows: list[list[str | None]] = []
    try:
        for row in filter(None, reader):
            if header is not None and names is None:
                names = [name or f"Unnamed: {i}" for i, name in enumerate(row)]
                header = None
            elif header is not None:
                header = None
            elif len(row) > len(names):
                shown = separator.join(row)[:40]
                left_out.append(LeftOut(f"the line {shown!r}", "has too many values"))
            else:
                rows.append([*row, *[None] * (len(names) - len(row))])
    except csv.Error as error:
        raise ValueError(f"{path} cannot be read, in line {reader.line_num:,}: {error}.") from None
    return pd.DataFrame(rows, columns=names, dtype=object), left_out


def refuse_duplicate_columns(names: Sequence[str], where: str) -> None:
    """Refuse a table in which several columns have the same name.

    Raises:
        ValueError: The message names them.
    """
    counts = Counter(name.strip() for name in names if name.strip())
    repeated = [name for name, count in counts.items() if count > 1]
    if not repeated:
        return
    shown = ", ".join(map(repr, repeated[:5]))
    positions = [i + 1 for i, name in enumerate(names) if name.strip() == repeated[0]]
    raise ValueError(
        f"{where} has several columns of one name: {shown}. {repeated[0]!r} is the name of columns "
        f"{', '.join(map(str, positions[:-1]))} and {positions[-1]}.\n"
        "  Fix: give each column a different name, or leave out repeated columns; for a data "
        "frame, frame.loc[:, ~frame.columns.duplicated()] keeps the first of each name."
    )


def is_frame(source: Any) -> bool:
    """Whether something is a table of pandas, polars or pyarrow."""
    return is_table(source) or hasattr(source, "to_pydict")


def as_frame(source: Any, where: str) -> Any:
    """A table of another library as a pandas DataFrame whose columns are named by strings.

    Args:
        source: A table of pandas, polars or pyarrow.
        where: Name of the table in messages.

    Raises:
        ValueError: If several columns have the same name.
    """
    if not hasattr(source, "iloc"):
        # `to_pandas` of polars would need pyarrow.
        if hasattr(source, "to_pydict"):
            source = import_pandas().DataFrame(source.to_pydict())
        elif hasattr(source, "to_dict"):
            source = import_pandas().DataFrame(source.to_dict(as_series=False))
        else:
            source = source.to_pandas()
    names = list(map(str, source.columns))
    refuse_duplicate_columns(names, where)
    return source.set_axis(names, axis=1)


def import_pandas() -> Any:
    """Import pandas, which reads tables.

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


def decode_text(content: bytes, path: Path) -> tuple[str, list[str]]:
    """Decode a file in any encoding; also return a remark if it is not UTF-8.

    Raises:
        ValueError: If it is not text.
    """
    remarks = []
    try:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text, remarks = content.decode("utf-16"), [f"{path.name} is UTF-16."]
        else:
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes  # seldom needed, and slow to import

        matches = list(from_bytes(content[:_SAMPLE_SIZE]))
        encodings = [
            match.encoding
            for match in matches
            if (match.chaos, match.coherence) == (matches[0].chaos, matches[0].coherence)
        ]
        # Of equally good matches, the most common encoding.
        encoding = "cp1252" if "cp1252" in encodings or not encodings else encodings[0]
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            encoding, text = "latin-1", content.decode("latin-1")
        remarks = [
            f"{path.name} is not UTF-8; it was read as {encoding}. If letters are wrong, save it "
            "as UTF-8."
        ]
    if "\0" in text:
        raise ValueError(f"{path} is not text: it has bytes of value 0.")
    return text, remarks
