"""The older text preprocessing of `tf.keras`: `Tokenizer` and hashing of words."""

import hashlib
import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from lamina.core.messages.errors import suggest_similar_names, unknown_argument, unknown_name
from lamina.core.messages.tracebacks import filter_traceback, filter_tracebacks_of_methods

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
_MODES = ("binary", "count", "freq", "tfidf")
# What a Tokenizer has learned; each is a JSON string in its config.
_FITTED_ATTRIBUTES = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")


@filter_traceback
def text_to_word_sequence(
    input_text: str, filters: str = FILTERS, lower: bool = True, split: str = " "
) -> list[str]:
    """The words of a text.

    Args:
        input_text: The text.
        filters: Characters that separate words.
        lower: Whether to convert to lower case first.
        split: Separator of words.

    Returns:
        A list of words.

    Example:
        >>> text_to_word_sequence("Cogito, ergo sum!")
        ['cogito', 'ergo', 'sum']
    """
    text = input_text.lower() if lower else input_text
    text = text.translate({ord(character): split for character in filters})
    return [word for word in text.split(split) if word]


@filter_traceback
def hashing_trick(
    text: str,
    n: int,
    hash_function: Callable[[str], int] | str | None = None,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], Sequence] | None = None,
) -> list[int]:
    """Indices from 1 to n - 1 of the words of a text by a hash; words may share an index.

    Args:
        text: The text.
        n: One more than the largest index.
        hash_function: `"md5"`, or a function from a word to an integer. None is Python's
            `hash`, which differs from one process to the next.
        filters, lower, split: See `text_to_word_sequence`.
        analyzer: Function that splits the text into words instead.

    Returns:
        A list of integers.

    Example:
        >>> hashing_trick("to be or not to be", 50, "md5")
        [15, 5, 8, 36, 15, 5]
    """
    words = (
        text_to_word_sequence(text, filters, lower, split) if analyzer is None else analyzer(text)
    )
    function: Any = hash if hash_function is None else hash_function
    if hash_function == "md5":
        function = _md5
    return [function(word) % (n - 1) + 1 for word in words]


@filter_traceback
def one_hot(
    input_text: str,
    n: int,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], Sequence] | None = None,
) -> list[int]:
    """`hashing_trick` with Python's `hash`; despite its name the result is not one-hot.

    Args:
        input_text: The text.
        n: One more than the largest index.
        filters, lower, split, analyzer: See `hashing_trick`.

    Returns:
        A list of integers.

    Example:
        >>> first, second = one_hot("word word", 10)
        >>> first == second
        True
    """
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


