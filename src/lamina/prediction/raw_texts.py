"""Converts texts to inputs of a model: strings, files, columns of tables."""

import os
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lamina.contract import Contract
from lamina.data.loading.cells import as_texts, is_list_of_values, unsupported_value
from lamina.data.loading.files import TABLES, TEXTS
from lamina.data.loading.table_files import as_frame, decode_text, is_frame, read_table
from lamina.data.loading.text_source import MAX_LENGTH
from lamina.prediction.raw_sources import (
    RawInputs,
    describe_value,
    expand_folders,
    is_file,
    reason,
    unsupported_input_error,
)


def convert_texts(contract: Contract, sources: Sequence[Any]) -> RawInputs:
    """Convert texts to an array of strings, `(texts,)`.

    Raises:
        TypeError: If a source is not text.
        ValueError: If a table has no column of texts.
    """
    result = RawInputs(None, [])
    inputs: list[str] = []
    column = contract.columns[0].name if contract.columns else "text"

    def add_text(text: str, name: str) -> None:
        inputs.append(unicodedata.normalize("NFC", text[:MAX_LENGTH]))
        result.names.append(name)

    def add_file(path: Path) -> None:
        if path.suffix.lower() in TABLES:
            for i, text in enumerate(_texts_of_column(column, read_table(path).frame)):
                add_text(text, f"{path.name}, row {i + 1}")
        else:
            add_text(decode_text(path.read_bytes(), path)[0].strip(), str(path))

    for source in sources:
        if isinstance(source, np.ndarray) and source.ndim == 0:
            source = source.item()
        if is_frame(source) or isinstance(source, Mapping):
            table = as_frame(source, "the table") if is_frame(source) else source
            for i, text in enumerate(_texts_of_column(column, table)):
                add_text(text, f"row {i + 1}")
        elif isinstance(source, (bytes, bytearray)):
            text = source.decode("utf-8", "replace")
            add_text(text, text)
        elif _is_path(source):
            for path in map(Path, expand_folders([source], TEXTS | TABLES, result)):
                try:
                    add_file(path)
                except (ValueError, OSError) as error:
                    result.fail(str(path), reason(error, str(path)))
        elif isinstance(source, os.PathLike) or (
            isinstance(source, str) and _looks_like_a_file(source)
        ):
            result.fail(str(source), "there is no such file")
        elif isinstance(source, str):
            add_text(source, source)
        else:
            raise unsupported_input_error(contract, describe_value(source))
    if inputs:
        result.x = np.empty(len(inputs), dtype=object)
        result.x[:] = inputs
    return result


def _is_path(source: Any) -> bool:
    """Whether a source is the path of an existing file; a single word is a text, not a folder."""
    if isinstance(source, str) and not (_looks_like_a_file(source) or "/" in source):
        return os.sep != "/" and os.sep in source and is_file(source)
    return is_file(source)


def _looks_like_a_file(text: str) -> bool:
    return len(text.split()) == 1 and Path(text).suffix.lower() in TEXTS | TABLES


def _texts_of_column(column: str, table: Any) -> list[str]:
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
    values = values if is_list_of_values(values) else [values]
    unsupported = unsupported_value(values)
    if unsupported is not None:
        raise TypeError(
            f"Column {column!r} has {unsupported} in it, but the model takes one text per row.\n"
            f"  Fix: predictor.answer({{{column!r}: 'a text'}})"
        )
    return [text or "" for text in as_texts(values)]
