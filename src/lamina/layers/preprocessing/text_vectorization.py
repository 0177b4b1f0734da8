"""TextVectorization: text as token indices."""

import math
import re
import string
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any

import numpy as np

from lamina.core.configuration import config
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.memory_limit import reserve_bytes
from lamina.core.messages.errors import unknown_name
from lamina.core.serialization import registry
from lamina.core.types import Data, Inputs, Shape, SupportsArray
from lamina.core.user_data.data_kinds import is_text
from lamina.core.user_data.text import as_host_array
from lamina.layers.preprocessing.host_layer import (
    HostLayer,
    batches,
    check_output_mode,
    count_rows,
    encode,
    refuse_sparse,
)
from lamina.layers.preprocessing.index_lookup import refuse_path
from lamina.layers.preprocessing.vocabulary_lookup import StringLookup

# As in Keras, which handles only ASCII letters, punctuation and whitespace.
_LOWER = {ord(capital): capital.lower() for capital in string.ascii_uppercase}
_WITHOUT_PUNCTUATION: dict[int, Any] = dict.fromkeys(map(ord, string.punctuation))
_TABLES = {
    "lower": _LOWER,
    "strip_punctuation": _WITHOUT_PUNCTUATION,
    "lower_and_strip_punctuation": {**_LOWER, **_WITHOUT_PUNCTUATION},
}
_WORD = re.compile(r"[^ \t\n\v\f\r]+")
_OTHER_WHITESPACE = re.compile(r"[\x1c-\x1f]")


