"""From what a person has – files, rows, texts – to the inputs that a model's contract describes."""

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lamina.contract import Contract
from lamina.core.user_data.data_kinds import is_table, is_text
from lamina.data.loading.columns import inputs_of, values_of
from lamina.data.loading.files import PICTURES, TABLES, TEXTS
from lamina.data.loading.image_files import READ_AT_MOST, picture_as_input
from lamina.data.loading.series import without_gaps
from lamina.data.loading.series_source import sorted_by
from lamina.data.loading.table_files import decoded, read_table
from lamina.data.picture_files import Picture, picture_of, read_picture


@dataclass
class RawInputs:
    """Samples as a model takes them.

    Args:
        x: Inputs, with one row a sample; None if nothing could be read.
        names: What each sample is called: a file, `"rows.csv, row 3"`, a text.
        errors: What could not be read, and why, by name.
        remarks: What the user should know, e.g. columns that were not used.
    """

    x: Any
    names: list[str]
    errors: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def read_inputs(contract: Contract, sources: Any) -> RawInputs:
    """Make inputs of anything that a person may have.

    Args:
        contract: What the model was trained on.
        sources: One thing or a list of them. For pictures: paths, folders, bytes, Pillow images,
            arrays. For tables: paths, data frames, rows as dicts. For texts: texts, paths of
            `.txt` files or of tables. For a series: a path, data frame or array of the steps
            before the forecast.

    Raises:
        ValueError: If the contract does not say what the model takes, or a column is missing.
    """
    several = isinstance(sources, (list, tuple)) or _is_batch(contract, sources)
    several = several or (contract.kind == "text" and is_text(sources) and np.ndim(sources) == 1)
    given = list(sources) if several else [sources]
    if contract.kind == "images":
        return _pictures(contract, given)
    if contract.kind == "table":
        return _rows(contract, given)
    if contract.kind == "text":
        return _texts(contract, given)
    if contract.kind == "series":
        return _series(contract, given)
    raise ValueError(
        "The model's file does not say what it was trained on but for the ranges of its arrays, so "
        "files cannot be brought to what it takes.\n"
        "  Fix: model.predict(x) with arrays; or train on what lamina.data.load gives."
    )


def _is_batch(contract: Contract, sources: Any) -> bool:
    dimensions = {"images": 4, "series": 3}.get(contract.kind)
    return isinstance(sources, np.ndarray) and sources.ndim == dimensions


def _pictures(contract: Contract, sources: Sequence[Any]) -> RawInputs:
    form = contract.image
    if form is None:
        raise ValueError("The model's file does not say what size of pictures it takes.")
    found = RawInputs(None, [])
    arrays = []
    for number, source in enumerate(_files(sources, PICTURES, found)):
        name = _name(source, f"picture {number + 1}")
        try:
            largest = READ_AT_MOST * max(form.height, form.width)
            picture = _picture(source, largest)
        except (ValueError, OSError) as error:
            found.errors[name] = _reason(error, name)
            continue
        arrays.append(picture_as_input(picture, form))
        found.names.append(name)
        if picture.is_blank:
            found.remarks.append(f"{name} is of one colour all over: no answer to it means much.")
    found.x = np.stack(arrays) if arrays else None
    return found


def _picture(source: Any, largest: int) -> Picture:
    from PIL import Image

    if isinstance(source, (bytes, bytearray)):
        try:
            with Image.open(io.BytesIO(source)) as image:
                image.load()
                return picture_of(image, largest)
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(f"these bytes are no picture: {error}") from None
    if isinstance(source, np.ndarray):
        return _picture_of_array(source)
    if isinstance(source, (str, os.PathLike)):
        return read_picture(source, largest)
    if hasattr(source, "convert") and hasattr(source, "mode"):
        return picture_of(source, largest)
    raise ValueError(f"a {type(source).__name__} is no picture: give a path, bytes or an array")


def _picture_of_array(array: np.ndarray) -> Picture:
    """Pixels from 0 to 255, or from 0 to 1 if they are floats."""
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in (1, 3):
        raise ValueError(
            f"an array of shape {array.shape} is no picture: give (height, width) or "
            "(height, width, 3)"
        )
    if 0 in array.shape or not np.isfinite(array).all():
        raise ValueError(f"an array of shape {array.shape} has no pixels, or NaN among them")
    pixels = array.astype("float32")
    if array.dtype == np.uint16:
        pixels = pixels / 65535
    elif array.dtype.kind in "iu" or pixels.max() > 1:
        pixels = pixels / 255
    grey = array.shape[-1] == 1
    return Picture(np.repeat(pixels, 3, axis=2) if grey else pixels, grey)


def _rows(contract: Contract, sources: Sequence[Any]) -> RawInputs:
    found = RawInputs(None, [])
    parts = []
    unused: set[str] = set()
    if not contract.columns:
        raise ValueError("The model's file does not say what columns it takes.")

    def take(name: str, table: Any) -> None:
        inputs, extra = inputs_of(contract.columns, table)
        parts.append(inputs)
        unused.update(set(extra) - {contract.target})
        count = len(next(iter(inputs.values())))
        found.names.extend(f"{name}{i + 1}" for i in range(count))

    names = {column.name for column in contract.columns}
    for number, source in enumerate(sources):
        if isinstance(source, Mapping):
            inputs, extra = inputs_of(contract.columns, source)
            parts.append(inputs)
            unused.update(set(extra) - {contract.target})
            count = len(next(iter(inputs.values())))
            found.names += [f"row {number + i + 1}" for i in range(count)]
        elif is_table(source):
            take("row ", source)
        else:
            for path in _files([source], TABLES, found):
                try:
                    table = read_table(_existing(path), names)
                    take(f"{Path(path).name}, row ", table.frame)
                except (OSError, ValueError) as error:
                    found.errors[str(path)] = _reason(error, str(path))
    if unused:
        found.remarks.append(f"Columns that were not used: {', '.join(sorted(unused))}.")
    if parts:
        found.x = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return found


