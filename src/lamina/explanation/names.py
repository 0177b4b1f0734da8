"""What the numbers of a sample are called: columns of tables, words, steps, places in a picture."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lamina.core.user_data.text import Preprocessed
from lamina.explanation.parts import Part

# A vector of so many numbers whose count is a square is taken for a picture.
_LEAST_PIXELS = 64
# Layers of networks that read sequences, whose inputs have the axes (steps, features).
_OF_SEQUENCES = ("Conv1D", "Attention", "LSTM", "GRU", "RNN", "Bidirectional", "TimeDistributed",
                 "Pooling1D")  # fmt: skip


class Contribution(NamedTuple):
    """How much a part of the sample that has a name raised or lowered the score.

    Args:
        name: A column, a word, a place.
        value: Its value in the sample, as text; `""` if the name says it.
        amount: In units of the score.
    """

    name: str
    value: str
    amount: float


class Labels(NamedTuple):
    """The kind of a sample, and names for its numbers.

    Args:
        kind: `"picture"`, `"words"`, `"columns"` or `"numbers"`.
        contributions: The named parts, in the order of the sample; empty for a picture.
        shape: Of a picture, `(height, width)` or `(height, width, channels)`.
    """

    kind: str
    contributions: list[Contribution]
    shape: tuple[int, ...] = ()


def column_names(model: Any, count: int) -> tuple[str, ...] | None:
    """Names of the columns of a model with one input of so many features; None if unknown."""
    learner = model._learner
    names = learner.columns.get("x")
    contract = model.input_contract
    if names is None and contract is not None and contract.kind == "table":
        names = [column.name for column in contract.columns]
    if names is None or len(names) != count:
        return None
    return tuple(map(str, names))


def labelled(
    forward: Any,
    parts: Sequence[Part],
    values: Sequence[np.ndarray],
    sample: Any,
    names: Sequence[str] | Mapping[int, str] | None = None,
) -> Labels:
    """Names for the numbers of a sample, with the attribution of each.

    Args:
        forward: The model, opened up.
        parts: The parts of the sample.
        values: Attributions of each part in the shape of the input, without the batch axis.
        sample: The sample as the user gave it, `(1, …)`.
        names: Names of the features, or of the numbers of words, if the user gives them.
    """
    model = forward.model
    if len(parts) == 1:
        (part,), (value,) = parts, values
        shape = picture_shape(forward, part)
        if shape is not None and names is None:
            return Labels("picture", [], shape)
        if part.words is not None or _counts_words(part):
            return Labels("words", _words(part, value, names))
        return _of_one_array(model, part, value, sample, names)
    contributions: dict[str, float] = {}
    for part, value in zip(parts, values, strict=True):
        name = part.name or "input"
        contributions[name] = contributions.get(name, 0.0) + float(value.sum())
    return Labels(
        "columns",
        [Contribution(name, _value_of(sample, name), a) for name, a in contributions.items()],
    )


def picture_shape(forward: Any, part: Part) -> tuple[int, ...] | None:
    """The shape of the picture that a part is; None if it is none."""
    shape = part.value.shape[1:]
    if part.words is not None or _counts_words(part):
        return None
    contract = forward.model.input_contract
    if contract is not None and contract.kind in ("series", "table", "text"):
        return None
    if len(shape) == 3 and (shape[-1] in (1, 3, 4) or shape[0] in (1, 3)):
        return shape if shape[-1] in (1, 3, 4) else (*shape[1:], shape[0])
    sequences = any(
        word in type(call.layer).__name__ for call in forward.calls for word in _OF_SEQUENCES
    )
    if len(shape) == 2 and min(shape) > 3 and not sequences:
        return shape
    side = math.isqrt(shape[0]) if len(shape) == 1 else 0
    if side * side >= _LEAST_PIXELS and side * side == shape[0]:
        return (side, side) if column_names(forward.model, shape[0]) is None else None
    return None


def as_picture(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An array of a sample as a picture, with the channels last."""
    if array.ndim == 3 and array.shape != shape and array.shape[0] in (1, 3):
        return np.moveaxis(array, 0, -1)
    return array.reshape(shape) if array.size == math.prod(shape) else array


