"""Converts files, rows and texts to the inputs that a model's contract describes.

`Predictor.answer` and `lamina predict` use it, so that a user need not prepare arrays.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from lamina.contract import Contract
from lamina.core.user_data.arguments import is_number
from lamina.core.user_data.data_kinds import is_column, is_text
from lamina.prediction.raw_pictures import convert_pictures
from lamina.prediction.raw_rows import convert_rows
from lamina.prediction.raw_series import convert_series
from lamina.prediction.raw_sources import RawInputs, describe_value, unsupported_input_error
from lamina.prediction.raw_texts import convert_texts

_CONVERTERS: dict[str, Callable[[Contract, Sequence[Any]], RawInputs]] = {
    "images": convert_pictures,
    "table": convert_rows,
    "text": convert_texts,
    "series": convert_series,
}


def read_inputs(contract: Contract, sources: Any) -> RawInputs:
    """Convert files, rows, texts or arrays to inputs of a model.

    Args:
        contract: The contract of the model.
        sources: One source or a list of them. For pictures: paths, folders, bytes, Pillow images,
            arrays. For tables: paths, data frames, rows as dicts. For texts: texts, paths of
            `.txt` files or of tables. For a series: a path, data frame, dict of lists or array of
            the steps before the forecast.

    Raises:
        TypeError: If the model cannot take something of that type; the message says what it takes.
        ValueError: If the contract does not say what the model takes, or a column is missing.
    """
    converter = _CONVERTERS.get(contract.kind)
    if converter is None:
        raise ValueError(
            "The model's file has only the ranges of the arrays that it was trained on, so files "
            "cannot be converted to its inputs.\n"
            "  Fix: model.predict(x) with arrays; or train on data of lamina.data.load."
        )
    source_list = _as_list(contract, sources)
    if source_list is not None and not source_list:
        raise unsupported_input_error(contract, describe_value(sources))
    return converter(contract, [sources] if source_list is None else source_list)


def _as_list(contract: Contract, sources: Any) -> list[Any] | None:
    """The sources as a list; None if there is a single source."""
    kind = contract.kind
    if isinstance(sources, Iterator) and not hasattr(sources, "read"):
        sources = list(sources)
    if isinstance(sources, (list, tuple)):
        if hasattr(sources, "_asdict"):
            return None  # a row
        if kind == "series" and sources and all(map(_is_single_value, sources)):
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


def _is_single_value(value: Any) -> bool:
    return value is None or (is_number(value) and np.ndim(value) == 0)
