"""Texts that people have, as inputs of a model: strings, files, columns of tables."""

import os
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lamina.contract import Contract
from lamina.data.loading.cells import as_texts, holds_several, odd_value
from lamina.data.loading.files import TABLES, TEXTS
from lamina.data.loading.table_files import as_frame, decode_text, is_frame, read_table
from lamina.data.loading.text_source import LONGEST
from lamina.prediction.raw_sources import (
    RawInputs,
    described,
    files_in,
    is_file,
    reason,
    refused,
)


def texts(contract: Contract, sources: Sequence[Any]) -> RawInputs:
    """Texts, `(texts,)`.

    Raises:
        TypeError: If something is not text.
        ValueError: If a table has no column of texts.
    """
    found = RawInputs(None, [])
    read: list[str] = []
    column = contract.columns[0].name if contract.columns else "text"

    def take(text: str, name: str) -> None:
        read.append(unicodedata.normalize("NFC", text[:LONGEST]))
        found.names.append(name)

    def take_file(path: Path) -> None:
        if path.suffix.lower() in TABLES:
            for i, text in enumerate(_column_of(column, read_table(path).frame)):
                take(text, f"{path.name}, row {i + 1}")
        else:
            take(decode_text(path.read_bytes(), path)[0].strip(), str(path))

    for source in sources:
        if isinstance(source, np.ndarray) and source.ndim == 0:
            source = source.item()
        if is_frame(source) or isinstance(source, Mapping):
            table = as_frame(source, "the table") if is_frame(source) else source
            for i, text in enumerate(_column_of(column, table)):
                take(text, f"row {i + 1}")
        elif isinstance(source, (bytes, bytearray)):
            text = source.decode("utf-8", "replace")
            take(text, text)
        elif _is_path(source):
            for path in map(Path, files_in([source], TEXTS | TABLES, found)):
                try:
                    take_file(path)
                except (ValueError, OSError) as error:
                    found.fail(str(path), reason(error, str(path)))
        elif isinstance(source, os.PathLike) or (
            isinstance(source, str) and _looks_like_a_file(source)
        ):
            found.fail(str(source), "there is no such file")
        elif isinstance(source, str):
            take(source, source)
        else:
            raise refused(contract, described(source))
    if read:
        found.x = np.empty(len(read), dtype=object)
        found.x[:] = read
    return found


def _is_path(source: Any) -> bool:
    """Whether a source is a path of what exists; a word is a text though a folder has its name."""
    if isinstance(source, str) and not (_looks_like_a_file(source) or "/" in source):
        return os.sep != "/" and os.sep in source and is_file(source)
    return is_file(source)


def _looks_like_a_file(text: str) -> bool:
    return len(text.split()) == 1 and Path(text).suffix.lower() in TEXTS | TABLES


def _column_of(column: str, table: Any) -> list[str]:
    """The texts of a table, or of a dict of columns or single values."""
    names = {str(name): name for name in table.keys()}
    if column not in names and len(names) == 1:
        column = next(iter(names))
    if column not in names:
        raise ValueError(
            f"There is no column {column!r}, which the model was trained on.\n"
            f"  Columns: {', '.join(names) or 'none'}.\n"
            f"  Fix: predictor.answer({{{column!r}: 'a text'}}), or the text alone: "
            "predictor.answer('a text')."
        )
    values = table[names[column]]
    values = values if holds_several(values) else [values]
    odd = odd_value(values)
    if odd is not None:
        raise TypeError(
            f"Column {column!r} has {odd} in it, and the model takes a text a row.\n"
            f"  Fix: predictor.answer({{{column!r}: 'a text'}})"
        )
    return [text or "" for text in as_texts(values)]