def places(attributions: np.ndarray, count: int = 3) -> list[Contribution]:
    """The places in a picture with the largest attributions, some above and some below 0.

    Each is the middle of 3 × 3 pixels, whose sum is the amount; no two are neighbours.

    Args:
        attributions: `(height, width)` or `(height, width, channels)`.
        count: Number of places above 0, and of those below.
    """
    flat = attributions.sum(axis=-1) if attributions.ndim == 3 else attributions
    padded = np.pad(flat, 1)
    height, width = flat.shape
    sums = sum(padded[i : i + height, j : j + width] for i in range(3) for j in range(3))
    found = []
    for sign in (1, -1):
        left = sign * np.array(sums, dtype=float)
        for _ in range(count):
            row, column = np.unravel_index(int(left.argmax()), left.shape)
            if left[row, column] <= 0:
                break
            amount = float(sign * left[row, column])
            found.append(Contribution(f"row {row}, column {column}", "", amount))
            left[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3] = 0
    return found


def _of_one_array(model: Any, part: Part, value: np.ndarray, sample: Any, names: Any) -> Labels:
    numbers = part.value[0]
    if value.ndim == 1:
        known = _given_names(names, len(value)) or column_names(model, len(value))
        labels = known or tuple(f"x[{i}]" for i in range(len(value)))
        kind = "columns" if known else "numbers"
        rows = zip(labels, numbers, value, strict=True)
        return Labels(kind, [Contribution(n, shown(v), float(a)) for n, v, a in rows])
    if value.ndim == 0:
        return Labels("numbers", [Contribution("x", shown(numbers), float(value))])
    contract = model.input_contract
    columns = [column.name for column in contract.columns] if contract is not None else []
    columns = list(_given_names(names, value.shape[-1]) or columns)
    if len(columns) != value.shape[-1]:
        columns = [f"feature {i}" for i in range(value.shape[-1])]
    contributions = []
    for index in np.ndindex(value.shape):
        step = ", ".join(f"step {i}" for i in index[:-1])
        amount = float(value[index])
        contributions.append(
            Contribution(f"{columns[index[-1]]}, {step}", shown(numbers[index]), amount)
        )
    return Labels("numbers", contributions)


def _counts_words(part: Part) -> bool:
    """Whether a part is the vectors of integers, rather than numbers that were made floats."""
    return part.indices is not None and part.indices.shape != part.value.shape


def _words(part: Part, value: np.ndarray, names: Any) -> list[Contribution]:
    if part.indices is None:  # a vector with a number for each word of the vocabulary
        assert part.words is not None
        there = np.flatnonzero(np.ravel(part.value))
        flat = np.ravel(value)
        known = part.words if len(part.words) == len(flat) else ()
        return [Contribution(known[i] if known else f"word {i}", "", float(flat[i])) for i in there]
    ids, contributions = np.ravel(part.indices), np.ravel(value)
    if len(ids) != len(contributions):  # one vector for all of them
        return [
            Contribution(f"category {i}", "", float(a)) for i, a in enumerate(contributions) if a
        ]
    words: Any = names if isinstance(names, Mapping) else dict(enumerate(names or part.words or ()))
    padding = part.words is not None or not float(np.abs(contributions[ids == 0]).sum())
    return [
        Contribution(str(words.get(int(i), f"number {int(i)}")), "", float(a))
        for i, a in zip(ids, contributions, strict=True)
        if i != 0 or not padding
    ]


def _given_names(names: Any, count: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    if isinstance(names, Mapping) or len(names) != count:
        raise ValueError(
            f"names must be a list of {count} names, one for each feature; received {len(names)}."
        )
    return tuple(map(str, names))


def _value_of(sample: Any, name: str) -> str:
    if isinstance(sample, Preprocessed) or not isinstance(sample, Mapping) or name not in sample:
        return ""
    values = np.ravel(np.asarray(sample[name], dtype=object))
    return shown(values[0]) if len(values) == 1 else ""


def shown(value: Any) -> str:
    """A value of the sample for a table."""
    if isinstance(value, str):
        return value or "(missing)"
    number = float(value)
    return "(missing)" if math.isnan(number) else f"{number:.4g}"
