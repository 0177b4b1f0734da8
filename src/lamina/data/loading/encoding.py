"""Preprocessing as the first layers of a model, so that it is saved and used wherever the model is.

`encoded` gives the inputs of a model and a tensor to go on from; `decoded` brings what comes out
back to the units of the target.
"""

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lamina import layers, ops

if TYPE_CHECKING:
    from lamina.data.loading.loaded import LoadedData

# Categories of so many values become one-hot vectors, those of more an embedding.
_MOST_ONE_HOT = 32
_MOST_WORDS = 20_000
# Text in a table is one column of many.
_MOST_WORDS_IN_TABLE = 2_000
_SMALLEST_SPREAD = 1e-6


class Encoded(NamedTuple):
    """The beginning of a model.

    Args:
        inputs: What the model takes: an input, or a dict of them by column.
        features: A tensor of numbers for the layers that follow: `(batch, height, width, channels)`
            for pictures, `(batch, window, columns)` for a series, else `(batch, features)`.
    """

    inputs: Any
    features: Any


def encoded(data: "LoadedData") -> Encoded:
    """The first layers for loaded data. What they have to know is learnt from the training part."""
    if data.kind == "images":
        image = layers.Input(data.train.x.shape[1:], name="image")
        return Encoded(image, layers.Rescaling(1 / 255)(image))
    if data.kind == "text":
        text = layers.Input((), dtype="string", name="text")
        return Encoded(text, _words(text, data.train.x, _MOST_WORDS, name="words"))
    if data.kind == "series":
        series = layers.Input(data.train.x.shape[1:], name="series")
        centre, spread = _centre_and_spread(series)
        return Encoded(series, (series - centre) / spread)
    texts = {column.name for column in data.columns if column.kind == "text"}
    return _encoded_table(data.train.x, texts)


def decoded(data: "LoadedData", outputs: Any, inputs: Any) -> Any:
    """Outputs in the units of the target."""
    if data.class_names is not None:
        raise ValueError("decoded is for numbers, and the target is a class: use softmax.")
    if data.kind == "series":
        centre, spread = _centre_and_spread(inputs)
        # The target's own past is the first column.
        return outputs * spread[:, :, 0] + centre[:, :, 0]
    mean, spread = float(data.train.y.mean()), float(data.train.y.std())
    return layers.Rescaling(max(spread, _SMALLEST_SPREAD), mean, name="units")(outputs)


def _encoded_table(columns: dict[str, np.ndarray], texts: set[str]) -> Encoded:
    names = _layer_names(columns)
    inputs: dict[str, Any] = {}
    features: list[Any] = []
    numbers = {name: values for name, values in columns.items() if values.dtype.kind == "f"}
    for name in numbers:
        inputs[name] = layers.Input((1,), name=names[name])
    if numbers:
        features += _numbers(list(inputs.values()), np.stack(list(numbers.values()), axis=1))
    for name, values in columns.items():
        if name in numbers:
            continue
        inputs[name] = layers.Input((1,), dtype="string", name=names[name])
        if name in texts:
            features.append(_text(inputs[name], names[name], values))
        else:
            features.append(_category(inputs[name], names[name], values))
    # The order in which the columns were.
    inputs = {name: inputs[name] for name in columns}
    features_together = (
        features[0] if len(features) == 1 else layers.Concatenate(name="features")(features)
    )
    return Encoded(inputs, features_together)


def _numbers(inputs: list[Any], values: np.ndarray) -> list[Any]:
    """Numbers with mean 0 and spread 1, missing ones as 0, and which were missing."""
    features_together = (
        inputs[0] if len(inputs) == 1 else layers.Concatenate(name="numbers")(inputs)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns without a value
        mean = np.nan_to_num(np.nanmean(values, axis=0))
        variance = np.maximum(np.nan_to_num(np.nanvar(values, axis=0)), _SMALLEST_SPREAD)
    scaled = layers.Normalization(mean=mean.tolist(), variance=variance.tolist(), name="scaled")(
        features_together
    )
    missing = ops.isnan(features_together)
    features = [ops.where(missing, 0.0, scaled)]
    if np.isnan(values).any():
        features.append(ops.cast(missing, "float32"))
    return features


def _category(tensor: Any, name: str, values: np.ndarray) -> Any:
    """One-hot or embedded values. What is missing or was not seen in training is one value more."""
    known = sorted({value for value in values if value}) or ["(no value in training)"]
    lookup = layers.StringLookup(
        vocabulary=known,
        output_mode="one_hot" if len(known) <= _MOST_ONE_HOT else "int",
        name=f"{name}_values",
    )
    if len(known) <= _MOST_ONE_HOT:
        return lookup(tensor)
    size = min(32, round(len(known) ** 0.5) + 1)
    embedding = layers.Embedding(len(known) + 1, size, name=f"{name}_embedding")
    return layers.Flatten(name=f"{name}_vector")(embedding(lookup(tensor)))


def _text(tensor: Any, name: str, values: np.ndarray) -> Any:
    """The words of a column of texts, as a vector of length 1, or 0 if none is known.

    Otherwise they are several times larger than the scaled numbers of other columns, and a network
    learns its few rows by heart from them: docs/your-data.md.
    """
    flat = layers.Reshape((), name=f"{name}_text")(tensor)
    words = _words(flat, values, _MOST_WORDS_IN_TABLE, f"{name}_words")
    return layers.UnitNormalization(name=f"{name}_unit")(words)


def _words(tensor: Any, texts: np.ndarray, most: int, name: str) -> Any:
    """Which words and pairs of words a text has, weighted by how rare they are."""
    vectorize = layers.TextVectorization(max_tokens=most, ngrams=2, output_mode="tf_idf", name=name)
    vectorize.adapt(texts)
    # The first number counts words that were not seen in training, so no weight for it is learnt.
    return vectorize(tensor)[:, 1:]


def _centre_and_spread(series: Any) -> tuple[Any, Any]:
    """Mean and spread of each window, which forecasts are relative to (Kim et al., 2022).

    A series that grows leaves the range of its past, which a network would not follow.
    """
    centre = ops.mean(series, axis=1, keepdims=True)
    spread = ops.std(series, axis=1, keepdims=True) + _SMALLEST_SPREAD
    return centre, spread


def _layer_names(columns: Iterable[str]) -> dict[str, str]:
    """A name for the input of each column: letters, digits and `_`, and no two alike."""
    names: dict[str, str] = {}
    taken = {"features", "numbers", "scaled", "units"}
    for column in columns:
        plain = "".join(c if c.isalnum() or c == "_" else "_" for c in column) or "column"
        number, name = 1, plain
        while name.lower() in taken:
            number, name = number + 1, f"{plain}_{number + 1}"
        taken.add(name.lower())
        names[column] = name
    return names
