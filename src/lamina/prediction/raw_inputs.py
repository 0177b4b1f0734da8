"""From what a person has – files, rows, texts – to the inputs that a model's contract describes."""

<<<<<<< HEAD
from collections.abc import Callable, Iterator, Sequence
=======
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
>>>>>>> 7ccf704 (Say when an input is none of the classes; make pictures like training's)
from typing import Any

import numpy as np

from lamina.contract import Contract
<<<<<<< HEAD
from lamina.core.user_data.arguments import is_number
from lamina.core.user_data.data_kinds import is_column, is_text
from lamina.prediction.raw_pictures import pictures
from lamina.prediction.raw_rows import rows
from lamina.prediction.raw_series import series
from lamina.prediction.raw_sources import RawInputs, described, refused
from lamina.prediction.raw_texts import texts
=======
from lamina.core.user_data.data_kinds import is_table, is_text
from lamina.data.loading.columns import inputs_of, values_of
from lamina.data.loading.files import PICTURES, TABLES, TEXTS
from lamina.data.loading.image_files import READ_AT_MOST
from lamina.data.loading.series import without_gaps
from lamina.data.loading.series_source import sorted_by
from lamina.data.loading.table_files import decoded, read_table
from lamina.data.picture_files import Picture, picture_of, read_picture
from lamina.prediction.own_pictures import like_training

# Drawings are found in pictures that are reduced to so many pixels.
_LARGE = 512
>>>>>>> 7ccf704 (Say when an input is none of the classes; make pictures like training's)

_MAKERS: dict[str, Callable[[Contract, Sequence[Any]], RawInputs]] = {
    "images": pictures,
    "table": rows,
    "text": texts,
    "series": series,
}


def read_inputs(contract: Contract, sources: Any) -> RawInputs:
    """Make inputs of anything that a person may have.

    Args:
        contract: What the model was trained on.
        sources: One thing or a list of them. For pictures: paths, folders, bytes, Pillow images,
            arrays. For tables: paths, data frames, rows as dicts. For texts: texts, paths of
            `.txt` files or of tables. For a series: a path, data frame, dict of lists or array of
            the steps before the forecast.

    Raises:
        TypeError: If the model cannot take something of that type; the message says what it takes.
        ValueError: If the contract does not say what the model takes, or a column is missing.
    """
<<<<<<< HEAD
    maker = _MAKERS.get(contract.kind)
    if maker is None:
=======
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
    inverted: list[str] = []
    placed: list[str] = []
    for number, source in enumerate(_files(sources, PICTURES, found)):
        name = _name(source, f"picture {number + 1}")
        try:
            largest = READ_AT_MOST * max(form.height, form.width)
            picture = _picture(source, largest)
        except (ValueError, OSError) as error:
            found.errors[name] = _reason(error, name)
            continue
        made = like_training(picture, contract, partial(_picture, source, _LARGE))
        arrays.append(made.pixels)
        found.names.append(name)
        inverted += [name] if made.inverted else []
        placed += [name] if made.placed else []
        if picture.is_blank:
            found.remarks.append(f"{name} is of one colour all over: no answer to it means much.")
    if inverted:
        found.remarks.append(f"Light and dark were swapped, as in training: {_some(inverted)}.")
    if placed:
        found.remarks.append(
            f"Drawings were cropped, scaled and centred as in training: {_some(placed)}."
        )
    found.x = np.stack(arrays) if arrays else None
    return found


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


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
>>>>>>> 7ccf704 (Say when an input is none of the classes; make pictures like training's)
        raise ValueError(
            "The model's file does not say what it was trained on but for the ranges of its "
            "arrays, so files cannot be brought to what it takes.\n"
            "  Fix: model.predict(x) with arrays; or train on what lamina.data.load gives."
        )
    several = _listed(contract, sources)
    if several is not None and not several:
        raise refused(contract, described(sources))
    return maker(contract, [sources] if several is None else several)


def _listed(contract: Contract, sources: Any) -> list[Any] | None:
    """The sources as a list; None if there is one alone."""
    kind = contract.kind
    if isinstance(sources, Iterator) and not hasattr(sources, "read"):
        sources = list(sources)
    if isinstance(sources, (list, tuple)):
        if hasattr(sources, "_asdict"):
            return None  # a row
        if kind == "series" and sources and all(map(_is_value, sources)):
            return None  # the steps themselves
        return list(sources)
    if getattr(sources, "ndim", 0) == {"images": 4, "series": 3}.get(kind):
        return list(sources)
    if kind == "series":
        return None
    if isinstance(sources, np.ndarray) and sources.ndim == 1:
        return list(sources) if is_text(sources) or sources.dtype == object else None
    if is_column(sources):
        names = set(map(str, getattr(sources, "index", ())))
        is_row = kind == "table" and any(column.name in names for column in contract.columns)
        return None if is_row else list(sources)
    return None


def _is_value(value: Any) -> bool:
    return value is None or (is_number(value) and np.ndim(value) == 0)
