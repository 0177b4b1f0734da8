"""Preprocessing as the first layers of a model, so that it is saved with the model.

`encoded` returns the inputs of a model and a tensor of features for the next layers; `decoded`
scales outputs to the units of the target.
"""

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lamina import layers, ops

if TYPE_CHECKING:
    from lamina.data.loading.loaded import LoadedData

# Categories with up to this many values become one-hot vectors, those with more an embedding.
_MAX_ONE_HOT = 32
_MAX_WORDS = 20_000
# Text in a table is one column of many, so fewer words are used.
_MAX_WORDS_IN_TABLE = 2_000
_EPSILON = 1e-6


class Encoded(NamedTuple):
    """The first layers of a model.

    Args:
        inputs: The input of the model, or a dict of inputs by column.
        features: A tensor of numbers for the next layers: `(batch, height, width, channels)` for
            pictures, `(batch, window, columns)` for a series, else `(batch, features)`.
    """

    inputs: Any
    features: Any


def encoded(data: "LoadedData") -> Encoded:
    """The first layers of a model for loaded data, adapted to the training part."""
    if data.kind == "images":
        image = layers.Input(data.train.x.shape[1:], name="image")
        return Encoded(image, layers.Rescaling(1 / 255)(image))
    if data.kind == "text":
        text = layers.Input((), dtype="string", name="text")
        return Encoded(text, _encode_words(text, data.train.x, _MAX_WORDS, name="words"))
    if data.kind == "series":
        series = layers.Input(data.train.x.shape[1:], name="series")
        mean, std = _mean_and_std(series)
        return Encoded(series, (series - mean) / std)
    texts = {column.name for column in data.columns if column.kind == "text"}
    return _encoded_table(data.train.x, texts)


def decoded(data: "LoadedData", outputs: Any, inputs: Any) -> Any:
    """Outputs in the units of the target."""
    if data.class_names is not None:
        raise ValueError("decoded is for numbers, but the target is a class: use softmax.")
    if data.kind == "series":
        mean, std = _mean_and_std(inputs)
        # The first column is the past of the target.
        return outputs * std[:, :, 0] + mean[:, :, 0]
    mean, std = float(data.train.y.mean()), float(data.train.y.std())
    return layers.Rescaling(max(std, _EPSILON), mean, name="units")(outputs)


def _encoded_table(columns: dict[str, np.ndarray], texts: set[str]) -> Encoded:
    names = _layer_names(columns)
    inputs: dict[str, Any] = {}
    features: list[Any] = []
    numbers = {name: values for name, values in columns.items() if values.dtype.kind == "f"}
    for name in numbers:
        inputs[name] = layers.Input((1,), name=names[name])
    if numbers:
        features += _encode_numbers(list(inputs.values()), np.stack(list(numbers.values()), axis=1))
    for name, values in columns.items():
        if name in numbers:
            continue
        inputs[name] = layers.Input((1,), dtype="string", name=names[name])
        if name in texts:
            features.append(_text(inputs[name], names[name], values))
        else:
            features.append(_encode_category(inputs[name], names[name], values))
    inputs = {name: inputs[name] for name in columns}  # in the order of the columns
    all_features = (
        features[0] if len(features) == 1 else layers.Concatenate(name="features")(features)
    )
    return Encoded(inputs, all_features)


def _encode_numbers(inputs: list[Any], values: np.ndarray) -> list[Any]:
    """Numbers scaled to mean 0 and standard deviation 1.

    Missing numbers become 0; if there are any, further columns mark them.
    """
    numbers = inputs[0] if len(inputs) == 1 else layers.Concatenate(name="numbers")(inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns may have no values
        mean = np.nan_to_num(np.nanmean(values, axis=0))
        variance = np.maximum(np.nan_to_num(np.nanvar(values, axis=0)), _EPSILON)
    scaled = layers.Normalization(mean=mean.tolist(), variance=variance.tolist(), name="scaled")(
        numbers
    )
    missing = ops.isnan(numbers)
    features = [ops.where(missing, 0.0, scaled)]
    if np.isnan(values).any():
        features.append(ops.cast(missing, "float32"))
    return features


def _encode_category(tensor: Any, name: str, values: np.ndarray) -> Any:
    """One-hot vectors or embeddings of categories; missing and new values share one more index."""
    categories = sorted({value for value in values if value}) or ["(no value in training)"]
    lookup = layers.StringLookup(
        vocabulary=categories,
        output_mode="one_hot" if len(categories) <= _MAX_ONE_HOT else "int",
        name=f"{name}_values",
    )
    if len(categories) <= _MAX_ONE_HOT:
        return lookup(tensor)
    size = min(32, round(len(categories) ** 0.5) + 1)
    embedding = layers.Embedding(len(categories) + 1, size, name=f"{name}_embedding")
    return layers.Flatten(name=f"{name}_vector")(embedding(lookup(tensor)))


def _text(tensor: Any, name: str, values: np.ndarray) -> Any:
    """The words of a column of texts as a vector of norm 1, or of zeros if no word is known.

    Without the normalization they are several times larger than the scaled numbers of other
    columns, and a network with few rows overfits to them: docs/your-data.md.
    """
    flat = layers.Reshape((), name=f"{name}_text")(tensor)
    words = _encode_words(flat, values, _MAX_WORDS_IN_TABLE, f"{name}_words")
    return layers.UnitNormalization(name=f"{name}_unit")(words)


def _encode_words(tensor: Any, texts: np.ndarray, max_words: int, name: str) -> Any:
    """TF-IDF weights of the words and pairs of words in a text."""
    vectorize = layers.TextVectorization(
        max_tokens=max_words, ngrams=2, output_mode="tf_idf", name=name
    )
    vectorize.adapt(texts)
    # The first column counts unknown words. It is 0 in training, so its weight would not be learnt.
    return vectorize(tensor)[:, 1:]


def _mean_and_std(series: Any) -> tuple[Any, Any]:
    """Mean and standard deviation of each window, by which it is normalized (Kim et al., 2022).

    A growing series leaves the range of its past, where a network without this normalization would
    not follow it.
    """
    mean = ops.mean(series, axis=1, keepdims=True)
    std = ops.std(series, axis=1, keepdims=True) + _EPSILON
    return mean, std


def _layer_names(columns: Iterable[str]) -> dict[str, str]:
    """A unique name for the input of each column, of letters, digits and `_`."""
    names: dict[str, str] = {}
    used_names = {"features", "numbers", "scaled", "units"}
    for column in columns:
        plain = "".join(c if c.isalnum() or c == "_" else "_" for c in column) or "column"
        number, name = 1, plain
        while name.lower() in used_names:
            number, name = number + 1, f"{plain}_{number + 1}"
        used_names.add(name.lower())
        names[column] = name
    return names