class TextVectorization(HostLayer):
    """Maps text to token indices, or to counts of tokens.

    Each text is standardized and split into words, which may be combined to n-grams; each token
    is mapped to its index in a vocabulary. The layer computes on the host; a model that begins with
    it takes text, and the rest of the model is compiled as usual.

    Args:
        max_tokens: Maximum size of the vocabulary, including special tokens; None for no limit.
        standardize: `"lower_and_strip_punctuation"`, `"lower"`, `"strip_punctuation"` (of ASCII;
            other characters are not changed), None, or a function from a NumPy array of texts to
            one of the same shape.
        split: `"whitespace"`, `"character"`, None, or a function from a one-dimensional NumPy
            array of texts to a list of lists of tokens.
        ngrams: Maximum number of words in n-grams, which are additional tokens; a tuple for
            specific lengths. None for words only.
        output_mode: `"int"` gives the indices of the words in order, padded with 0;
            `"multi_hot"`, `"count"` and `"tf_idf"` one vector per text, see `StringLookup`.
        output_sequence_length: For `"int"`: number of tokens, to which texts are truncated or
            padded. None for the longest text of a batch; models whose result depends on the
            padding need a number here.
        pad_to_max_tokens: Make vectors of `max_tokens` for any number of tokens.
        vocabulary: The vocabulary, as a list, an array, or the path of a file with one per line.
            None to learn it by `adapt`.
        idf_weights: For `"tf_idf"` with a given vocabulary: one for each word.
        sparse, ragged: Only False: there are no sparse or ragged arrays.
        encoding: Accepted for compatibility with Keras; bytes are read as UTF-8.
        name: Name of the layer.
        vocabulary_size: Size of a vocabulary that is read later from a file; set by `get_config`.
        **kwargs: `trainable`, `dtype`; see `Layer`.

    Input shape: `(samples,)` or `(samples, 1)`.
    Output shape: `(samples, tokens)`, or `(samples, vocabulary)`.

    Example:
        >>> layer = TextVectorization(output_sequence_length=4)
        >>> layer.adapt(["The cat sat.", "The dog sat on it."])
        >>> layer(["the cat!", "a dog"]).tolist()
        [[2, 7, 0, 0], [1, 6, 0, 0]]
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: str | Callable[..., Any] = "lower_and_strip_punctuation",
        split: str | Callable[..., Any] = "whitespace",
        ngrams: int | Sequence[int] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: str | Sequence[Any] | SupportsArray | None = None,
        idf_weights: Sequence[float] | SupportsArray | None = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        vocabulary_size: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        refuse_sparse("TextVectorization", sparse)
        if ragged:
            raise ValueError(
                "TextVectorization has no ragged output; received ragged=True.\n"
                "  Fix: leave it out; texts are padded with 0, which Embedding(mask_zero=True) "
                "masks."
            )
        modes = ("int", "one_hot", "multi_hot", "count", "tf_idf")
        self._output_mode = check_output_mode("TextVectorization", output_mode, modes)
        self._standardize = _check_choice("standardize", standardize, tuple(_TABLES))
        self._split = _check_choice("split", split, ("whitespace", "character"))
        self._ngrams_arg = ngrams
        self._ngrams = _ngram_lengths(ngrams)
        self._output_sequence_length = _check_length(output_sequence_length, self._output_mode)
        self._encoding = encoding
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            pad_to_max_tokens=pad_to_max_tokens,
            mask_token="",
            output_mode=self._output_mode,
            encoding=encoding,
            vocabulary_size=vocabulary_size,
        )

    @property
    def compute_dtype(self) -> str:
        """`"string"`, because the inputs are text, which is not cast."""
        return "string"

    # -- the vocabulary --------------------------------------------------------------------------

    def adapt(self, data: Data, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary: every token of the texts, the most frequent first.

        Args:
            data: A list, array or column of texts, or an iterable of arrays (batches).
            batch_size: Accepted for compatibility with Keras; the result does not depend on it.
            steps: Number of batches to take; None takes all.
        """
        documents = (
            row for batch in batches(data, steps) for row in self._split_into_tokens(batch)
        )
        self._lookup_layer.adapt_to_documents(documents)
        self.adaptations += 1

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The vocabulary: the index of a token is its position.

        Args:
            include_special_tokens: False to omit `""`, the padding, and `"[UNK]"`.

        Returns:
            A list of tokens.
        """
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """Number of tokens, including special tokens.

        Returns:
            An integer.
        """
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(
        self,
        vocabulary: str | Sequence[Any] | SupportsArray,
        idf_weights: Sequence[float] | SupportsArray | None = None,
    ) -> None:
        """Use a known vocabulary; see `StringLookup.set_vocabulary`.

        Args:
            vocabulary: Tokens in the order of their indices, or the path of a file with one per
                line.
            idf_weights: Inverse document frequency of each; only for the output mode `"tf_idf"`.
        """
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights=idf_weights)
        self.adaptations += 1

    def copy_vocabulary(self, other: "TextVectorization") -> None:
        """Copy the vocabulary of a layer with the same settings.

        Args:
            other: Another TextVectorization.
        """
        self._lookup_layer.copy_vocabulary(other._lookup_layer)

    # -- lookup ----------------------------------------------------------------------------------

    def call(self, inputs: Any) -> np.ndarray:
        """Map every text to indices.

        Args:
            inputs: Texts, `(batch,)` or `(batch, 1)`; lists of tokens if `split` is None.

        Returns:
            NumPy array, encoded as set by `output_mode`; see the class.

        Raises:
            ValueError: If there is no vocabulary yet.
        """
        lookup = self._lookup_layer
        if lookup._tokens is None:
            raise ValueError(
                f"{self._label} has no vocabulary yet.\n"
                "  Fix: layer.adapt(texts) before it is used, or vocabulary=[…]."
            )
        documents = list(self._split_into_tokens(inputs))
        sizes = np.array([len(document) for document in documents], dtype="int64")
        tokens = np.array([token for document in documents for token in document], dtype=object)
        indices = lookup.indices_of(tokens)
        shape = self._sample_shape(tuple(inputs.shape))
        if self._output_mode in ("int", "one_hot"):
            length = self._output_sequence_length
            length = int(sizes.max(initial=0)) if length is None else length
            padding_value = 0 if self._output_mode == "int" else -1
            padded = _pad_rows(indices, sizes, length, padding_value).reshape(*shape, length)
            if self._is_elementwise:
                padded = padded.reshape(inputs.shape)
            return encode(padded, self._output_mode, lookup._depth, config.floatx())
        rows = np.repeat(np.arange(len(sizes)), sizes)
        output_shape, mode, dtype = (len(sizes), lookup._depth), self._output_mode, config.floatx()
        output = count_rows(rows, indices, output_shape, mode, dtype, weights=None)
        if mode == "tf_idf":
            output *= lookup.idf_weights
        return output.reshape(*shape, lookup._depth)

    def _split_into_tokens(self, texts: Any) -> Iterator[list[str]]:
        """The tokens of every text."""
        if not is_text(texts):
            if getattr(texts, "size", 0) == 0:
                return
            raise TypeError(
                f"{self._label} takes text and received numbers ({texts.dtype}).\n"
                "  Fix: pass the texts themselves; word indices go directly into an "
                "Embedding."
            )
        samples = math.prod(self._sample_shape(texts.shape))
        rows = standardize_texts(texts, self._standardize).reshape(samples, -1)
        split = rows.tolist() if self._split is None else split_texts(rows[:, 0], self._split)
        for tokens in split:
            yield tokens if self._ngrams is None else ngrams_of(tokens, self._ngrams)

    @property
    def _is_elementwise(self) -> bool:
        """Whether there is one index for each text."""
        return self._split is None and self._ngrams is None and self._output_sequence_length is None

    def _sample_shape(self, shape: Sequence) -> tuple:
        """The axes of the input that precede the axis of tokens in the output."""
        if len(shape) < 2:
            return tuple(shape)
        if self._split is not None and shape[-1] not in (1, None):
            raise ValueError(
                f"{self._label} splits texts of shape (samples,) or (samples, 1) and received "
                f"shape {tuple(shape)}.\n"
                "  Fix: join the texts of a sample, or split=None if they are already words."
            )
        return tuple(shape[:-1])

    # -- shapes and files ------------------------------------------------------------------------

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        samples = self._sample_shape(input_shape)
        if self._output_mode == "int":
            is_elementwise = self._is_elementwise
            return (
                tuple(input_shape) if is_elementwise else (*samples, self._output_sequence_length)
            )
        tokens = (*samples, None)
        return self._lookup_layer.compute_output_shape(tokens)

    def compute_output_spec(self, inputs: Inputs) -> KerasTensor:
        if inputs.dtype != "string":
            raise TypeError(
                f"{self._label} takes text and received {inputs.dtype}.\n"
                "  Fix: lamina.Input(shape=(1,), dtype='string')."
            )
        dtype = "int64" if self._output_mode == "int" else config.floatx()
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype)

    def get_config(self) -> dict:
        lookup = self._lookup_layer
        vocabulary, weights = lookup.vocabulary_of_config()
        return {
            **super().get_config(),
            "max_tokens": lookup.max_tokens,
            "standardize": self._standardize,
            "split": self._split,
            "ngrams": self._ngrams_arg,
            "output_mode": self._output_mode,
            "output_sequence_length": self._output_sequence_length,
            "pad_to_max_tokens": lookup.pad_to_max_tokens,
            "sparse": False,
            "ragged": False,
            "vocabulary": vocabulary,
            "idf_weights": weights,
            "encoding": self._encoding,
            "vocabulary_size": lookup._vocabulary_size or lookup.vocabulary_size(),
        }

    @classmethod
    def from_config(cls, config: dict) -> Any:
        refuse_path(config)
        functions = {k: registry.deserialize(config.get(k)) for k in ("standardize", "split")}
        ngrams = config.get("ngrams")
        ngrams = tuple(ngrams) if isinstance(ngrams, list) else ngrams
        return super().from_config({**config, **functions, "ngrams": ngrams})

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: MutableMapping[str, Any]) -> None:
        self._lookup_layer.load_own_variables(store)

    def save_assets(self, dir_path: str) -> None:
        """Write the vocabulary to a folder, unless it is in the config.

        Args:
            dir_path: The folder.
        """
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path: str) -> None:
        """Load the vocabulary from the folder that `save_assets` wrote to.

        Args:
            dir_path: The folder.
        """
        self._lookup_layer.load_assets(dir_path)


def standardize_texts(texts: np.ndarray, method: str | Callable | None) -> np.ndarray:
    """Standardized text.

    Args:
        texts: Array of `str`.
        method: As `standardize` of `TextVectorization`.
    """
    if method is None:
        return texts
    if callable(method):
        result = as_host_array(
            method(np.array(texts.tolist(), dtype=str)), "the result of standardize"
        )
        if result.shape != texts.shape or (result.size and not is_text(result)):
            raise ValueError(
                f"standardize must return texts in the shape of its input, {texts.shape}; it "
                f"returned {result.dtype} of shape {result.shape}."
            )
        return result
    table = _TABLES[method]
    result = np.empty(texts.size, dtype=object)
    result[:] = [text.translate(table) for text in texts.ravel().tolist()]
    return result.reshape(texts.shape)


def split_texts(texts: np.ndarray, method: str | Callable) -> list[list[str]]:
    """The tokens of each text of a one-dimensional array.

    Args:
        texts: Array of `str`, `(samples,)`.
        method: As `split` of `TextVectorization`.
    """
    if method == "whitespace":
        return [
            # `split` is faster, but also splits at whitespace that is not ASCII.
            text.split()
            if text.isascii() and not _OTHER_WHITESPACE.search(text)
            else _WORD.findall(text)
            for text in texts.tolist()
        ]
    if method == "character":
        return [list(text) for text in texts.tolist()]
    assert callable(method)
    return [list(map(str, row)) for row in method(np.array(texts.tolist(), dtype=str))]


def ngrams_of(tokens: Sequence[str], lengths: Sequence[int]) -> list[str]:
    """N-grams of tokens, joined by spaces, in the order of `lengths`.

    Example:
        >>> ngrams_of(["a", "b", "c"], (1, 2))
        ['a', 'b', 'c', 'a b', 'b c']
    """
    if isinstance(lengths, range):
        lengths = lengths[: len(tokens)]  # there are no longer n-grams
    return [
        " ".join(tokens[start : start + length])
        for length in lengths
        for start in range(len(tokens) - length + 1)
    ]


def _pad_rows(indices: np.ndarray, sizes: np.ndarray, length: int, padding: int) -> np.ndarray:
    """Rows of `length` indices, truncated or padded."""
    output = np.full((len(sizes), length), padding, dtype="int32")
    position = np.arange(len(indices)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    row = np.repeat(np.arange(len(sizes)), sizes)
    is_token = position < length
    output[row[is_token], position[is_token]] = indices[is_token]
    return output


def _check_choice(name: str, value: Any, allowed: Sequence[str]) -> Any:
    if value is None or callable(value) or value in allowed:
        return value
    raise unknown_name(f"{name} of TextVectorization", value, allowed)


def _ngram_lengths(ngrams: Any) -> Sequence[int] | None:
    if ngrams is None:
        return None
    if isinstance(ngrams, int) and ngrams > 0:
        return range(1, ngrams + 1)
    lengths = ngrams
    if (
        isinstance(lengths, tuple)
        and lengths
        and all(isinstance(n, int) and n > 0 for n in lengths)
    ):
        return lengths
    raise ValueError(
        "TextVectorization: ngrams is an integer, 1 or more, or a tuple of them; received "
        f"{ngrams!r}."
    )


def _check_length(length: Any, output_mode: str) -> int | None:
    if length is None:
        return None
    if output_mode != "int":
        raise ValueError(
            "TextVectorization: output_sequence_length is for output_mode='int'; received "
            f"{length!r} with {output_mode!r}."
        )
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise ValueError(
            "TextVectorization: output_sequence_length is an integer, 1 or more; received "
            f"{length!r}."
        )
    reserve_bytes(4 * length, f"TextVectorization with output_sequence_length={length:,}")
    return length
