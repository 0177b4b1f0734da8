"""Tables from files and data frames: the encoding is found, and broken lines are named."""

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
    NOTHING,
    first_rows,
    has_header,
    lines_above,
    names_of_longer_lines,
    quoting_of,
    separator_of,
)

# The encoding, separator and header are found from so much of a file.
_SAMPLE = 2**18


class Table(NamedTuple):
    """A table as it was read.

    Args:
        frame: A pandas DataFrame; from text files, of strings.
        has_header: Whether its first line names the columns.
        left_out: Lines that could not be read.
        remarks: What was found out about the file, for the user.
        separator: What separates the values in it; empty if it is none of texts.
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
        expected: Names of columns that the user has given: a first line with one is the header.

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
    return table_of(path.read_bytes(), path, expected)


def table_of(content: bytes, path: Path, expected: Collection[str | None] = ()) -> Table:
    """The table that the content of a text file is.

    Args:
        content: The bytes.
        path: Where they are from, for messages.
        expected: As for `read_table`.

    Raises:
        ImportError, ValueError: As `read_table`.
    """
    if not content.strip():
        raise ValueError(f"{path} is empty.")
    text, remarks = decode_text(content, path)
    given = re.match(r"sep=(.)\r?\n", text)  # as Excel writes it
    text = text[given.end() :] if given else text
    separator = given[1] if given else separator_of(text[:_SAMPLE])
    quoting = quoting_of(text[:_SAMPLE], separator)
    rows, ends = first_rows(text[:_SAMPLE], separator, quoting)
    skipped = lines_above(rows)
    if skipped:
        rows, first = rows[skipped:], ends[skipped - 1]
        text = text.split("\n", first)[first]
        above = "Line 1 is" if first == 1 else f"Lines 1 to {first} are"
        remarks.append(f"{above} not of the table in {path.name}, and passed over.")
    is_named = has_header(rows) or bool({name.strip() for name in rows[0]} & set(expected))
    if is_named:
        refuse_duplicate_columns(rows[0], str(path))
    else:
        remarks.append(f"{path.name} has no line with the names of its columns.")
    names = names_of_longer_lines(rows, path, remarks) if is_named else None
    if not is_named:
        names = [f"column_{i + 1}" for i in range(max(map(len, rows)))]
    frame, left_out = _parsed(text, separator, quoting, 0 if is_named else None, names, path)
    frame.columns = [str(name).strip() for name in frame.columns]
    frame = frame.drop(columns=[NOTHING], errors="ignore")
    width = len(frame.columns)
    short = sum(len(row) < width for row in rows[1:-1])  # the last one may be cut off
    if short:
        remarks.append(
            f"{short:,} of the first {len(rows):,} lines of {path.name} have fewer values than "
            "there are columns; what they lack counts as missing."
        )
    return Table(frame, is_named, left_out, remarks, separator)


def _parsed(
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
            # It would lose the values that a first line has too many.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(io.StringIO(text), **options), []
    except (pd.errors.ParserError, pd.errors.ParserWarning):
        pass
    # Line by line, so that those with too many values can be named.
    left_out: list[LeftOut] = []
    reader = csv.reader(io.StringIO(text), delimiter=separator, quoting=quoting)
    kept: list[list[str | None]] = []
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
                kept.append([*row, *[None] * (len(names) - len(row))])
    except csv.Error as error:
        raise ValueError(f"{path} cannot be read, in line {reader.line_num:,}: {error}.") from None
    return pd.DataFrame(kept, columns=names, dtype=object), left_out


def refuse_duplicate_columns(names: Sequence[str], where: str) -> None:
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
    """The text of a file, whatever its encoding, and a remark if that is not UTF-8.

    Raises:
        ValueError: If it is not text.
    """
    remark = []
    try:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text, remark = content.decode("utf-16"), [f"{path.name} is UTF-16."]
        else:
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes  # seldom needed, and slow to import

        found = list(from_bytes(content[:_SAMPLE]))
        best = [
            m for m in found if (m.chaos, -m.coherence) == (found[0].chaos, -found[0].coherence)
        ]
        encodings = [match.encoding for match in best]
        # Of those that fit equally, the one that most such files have.
        encoding = "cp1252" if "cp1252" in encodings or not encodings else encodings[0]
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            encoding, text = "latin-1", content.decode("latin-1")
        remark = [
            f"{path.name} is not UTF-8; it was read as {encoding}. If letters are wrong, save it "
            "as UTF-8."
        ]
    if "\0" in text:
        raise ValueError(f"{path} is not text: it has bytes of value 0.")
    return text, remark
