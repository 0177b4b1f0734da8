"""`pad_sequences`: sequences of different length as one array."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.types import DTypeLike
from lamina.core.user_data.data_kinds import may_hold_text


@filter_traceback
def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: DTypeLike = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float | str = 0.0,
) -> np.ndarray:
    """Sequences of different length as one array: short ones are padded, long ones truncated.

    Args:
        sequences: List of sequences, each of steps that are numbers or arrays of one shape.
        maxlen: Number of steps of the result; None means that of the longest sequence.
        dtype: Dtype of the array; `object` for texts.
        padding: Where to pad: `"pre"` before the steps, `"post"` after them.
        truncating: Where to truncate: `"pre"` at the beginning, `"post"` at the end.
        value: The value of the padding.

    Returns:
        Array `(sequences, maxlen, …)`.

    Raises:
        ValueError: If something is not a sequence, or steps differ in shape.

    Example:
        >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2).tolist()
        [[0, 1], [2, 3], [5, 6]]
    """
    for name, where in (("padding", padding), ("truncating", truncating)):
        if where not in ("pre", "post"):
            raise ValueError(f"pad_sequences: {name} is 'pre' or 'post'; received {where!r}.")
    if isinstance(value, str) and not may_hold_text(np.dtype(dtype)):
        raise ValueError(
            f"pad_sequences cannot fill an array of {np.dtype(dtype)} with {value!r}.\n"
            "  Fix: dtype=object."
        )
    rows = [_to_array(sequence, number) for number, sequence in enumerate(sequences)]
    shape = next((row.shape[1:] for row in rows if len(row)), ())
    longest = max(map(len, rows), default=0) if maxlen is None else maxlen
    padded = np.full((len(rows), longest, *shape), value, dtype=dtype)
    for number, row in enumerate(rows):
        if not len(row) or not longest:
            continue
        if row.shape[1:] != shape:
            raise ValueError(
                f"pad_sequences: the steps of sequence {number} have shape {row.shape[1:]}, those "
                f"before it {shape}."
            )
        truncated = row[-longest:] if truncating == "pre" else row[:longest]
        span = slice(longest - len(truncated), None) if padding == "pre" else slice(len(truncated))
        padded[number, span] = truncated
    return padded


def _to_array(sequence: Any, number: int) -> np.ndarray:
    if not hasattr(sequence, "__len__") or isinstance(sequence, (str, bytes)):
        raise ValueError(
            f"pad_sequences takes a list of sequences; element {number} is {sequence!r}.\n"
            "  Fix: pad_sequences([sequence]) for a single one."
        )
    return np.asarray(sequence)
