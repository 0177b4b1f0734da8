"""Names for the numbers of a sample: columns of a table, words, steps, regions of a picture."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lamina.core.user_data.text import Preprocessed
from lamina.explanation.features import FeatureArray

# A vector with this many numbers or more, whose count is a square, is taken for a picture.
_MIN_PIXELS = 64
# Parts of the names of layers whose inputs have the axes (steps, features).
_SEQUENCE_LAYERS = ("Conv1D", "Attention", "LSTM", "GRU", "RNN", "Bidirectional", "TimeDistributed",
                 "Pooling1D")  # fmt: skip


class Contribution(NamedTuple):
    """How much a named part of the sample raised or lowered the score.

    Args:
        name: A column, a word, or a region of a picture.
        value: Its value in the sample, as text; `""` if the name says it.
        amount: By how much it raised the score, in units of the score; below 0 if it lowered it.
    """

    name: str
    value: str
    amount: float


class SampleDescription(NamedTuple):
    """The kind of a sample, and the contributions of its named parts.

    Args:
        kind: `"picture"`, `"words"`, `"columns"` or `"numbers"`.
        contributions: The contributions in the order of the sample; empty for a picture.
        shape: Shape of a picture, `(height, width)` or `(height, width, channels)`.
    """

    kind: str
    contributions: list[Contribution]
    shape: tuple[int, ...] = ()


def column_names(model: Any, count: int) -> tuple[str, ...] | None:
    """The column names of a model with one input of `count` features; None if unknown."""
    learner = model._learner
    names = learner.columns.get("x")
    contract = model.input_contract
    if names is None and contract is not None and contract.kind == "table":
        names = [column.name for column in contract.columns]
    if names is None or len(names) != count:
        return None
    return tuple(map(str, names))


def describe_sample(
    forward: Any,
    features: Sequence[FeatureArray],
    values: Sequence[np.ndarray],
    sample: Any,
    names: Sequence[str] | Mapping[int, str] | None = None,
) -> SampleDescription:
    """Name the parts of a sample and give each its attribution.

    Args:
        forward: The model's computation.
        features: The feature arrays of the sample.
        values: Attributions of each array in the shape of the input, without the batch axis.
        sample: The user's sample, `(1, …)`.
        names: The user's names of the columns or word indices; None for those that are known.
    """
    model = forward.model
    if len(features) == 1:
        (feature,), (value,) = features, values
        shape = shape_of_picture(forward, feature)
        if shape is not None and names is None:
            return SampleDescription("picture", [], shape)
        if feature.words is not None or _has_embedded_integers(feature):
            return SampleDescription("words", _words(feature, value, names))
        return _describe_array(model, feature, value, sample, names)
    contributions: dict[str, float] = {}
    for feature, value in zip(features, values, strict=True):
        name = feature.name or "input"
        contributions[name] = contributions.get(name, 0.0) + float(value.sum())
    return SampleDescription(
        "columns",
        [Contribution(name, _value_of(sample, name), a) for name, a in contributions.items()],
    )


def shape_of_picture(forward: Any, feature: FeatureArray) -> tuple[int, ...] | None:
    """The shape of the array as a picture; None if it is not a picture."""
    shape = feature.value.shape[1:]
    if feature.words is not None or _has_embedded_integers(feature):
        return None
    contract = forward.model.input_contract
    if contract is not None and contract.kind in ("series", "table", "text"):
        return None
    if len(shape) == 3 and (shape[-1] in (1, 3, 4) or shape[0] in (1, 3)):
        return shape if shape[-1] in (1, 3, 4) else (*shape[1:], shape[0])
    sequences = any(
        kind in type(call.layer).__name__ for call in forward.calls for kind in _SEQUENCE_LAYERS
    )
    if len(shape) == 2 and min(shape) > 3 and not sequences:
        return shape
    side = math.isqrt(shape[0]) if len(shape) == 1 else 0
    if side * side >= _MIN_PIXELS and side * side == shape[0]:
        return (side, side) if column_names(forward.model, shape[0]) is None else None
    return None


def as_picture(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An array of a sample as a picture, with the channels last."""
    if array.ndim == 3 and array.shape != shape and array.shape[0] in (1, 3):
        return np.moveaxis(array, 0, -1)
    return array.reshape(shape) if array.size == math.prod(shape) else array