@filter_tracebacks_of_methods
class Tokenizer:
    """Indices of words by frequency: 1 is the most frequent, 0 is reserved for padding.

    In new code use the layer `TextVectorization`, which is saved with the model.

    Args:
        num_words: Only words with indices below this one are used; None for all.
        filters, lower, split: See `text_to_word_sequence`.
        char_level: Whether every character is a word.
        oov_token: Token for unknown words, with index 1; without it they are skipped.
        analyzer: Function that splits a text into words instead of `text_to_word_sequence`.
        **kwargs: `document_count`, as a config has it.

    Example:
        >>> tokenizer = Tokenizer(oov_token="?")
        >>> tokenizer.fit_on_texts(["the cat", "the dog"])
        >>> tokenizer.texts_to_sequences(["the bird"])
        [[2, 1]]
        >>> tokenizer.sequences_to_texts([[2, 1]])
        ['the ?']
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Callable[[str], Sequence] | None = None,
        **kwargs: Any,
    ):
        num_words = kwargs.pop("nb_words", num_words)  # its name in Keras 1
        self.document_count: int = kwargs.pop("document_count", 0)
        if kwargs:
            argument_names = ("num_words", "filters", "lower", "split", "char_level", "oov_token")
            raise unknown_argument("Tokenizer", next(iter(kwargs)), (*argument_names, "analyzer"))
        self.num_words = num_words
        self.filters = filters
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.analyzer = analyzer
        self.word_counts: Any = OrderedDict()
        self.word_docs: Any = defaultdict(int)
        self.index_docs: Any = defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    # -- learning --------------------------------------------------------------------------------

    def fit_on_texts(self, texts: Iterable[Any]) -> None:
        """Count the words of texts, or of lists of words, and assign indices.

        Args:
            texts: Texts, or lists of words.
        """
        for text in texts:
            self.document_count += 1
            words = self._split_words(text)
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in set(words):
                self.word_docs[word] += 1
        # Sorting is stable: words of equal frequency keep the order of their first occurrence.
        frequent = sorted(self.word_counts, key=self.word_counts.get, reverse=True)
        reserved = [] if self.oov_token is None else [self.oov_token]
        self.word_index = {word: i for i, word in enumerate([*reserved, *frequent], start=1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences: Sequence[Sequence[int]]) -> None:
        """Count the sequences that contain each index; for `"tfidf"` without texts.

        Args:
            sequences: Lists of indices, from `texts_to_sequences`.
        """
        self.document_count += len(sequences)
        for sequence in sequences:
            for number in set(sequence):
                self.index_docs[number] += 1

    # -- to numbers and back ---------------------------------------------------------------------

    def texts_to_sequences(self, texts: Iterable[Any]) -> list[list[int]]:
        """The indices of the words of every text.

        Args:
            texts: Texts, or lists of words.

        Returns:
            A list of numbers for every text.
        """
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[Any]) -> Iterator[list[int]]:
        """The indices of the words, one text at a time.

        Args:
            texts: Texts, or lists of words.

        Yields:
            A list of numbers for every text.
        """
        unknown = None if self.oov_token is None else self.word_index.get(self.oov_token)
        for text in texts:
            numbers = (
                self._index_or_unknown(self.word_index.get(w), unknown)
                for w in self._split_words(text)
            )
            yield [number for number in numbers if number is not None]

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """The words of every sequence of numbers, with spaces between them.

        Args:
            sequences: Lists of numbers.

        Returns:
            A text for every sequence.
        """
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """The words of sequences of numbers, one sequence at a time.

        Args:
            sequences: Lists of numbers.

        Yields:
            A text for every sequence.
        """
        unknown = None if self.oov_token is None else self.word_index.get(self.oov_token)
        for sequence in sequences:
            known_numbers = (number if number in self.index_word else None for number in sequence)
            words = (self._index_or_unknown(number, unknown) for number in known_numbers)
            yield " ".join(self.index_word[number] for number in words if number is not None)

    def texts_to_matrix(self, texts: Iterable[Any], mode: str = "binary") -> np.ndarray:
        """One row per text and one column per index; see `sequences_to_matrix`.

        Args:
            texts: Texts, or lists of words.
            mode: `"binary"`, `"count"`, `"freq"` or `"tfidf"`: what the values are.

        Returns:
            Array `(texts, numbers)`.
        """
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(
        self, sequences: Sequence[Sequence[int]], mode: str = "binary"
    ) -> np.ndarray:
        """One row per sequence and one column per index.

        Args:
            sequences: Lists of numbers.
            mode: Values of the matrix: `"binary"` for occurrence, `"count"` for counts, `"freq"`
                for fractions of the words, `"tfidf"` for counts weighted by inverse document
                frequency.

        Returns:
            Array `(sequences, numbers)`, of float64.
        """
        if mode not in _MODES:
            raise unknown_name("mode of sequences_to_matrix", mode, _MODES)
        if not self.num_words and not self.word_index:
            raise ValueError(
                "Tokenizer: the number of columns is not known.\n"
                "  Fix: fit_on_texts(texts) first, or Tokenizer(num_words=…)."
            )
        if mode == "tfidf" and not self.document_count:
            raise ValueError("Tokenizer: mode 'tfidf' needs fit_on_texts(texts) first.")
        width = self.num_words or len(self.word_index) + 1
        matrix = np.zeros((len(sequences), width))
        for row, sequence in zip(matrix, sequences, strict=True):
            counts = Counter(number for number in sequence if number < width)
            for number, count in counts.items():
                row[number] = self._matrix_value(mode, number, count, len(sequence))
        return matrix

    def _split_words(self, text: Any) -> Sequence:
        if self.char_level or isinstance(text, list):
            if not self.lower:
                return text
            return [part.lower() for part in text] if isinstance(text, list) else text.lower()
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def _index_or_unknown(self, number: int | None, unknown: int | None) -> int | None:
        """An index that is in use, else that of unknown words, which may be None."""
        too_rare = number is not None and bool(self.num_words) and number >= self.num_words
        return unknown if number is None or too_rare else number

    def _matrix_value(self, mode: str, number: int, count: int, length: int) -> float:
        if mode == "tfidf":
            documents = self.index_docs.get(number, 0)
            return (1 + np.log(count)) * np.log(1 + self.document_count / (1 + documents))
        return {"binary": 1.0, "count": float(count), "freq": count / length}[mode]

    # -- saving ----------------------------------------------------------------------------------

    def get_config(self) -> dict:
        """The settings and the learned state as plain data.

        Returns:
            A dict that can be written as JSON.
        """
        names = ("num_words", "filters", "lower", "split", "char_level", "oov_token")
        settings = {name: getattr(self, name) for name in (*names, "document_count")}
        return settings | {name: json.dumps(getattr(self, name)) for name in _FITTED_ATTRIBUTES}

    def to_json(self, **kwargs: Any) -> str:
        """The config as JSON, for `tokenizer_from_json`.

        Args:
            **kwargs: For `json.dumps`, e.g. `indent=2`.

        Returns:
            The JSON text.
        """
        return json.dumps({"class_name": "Tokenizer", "config": self.get_config()}, **kwargs)


@filter_traceback
def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The Tokenizer that `to_json` wrote, here or in Keras.

    Args:
        json_string: The JSON text.

    Returns:
        The Tokenizer.

    Example:
        >>> tokenizer = Tokenizer()
        >>> tokenizer.fit_on_texts(["a b a"])
        >>> tokenizer_from_json(tokenizer.to_json()).word_index
        {'a': 1, 'b': 2}
    """
    config = json.loads(json_string)["config"]
    fitted = {name: json.loads(config.pop(name)) for name in _FITTED_ATTRIBUTES}
    tokenizer = Tokenizer(**config)
    for name, table in fitted.items():
        by_number = name.startswith("index_")  # keys are strings in JSON
        setattr(tokenizer, name, {int(k): v for k, v in table.items()} if by_number else table)
    return tokenizer


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


__all__ = ["Tokenizer", "hashing_trick", "one_hot", "text_to_word_sequence", "tokenizer_from_json"]

suggest_similar_names(__name__)
