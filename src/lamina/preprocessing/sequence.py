"""Sequence preprocessing of `tf.keras`: padding, windows of time series, skip-grams."""

import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.core.messages.errors import suggest_similar_names
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods
from lamina.training.feeds.py_dataset import PyDataset
from lamina.utils.sequences import pad_sequences


@filter_tracebacks_of_methods
class TimeseriesGenerator(PyDataset):
    """Batches of windows of a time series, with the target at the step after each window.

    `utils.timeseries_dataset_from_array` is the newer way.

    Args:
        data: Array or list, `(steps, …)`.
        targets: One for each step of `data`.
        length: Number of steps of a window.
        sampling_rate: Distance of the steps that are used in a window.
        stride: Number of steps between windows.
        start_index, end_index: First and last step that are used; None for the last step.
        shuffle: Whether windows are drawn at random, from NumPy's global generator.
        reverse: Whether to reverse the steps of a window.
        batch_size: Windows in a batch.
        **kwargs: See `PyDataset`.

    Example:
        >>> series = np.arange(6)
        >>> x, y = TimeseriesGenerator(series, series, length=2, batch_size=3)[0]
        >>> x.tolist(), y.tolist()
        ([[0, 1], [1, 2], [2, 3]], [2, 3, 4])
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if len(data) != len(targets):
            raise ValueError(
                f"TimeseriesGenerator: data has {len(data)} steps and targets has {len(targets)}."
            )
        self.data = data
        self.targets = targets
        self.length = length
        self.sampling_rate = sampling_rate
        self.stride = stride
        self.start_index = start_index + length  # the target of the first window
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle = shuffle
        self.reverse = reverse
        self.batch_size = batch_size
        if self.start_index > self.end_index:
            raise ValueError(
                f"TimeseriesGenerator: after {self.start_index} steps of the first window nothing "
                f"is left up to end_index={self.end_index}.\n"
                "  Fix: a smaller length, or more data."
            )

    def __len__(self) -> int:
        steps = self.end_index - self.start_index + 1
        return -(-steps // (self.batch_size * self.stride))

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            span = self.batch_size * self.stride
            first = self.start_index + span * index
            rows = np.arange(first, min(first + span, self.end_index + 1), self.stride)
        windows = [self.data[row - self.length : row : self.sampling_rate] for row in rows]
        samples = np.array(windows)
        targets = np.array([self.targets[row] for row in rows])
        return (samples[:, ::-1] if self.reverse else samples), targets

    def get_config(self) -> dict:
        """The settings and data as plain data, with Keras's keys.

        Returns:
            A dict that can be written as JSON.
        """
        names = ("length", "sampling_rate", "stride", "start_index", "end_index")
        names += ("shuffle", "reverse", "batch_size")  # type: ignore[assignment]
        config = {name: getattr(self, name) for name in names}
        return {"data": _to_json(self.data), "targets": _to_json(self.targets), **config}

    def to_json(self, **kwargs: Any) -> str:
        """The config as JSON.

        Args:
            **kwargs: For `json.dumps`, e.g. `indent=2`.

        Returns:
            The JSON text.
        """
        record = {"class_name": "TimeseriesGenerator", "config": self.get_config()}
        return json.dumps(record, **kwargs)


@filter_traceback
def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """Probability of each word to be a centre word of `skipgrams`, by its rank in frequency.

    Frequencies are estimated from ranks by Zipf's law; frequent words are sampled less.

    Args:
        size: Number of words.
        sampling_factor: The larger it is, the more frequent words are kept; as in word2vec.

    Returns:
        Array `(size,)` of fractions from 0 to 1.

    Source: Mikolov et al., 2013, "Distributed Representations of Words and Phrases and their
    Compositionality", arXiv:1310.4546.

    Example:
        >>> make_sampling_table(3).round(5).tolist()
        [0.00315, 0.00315, 0.00548]
    """
    rank = np.arange(size)
    rank[0] = 1
    # The inverse frequency by Zipf's law.
    inverse_frequency = rank * (np.log(rank) + 0.577) + 0.5 - 1.0 / (12.0 * rank)
    return np.minimum(1.0, np.sqrt(sampling_factor * inverse_frequency))


@filter_traceback
def skipgrams(
    sequence: Sequence[int],
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list, list]:
    """Pairs of words within a window, and random pairs, with labels.

    Args:
        sequence: Indices of words; 0 is padding and is skipped.
        vocabulary_size: One more than the largest number.
        window_size: Maximum distance of the words of a pair.
        negative_samples: Number of random pairs for each true pair.
        shuffle: Whether pairs come in random order, from Python's global generator.
        categorical: Whether labels are `[0, 1]` and `[1, 0]` instead of 1 and 0.
        sampling_table: Probability of each word to be a centre word; see `make_sampling_table`.
        seed: Seed of the order. It also seeds Python's generator, as in Keras.

    Returns:
        The pairs `[word, other]`, and the labels: 1 for pairs within a window.

    Example:
        >>> skipgrams([1, 2, 3], 4, window_size=1, negative_samples=0, shuffle=False)
        ([[1, 2], [2, 1], [2, 3], [3, 2]], [1, 1, 1, 1])
    """
    pairs: list[list[int]] = []
    for position, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < random.random()):
            continue
        first, last = max(0, position - window_size), position + window_size
        around = (sequence[i] for i in range(first, min(len(sequence), last + 1)) if i != position)
        pairs += [[word, other] for other in around if other]
    true, false = ([0, 1], [1, 0]) if categorical else (1, 0)
    labels: list[Any] = [true] * len(pairs)
    if negative_samples > 0 and pairs:
        words = [word for word, _ in pairs]
        random.shuffle(words)
        negative_count = int(len(labels) * negative_samples)
        pairs += [
            [words[i % len(words)], random.randint(1, vocabulary_size - 1)]
            for i in range(negative_count)
        ]
        labels += [false] * negative_count
    if shuffle:
        seed = random.randint(0, 10_000_000) if seed is None else seed
        for values in (pairs, labels):  # in the same order
            random.seed(seed)
            random.shuffle(values)
    return pairs, labels


def _to_json(values: Any) -> str:
    try:
        return json.dumps(values.tolist() if isinstance(values, np.ndarray) else values)
    except TypeError as error:
        raise TypeError(f"TimeseriesGenerator cannot be written as JSON: {error}.") from None


__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]

suggest_similar_names(__name__)