def strongest_regions(attributions: np.ndarray, count: int = 3) -> list[Contribution]:
    """The regions of a picture that raise the score most, and those that lower it most.

    A region has 3 × 3 pixels, whose sum is the amount; it is named by its middle. No two regions
    overlap.

    Args:
        attributions: `(height, width)` or `(height, width, channels)`.
        count: Number of regions above 0, and of those below.
    """
    flat = attributions.sum(axis=-1) if attributions.ndim == 3 else attributions
    padded = np.pad(flat, 1)
    height, width = flat.shape
    sums = sum(padded[i : i + height, j : j + width] for i in range(3) for j in range(3))
    regions = []
    for sign in (1, -1):
        remaining = sign * np.array(sums, dtype=float)
        for _ in range(count):
            row, column = np.unravel_index(int(remaining.argmax()), remaining.shape)
            if remaining[row, column] <= 0:
                break
            amount = float(sign * remaining[row, column])
            regions.append(Contribution(f"row {row}, column {column}", "", amount))
            remaining[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3] = 0
    return regions


def _describe_array(
    model: Any, feature: FeatureArray, value: np.ndarray, sample: Any, names: Any
) -> SampleDescription:
    numbers = feature.value[0]
    if value.ndim == 1:
        columns = _check_names(names, len(value)) or column_names(model, len(value))
        kind = "columns" if columns else "numbers"
        rows = zip(columns or [f"x[{i}]" for i in range(len(value))], numbers, value, strict=True)
        return SampleDescription(
            kind, [Contribution(n, format_value(v), float(a)) for n, v, a in rows]
        )
    if value.ndim == 0:
        return SampleDescription(
            "numbers", [Contribution("x", format_value(numbers), float(value))]
        )
    contract = model.input_contract
    last_axis = [column.name for column in contract.columns] if contract is not None else []
    last_axis = list(_check_names(names, value.shape[-1]) or last_axis)
    if len(last_axis) != value.shape[-1]:
        last_axis = [f"feature {i}" for i in range(value.shape[-1])]
    contributions = []
    for index in np.ndindex(value.shape):
        step = ", ".join(f"step {i}" for i in index[:-1])
        amount = float(value[index])
        contributions.append(
            Contribution(f"{last_axis[index[-1]]}, {step}", format_value(numbers[index]), amount)
        )
    return SampleDescription("numbers", contributions)


def _has_embedded_integers(feature: FeatureArray) -> bool:
    """Whether the array holds a vector for each integer, rather than the integers as floats."""
    return feature.indices is not None and feature.indices.shape != feature.value.shape


def _words(feature: FeatureArray, value: np.ndarray, names: Any) -> list[Contribution]:
    if feature.indices is None:  # a vector with a number for each word of the vocabulary
        assert feature.words is not None
        present = np.flatnonzero(np.ravel(feature.value))
        flat = np.ravel(value)
        has_words = len(feature.words) == len(flat)
        return [
            Contribution(feature.words[i] if has_words else f"word {i}", "", float(flat[i]))
            for i in present
        ]
    ids, contributions = np.ravel(feature.indices), np.ravel(value)
    if len(ids) != len(contributions):  # the layer returns one vector for all integers
        return [
            Contribution(f"category {i}", "", float(a)) for i, a in enumerate(contributions) if a
        ]
    words: Any = (
        names if isinstance(names, Mapping) else dict(enumerate(names or feature.words or ()))
    )
    padding = feature.words is not None or not float(np.abs(contributions[ids == 0]).sum())
    return [
        Contribution(str(words.get(int(i), f"number {int(i)}")), "", float(a))
        for i, a in zip(ids, contributions, strict=True)
        if i != 0 or not padding
    ]


def _check_names(names: Any, count: int) -> tuple[str, ...] | None:
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
    return format_value(values[0]) if len(values) == 1 else ""


def format_value(value: Any) -> str:
    """A value of the sample for a table."""
    if isinstance(value, str):
        return value or "(missing)"
    number = float(value)
    return "(missing)" if math.isnan(number) else f"{number:.4g}"