def _texts(contract: Contract, sources: Sequence[Any]) -> RawInputs:
    found = RawInputs(None, [])
    texts: list[str] = []
    column = contract.columns[0].name if contract.columns else "text"
    for source in sources:
        if is_table(source) or isinstance(source, Mapping):
            read = _text_column(column, source)
            texts += read
            found.names += [f"row {i + 1}" for i in range(len(read))]
            continue
        if not _is_file(source):
            text = _as_text(source)
            if Path(text).suffix.lower() in TEXTS | TABLES and len(text.split()) == 1:
                found.errors[text] = "there is no such file"
                continue
            texts.append(text)
            found.names.append(text)
            continue
        for path in _files([source], TEXTS | TABLES, found):
            name = str(path)
            try:
                if Path(path).suffix.lower() in TABLES:
                    read = _text_column(column, read_table(Path(path)).frame)
                    texts += read
                    found.names += [f"{Path(path).name}, row {i + 1}" for i in range(len(read))]
                    continue
                texts.append(decoded(Path(path).read_bytes(), Path(path))[0].strip())
                found.names.append(name)
            except (ValueError, OSError) as error:
                found.errors[name] = _reason(error, name)
    if texts:
        found.x = np.empty(len(texts), dtype=object)
        found.x[:] = texts
    return found


def _as_text(source: Any) -> str:
    if source is None:
        return ""
    return source.decode("utf-8", "replace") if isinstance(source, bytes) else str(source)


def _text_column(column: str, table: Any) -> list[str]:
    names = list(map(str, table.keys()))
    if column not in names and len(names) == 1:
        column = names[0]
    if column not in names:
        raise ValueError(
            f"There is no column {column!r}, which the model was trained on.\n"
            f"  Columns: {', '.join(names)}."
        )
    values = table[column]
    values = [values] if isinstance(values, str) else values
    return ["" if value is None else str(value) for value in values]


def _series(contract: Contract, sources: Sequence[Any]) -> RawInputs:
    form = contract.series
    if form is None:
        raise ValueError("The model's file does not say how many steps it takes.")
    found = RawInputs(None, [])
    windows = []
    for number, source in enumerate(sources):
        name = _name(source, f"series {number + 1}")
        if _is_file(source):
            source = read_table(_existing(source)).frame
        elif isinstance(source, (str, os.PathLike)):
            found.errors[name] = "there is no such file"
            continue
        steps = steps_of(contract, source)
        if len(steps) < form.window:
            found.errors[name] = f"it has {len(steps)} steps, and the model needs {form.window}"
            continue
        windows.append(steps[-form.window :])
        found.names.append(name)
    found.x = np.stack(windows).astype("float32") if windows else None
    return found


def steps_of(contract: Contract, source: Any) -> np.ndarray:
    """The columns that a forecast is made from, `(steps, columns)`."""
    if is_table(source) or isinstance(source, Mapping):
        time = contract.series.time if contract.series else None
        if time is not None and is_table(source) and time in map(str, source.columns):
            source = sorted_by(source, time, [])
        columns = []
        for column in contract.columns:
            if column.name not in map(str, source.keys()):
                raise ValueError(
                    f"There is no column {column.name!r}, which the model was trained on."
                )
            values = values_of(column, source[column.name])[column.name]
            columns.append(without_gaps(values.astype(float))[0])
        return np.stack(columns, axis=1)
    steps = np.asarray(source, dtype=float)
    return steps[:, None] if steps.ndim == 1 else steps


def _files(sources: Sequence[Any], endings: frozenset[str], found: RawInputs) -> Iterator[Any]:
    """The sources, with the files of folders in place of the folders."""
    for source in sources:
        if isinstance(source, (str, os.PathLike)) and Path(source).is_dir():
            inside = sorted(
                path
                for path in Path(source).rglob("*")
                if path.suffix.lower() in endings
                and not any(p.startswith(".") for p in path.relative_to(source).parts)
            )
            if not inside:
                found.errors[str(source)] = "has nothing in it that the model can take"
            yield from inside
        else:
            yield source


def _is_file(source: Any) -> bool:
    if not isinstance(source, (str, os.PathLike)) or str(source).strip() in ("", "."):
        return False
    try:
        return Path(source).exists()
    except (OSError, ValueError):  # a text may be too long for a path, or have a zero in it
        return False


def _existing(path: Any) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"a {type(path).__name__} is no table: give a path, a data frame or a dict")
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    return Path(path)


def _reason(error: Exception, name: str) -> str:
    """The first line of an error, without the name that it begins with."""
    return str(error).splitlines()[0].removeprefix(f"{name} ").rstrip(".:")


def _name(source: Any, otherwise: str) -> str:
    return str(source) if isinstance(source, (str, os.PathLike)) else otherwise
