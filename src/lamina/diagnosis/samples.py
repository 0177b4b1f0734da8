"""Samples of any type as images or text, for reports."""

from typing import Any

import numpy as np

from lamina.core.user_data.data_kinds import is_column, is_table, may_hold_text, rows_at


def join_batches(x: Any, y: Any) -> tuple[Any, Any]:
    """Samples and targets; batches `(x, y)` are concatenated.

    Raises:
        ValueError: If there are no targets.
    """
    if y is not None:
        return x, y
    if hasattr(x, "shape") or isinstance(x, (dict, str)):
        raise ValueError(
            "The targets are missing: pass x and y, or batches (x, y) in place of both."
        )
    batches = [x[i] for i in range(len(x))] if hasattr(x, "__getitem__") else list(x)
    if not batches or any(not isinstance(b, (tuple, list)) or len(b) < 2 for b in batches):
        raise ValueError("Pass x and y, or batches (x, y) in place of both.")
    first = batches[0][0]
    if isinstance(first, dict):
        arrays: Any = {k: np.concatenate([np.asarray(b[0][k]) for b in batches]) for k in first}
    elif isinstance(first, (tuple, list)):
        arrays = [np.concatenate([np.asarray(b[0][i]) for b in batches]) for i in range(len(first))]
    else:
        arrays = np.concatenate([np.asarray(b[0]) for b in batches])
    return arrays, np.concatenate([np.asarray(b[1]) for b in batches])


def take_evenly_spaced(x: Any, count: int) -> Any:
    """Up to `count` samples, evenly spaced."""
    total = count_samples(x)
    if total <= count:
        return x
    indices = np.arange(count) * total // count
    return samples_at(x, indices)


def count_samples(x: Any) -> int:
    """The number of samples."""
    if isinstance(x, dict):
        return count_samples(next(iter(x.values())))
    if isinstance(x, (tuple, list)) and x and hasattr(x[0], "shape"):
        return len(x[0])
    return len(x)


def samples_at(x: Any, indices: Any) -> Any:
    """The samples at these indices."""
    if isinstance(x, dict):
        return {name: samples_at(part, indices) for name, part in x.items()}
    if is_table(x) or is_column(x):
        return rows_at(x, indices)
    if isinstance(x, (tuple, list)):
        if x and hasattr(x[0], "shape"):
            return [samples_at(part, indices) for part in x]
        return [x[i] for i in indices]
    return np.asarray(x)[indices]


def as_images(x: Any) -> np.ndarray | None:
    """Samples as images, `(samples, height, width[, channels])`; None if they are not images."""
    if isinstance(x, (dict, list, tuple)) or is_table(x) or is_column(x):
        return None
    array = np.asarray(x)
    if array.dtype.kind not in "uifb":
        return None
    if array.ndim == 3 and min(array.shape[1:]) > 3:
        return array
    if array.ndim == 4 and array.shape[-1] in (1, 3) and min(array.shape[1:3]) > 3:
        return array
    return None


def as_text(x: Any, index: int, max_length: int = 180) -> str:
    """One sample in a line of text; a missing value is a dash."""
    if is_table(x):
        x = {str(name): x[name].to_numpy() for name in x.columns}
    if isinstance(x, dict):
        values = {name: _format_value(np.asarray(part)[index]) for name, part in x.items()}
        named = (f"{name} {value}" for name, value in values.items())
        text = ", ".join(named if len(values) > 1 else values.values())
    elif isinstance(x, (tuple, list)) and x and hasattr(x[0], "shape"):
        text = "; ".join(_format_value(np.asarray(part)[index]) for part in x)
    else:
        text = _format_value(rows_at(x, index))
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"


def _format_value(value: Any) -> str:
    array = np.asarray(value)
    if may_hold_text(array.dtype) or array.ndim == 0:
        if array.size == 1:
            item = array.item()
            if item is None or str(item) in ("", "nan", "NaN", "NaT", "<NA>"):
                return "–"
            return f"{item:.4g}" if isinstance(item, float) else str(item)
        return " ".join(map(str, array.ravel()))
    shown = array.ravel()[:12]
    return " ".join(f"{v:.4g}" for v in shown) + (" …" if array.size > 12 else "")
