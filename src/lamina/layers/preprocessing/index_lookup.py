"""IndexLookup, base class of layers with a vocabulary: learning, lookup and saving."""

from collections import Counter
from collections.abc import Iterable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.configuration import config
from lamina.core.graph.keras_tensor import KerasTensor
from lamina.core.memory_limit import reserve_bytes
from lamina.core.types import Data, Inputs, Shape, SupportsArray
from lamina.core.user_data.arguments import is_number
from lamina.core.user_data.data_kinds import is_text
from lamina.core.user_data.paths import refuse_special_file
from lamina.core.user_data.text import as_host_array
from lamina.layers.preprocessing import fingerprint
from lamina.layers.preprocessing.hashing import check_salt
from lamina.layers.preprocessing.host_layer import (
    HostLayer,
    batches,
    check_output_mode,
    encode,
    encoded_shape,
    refuse_sparse,
    reserve_row_memory,
    to_integers,
)
from lamina.layers.settings import settings_of

_VOCABULARY = "vocabulary.txt"
_SIZE_OF_TOKEN = 64  # bytes of a short Python string in a list
_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")


class IndexLookup(HostLayer):
    """Base class of IntegerLookup and StringLookup: a vocabulary, learned or given.

    A vocabulary begins with the mask token, if there is one and the output is `"int"`, and one or
    more indices for unknown tokens, followed by its tokens. The index of a token is its position in
    `get_vocabulary()`.
    """

    vocabulary_dtype: str

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: str | Sequence[Any] | SupportsArray | None,
        idf_weights: Sequence[float] | SupportsArray | None,
        invert: bool,
        output_mode: str,
        sparse: bool,
        pad_to_max_tokens: bool,
        oov_method: str,
        salt: int | Sequence[int] | None,
        vocabulary_size: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        kind = type(self).__name__
        refuse_sparse(kind, sparse)
        self.output_mode = check_output_mode(kind, output_mode, _MODES)
        self.oov_method = oov_method
        if oov_method not in ("floormod", "farmhash"):
            raise ValueError(
                f"{kind}: oov_method is 'floormod' or 'farmhash'; received {oov_method!r}."
            )
        if salt is not None and self.vocabulary_dtype != "string" and oov_method == "floormod":
            raise ValueError(f"{kind}: a salt is used with oov_method='farmhash' only.")
        if not isinstance(num_oov_indices, int) or num_oov_indices < 0:
            raise ValueError(
                f"{kind}: num_oov_indices is an integer, 0 or more; received {num_oov_indices!r}."
            )
        if invert and (self.output_mode != "int" or oov_token is None):
            raise ValueError(
                f"{kind}: invert=True needs output_mode='int' and an oov_token; received "
                f"{output_mode!r} and {oov_token!r}."
            )
        if pad_to_max_tokens and max_tokens is None:
            raise ValueError(
                f"{kind}: pad_to_max_tokens=True needs max_tokens, the width of the output."
            )
        reserve_bytes(8 * num_oov_indices, f"{kind} with num_oov_indices={num_oov_indices:,}")
        reserve_row_memory(
            kind, self.output_mode, max_tokens if pad_to_max_tokens else vocabulary_size
        )
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.max_tokens = max_tokens
        self.invert = bool(invert)
        self.sparse = False
        self.pad_to_max_tokens = bool(pad_to_max_tokens)
        self.salt = check_salt(kind, salt)
        if max_tokens is not None and not is_number(max_tokens):
            raise TypeError(f"{kind}: max_tokens is an integer; received {max_tokens!r}.")
        if max_tokens is not None and max_tokens <= max(1, self._first_token_index):
            raise ValueError(
                f"{kind}: max_tokens counts all indices, of which {self._first_token_index} are "
                f"for the mask and unknown tokens; received {max_tokens}, which "
                "leaves none for tokens."
            )
        self._check_idf_weights(idf_weights, has_tokens=vocabulary is not None)
        self.input_idf_weights = _as_list(idf_weights)
        is_file = isinstance(vocabulary, (str, Path))
        self.input_vocabulary = None if is_file else _as_list(vocabulary)
        self.idf_weights: np.ndarray | None = None
        # Set when a config is loaded: the vocabulary itself is read from its file afterwards.
        self._vocabulary_size = vocabulary_size
        self._tokens: np.ndarray | None = None  # without special tokens
        self._has_input_vocabulary = vocabulary is not None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    # -- the vocabulary --------------------------------------------------------------------------

    def adapt(self, data: Data, steps: int | None = None) -> None:
        """Learn the vocabulary: every token of the data, the most frequent first.

        Args:
            data: An array or column of tokens, or an iterable of arrays (batches). For
                `"tf_idf"` each row is a document.
            steps: Number of batches to take; None takes all.
        """
        tokens = (self._to_vocabulary_dtype(batch) for batch in batches(data, steps))
        if self.output_mode != "tf_idf":  # only tf-idf depends on where documents end
            tokens = (batch.reshape(1, -1) for batch in tokens if batch.size)
        self.adapt_to_documents(row for batch in tokens for row in _rows(batch).tolist())

    def adapt_to_documents(self, documents: Iterable[list]) -> None:
        """Learn the vocabulary from tokenized documents.

        Args:
            documents: The tokens of each document, as a list.

        Raises:
            ValueError: If the layer was given its vocabulary.
        """
        if self._has_input_vocabulary:
            raise ValueError(
                f"{self._label} was given its vocabulary, so there is nothing to adapt.\n"
                "  Fix: leave out vocabulary=."
            )
        counts: Counter = Counter()
        document_frequencies: Counter = Counter()
        document_count = 0
        for tokens in documents:
            counts.update(tokens)
            if self.output_mode == "tf_idf":
                document_frequencies.update(set(tokens))
            document_count += 1
        if document_count == 0:
            raise ValueError(f"{self._label}: adapt() received no data.")
        counts.pop(self.mask_token, None)
        counts.pop(self.oov_token, None)
        # The most frequent first; equal ones in reverse alphabetical order, as in Keras.
        ordered = sorted(counts, key=lambda token: (counts[token], token), reverse=True)
        if self.max_tokens is not None:
            ordered = ordered[: self.max_tokens - self._first_token_index]
        self._store_tokens(ordered)
        if self.output_mode == "tf_idf":
            frequencies = np.array(
                [document_frequencies[token] for token in ordered], dtype="int64"
            )
            weights = np.log(1 + document_count / (1 + frequencies)).astype(config.floatx())
            average = weights.mean() if weights.size else 0
            self._store_idf_weights(weights, padding_before=self._first_token_index, value=average)

    def set_vocabulary(
        self,
        vocabulary: str | Sequence[Any] | SupportsArray,
        idf_weights: Sequence[float] | SupportsArray | None = None,
    ) -> None:
        """Use a known vocabulary.

        Args:
            vocabulary: The tokens, as a list or array, or the path of a file with one per line. The
                special tokens may come first or be left out.
            idf_weights: For `"tf_idf"`: a number for each token of the vocabulary.
        """
        self._check_idf_weights(idf_weights, has_tokens=True)
        if isinstance(vocabulary, (str, Path)):
            vocabulary = self._from_lines(self._lines_of(Path(vocabulary)))
        tokens = np.asarray(as_host_array(_as_list(vocabulary), f"the vocabulary of {self._label}"))
        if tokens.ndim != 1 or tokens.size == 0:
            raise ValueError(
                f"{self._label}: a vocabulary is a list of one or more tokens; received one of "
                f"shape {tokens.shape}."
            )
        own_tokens = self._to_vocabulary_dtype(tokens).tolist()
        special_tokens = self._special_tokens
        has_special_tokens = own_tokens[: len(special_tokens)] == special_tokens
        own_tokens = own_tokens[len(special_tokens) :] if has_special_tokens else own_tokens
        self._check_tokens(own_tokens, special_tokens)
        if idf_weights is not None and np.shape(idf_weights) != (len(tokens),):
            raise ValueError(
                f"{self._label} needs one idf weight for each of the {len(tokens)} tokens; "
                f"received shape {np.shape(idf_weights)}."
            )
        self._store_tokens(own_tokens)
        if idf_weights is not None:
            weights = np.asarray(idf_weights, config.floatx())
            padding_before = 0 if has_special_tokens else len(special_tokens)
            self._store_idf_weights(weights, padding_before, value=np.average(weights))

    def get_vocabulary(self, include_special_tokens: bool = True) -> list:
        """The vocabulary: the index of a token is its position.

        Args:
            include_special_tokens: False to omit the mask token and those for unknown tokens.

        Returns:
            A list of tokens.
        """
        own_tokens = [] if self._tokens is None else self._tokens.tolist()
        return [*self._special_tokens, *own_tokens] if include_special_tokens else own_tokens

    def vocabulary_size(self) -> int:
        """Number of tokens, including special tokens.

        Returns:
            An integer.
        """
        return self._first_token_index + (0 if self._tokens is None else len(self._tokens))

    def copy_vocabulary(self, other: "IndexLookup") -> None:
        """Copy the vocabulary of a layer with the same settings.

        Args:
            other: A layer of the same class.
        """
        if other._tokens is not None:
            self._store_tokens(other._tokens.tolist())
            self.idf_weights = other.idf_weights

    @property
    def _first_token_index(self) -> int:
        return self._first_oov_index + self.num_oov_indices

    @property
    def _first_oov_index(self) -> int:
        return 1 if self.mask_token is not None and self.output_mode == "int" else 0

    @property
    def _special_tokens(self) -> list:
        return [self.mask_token] * self._first_oov_index + [self.oov_token] * self.num_oov_indices

    @property
    def _depth(self) -> int:
        return int((self.max_tokens if self.pad_to_max_tokens else self._vocabulary_size) or 0)

    def _store_tokens(self, tokens: list) -> None:
        size = self._first_token_index + len(tokens)
        has_fixed_depth = self.output_mode == "int" or self.pad_to_max_tokens
        if (
            not has_fixed_depth
            and self._inbound_nodes
            and self._vocabulary_size not in (None, size)
        ):
            raise RuntimeError(
                f"{self._label} is part of a model built for {self._vocabulary_size} tokens; the "
                f"new vocabulary has {size}.\n"
                "  Fix: adapt it before you build the model, or max_tokens=… with "
                "pad_to_max_tokens=True."
            )
        token_array = np.empty(
            len(tokens), dtype=object if self.vocabulary_dtype == "string" else "int64"
        )
        token_array[:] = tokens
        self._tokens = token_array
        self._vocabulary_size = size
        self.adaptations += 1
        self._prepare_lookup()

    def _store_idf_weights(self, weights: np.ndarray, padding_before: int, value: Any) -> None:
        padding_after = 0
        if self.pad_to_max_tokens:
            assert self.max_tokens is not None
            padding_after = self.max_tokens - padding_before - len(weights)
        padded = np.pad(weights, (padding_before, padding_after), constant_values=(value, 0))
        self.idf_weights = padded.astype(config.floatx())

    def _check_idf_weights(self, weights: Any, has_tokens: bool) -> None:
        if weights is None and has_tokens and self.output_mode == "tf_idf":
            raise ValueError(
                f"{self._label}: output_mode='tf_idf' with a given vocabulary needs idf_weights, "
                "one for each token.\n  Fix: idf_weights=[…], or adapt(data) instead."
            )
        if weights is not None and self.output_mode != "tf_idf":
            raise ValueError(
                f"{self._label}: idf_weights are for output_mode='tf_idf'; it is "
                f"{self.output_mode!r}."
            )

    def _check_tokens(self, tokens: list, special_tokens: list) -> None:
        duplicates = [token for token, count in Counter(tokens).items() if count > 1]
        if duplicates:
            raise ValueError(
                f"{self._label}: the vocabulary has {duplicates[0]!r} more than once.\n"
                "  Fix: vocabulary = list(dict.fromkeys(vocabulary))."
            )
        reserved = [self.mask_token] if self.mask_token is not None else []
        reserved += [self.oov_token] if self.invert else []
        for token in reserved:
            if token in tokens:
                raise ValueError(
                    f"{self._label}: the vocabulary has the reserved token {token!r} at index "
                    f"{tokens.index(token)}.\n  Fix: leave the reserved tokens out, or put all of "
                    f"them first: {special_tokens}."
                )
        size = len(special_tokens) + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                f"{self._label}: the vocabulary has {size} tokens, including the special ones, and "
                f"max_tokens is {self.max_tokens}."
            )

    def _lines_of(self, path: Path) -> list[str]:
        refuse_special_file(path)
        if not path.is_file():
            raise FileNotFoundError(f"{self._label}: there is no vocabulary file {str(path)!r}.")
        if self.output_mode == "tf_idf":
            raise ValueError(
                f"{self._label}: output_mode='tf_idf' takes its vocabulary as a list, with "
                "idf_weights; a file has none."
            )
        return _split_lines(path.read_text(encoding="utf-8"))

    # -- lookup ----------------------------------------------------------------------------------

    def call(self, inputs: Any) -> Any:
        """Look up the index of every token, or the token of every index if `invert` is set.

        Args:
            inputs: Tokens, `(batch, ...)`; indices if `invert` is set.

        Returns:
            Indices, encoded as set by `output_mode`; see the class. Tokens if `invert` is set.

        Raises:
            ValueError: If there is no vocabulary yet, or there is no index for an unknown token.
        """
        if self._tokens is None:
            raise ValueError(
                f"{self._label} has no vocabulary yet.\n"
                "  Fix: layer.adapt(data) before it is used, or vocabulary=[…]."
            )
        if self.invert:
            return self._tokens_at(to_integers(inputs, self._label))
        return self.encode_indices(self.indices_of(self._to_vocabulary_dtype(inputs)))

    def encode_indices(self, indices: Any) -> Any:
        """Encode token indices as `output_mode` says.

        Args:
            indices: The result of `indices_of`.

        Returns:
            The encoded array; see the class.
        """
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        output = encode(indices, mode, self._depth, config.floatx())
        return output * self.idf_weights if self.output_mode == "tf_idf" else output

    def indices_of(self, tokens: Any) -> Any:
        """The index of each token; -1 for masked tokens, unless the output is `"int"`.

        Args:
            tokens: Array of tokens.

        Returns:
            Integers of the same shape.
        """
        numpy: Any = jnp if isinstance(tokens, jax.Array) else np
        positions = self._find_positions(tokens)
        is_known = positions >= 0
        indices = positions + self._first_token_index
        if self.num_oov_indices == 0:
            indices = numpy.where(is_known, indices, -1)
        elif self.num_oov_indices == 1:
            indices = numpy.where(is_known, indices, self._first_oov_index)
        elif isinstance(tokens, jax.Array) or not is_known.all():
            indices = numpy.where(
                is_known, indices, self._first_oov_index + self._oov_bucket(tokens)
            )
        if self.mask_token is not None:
            is_masked = tokens == self.mask_token
            indices = numpy.where(is_masked, 0 if self.output_mode == "int" else -1, indices)
            is_known = is_known | is_masked
        if self.num_oov_indices == 0 and isinstance(tokens, np.ndarray) and not np.all(is_known):
            raise ValueError(
                f"{self._label} has no index for {tokens[~is_known].tolist()[0]!r}, which is not "
                "in its vocabulary.\n  Fix: num_oov_indices=1 gives unknown tokens an index."
            )
        return indices.astype("int32")

    def _oov_bucket(self, tokens: Inputs) -> Any:
        if self.vocabulary_dtype != "string" and self.oov_method == "floormod":
            return tokens % self.num_oov_indices
        return fingerprint.buckets(tokens, self.num_oov_indices, self.salt)

    def _tokens_at(self, indices: Inputs) -> Any:
        if self.vocabulary_dtype == "string" and isinstance(indices, jax.Array):
            if isinstance(indices, jax.core.Tracer):
                raise TypeError(
                    f"{self._label} returns text, which a compiled program cannot.\n"
                    "  Fix: let the model end before it, and call it on the result of predict()."
                )
            indices = np.asarray(indices)
        numpy: Any = jnp if isinstance(indices, jax.Array) else np
        assert self._tokens is not None
        table: Any = np.append(self._tokens, [self.oov_token]).astype(self._tokens.dtype)
        positions = indices - self._first_token_index
        is_known = (positions >= 0) & (positions < len(self._tokens))
        if isinstance(indices, jax.Array):
            table = jnp.asarray(table.astype("int32"))
        tokens = table[numpy.where(is_known, positions, len(self._tokens))]
        if self.mask_token is not None:
            tokens = numpy.where(indices == 0, self.mask_token, tokens)
        return tokens

    def _from_lines(self, lines: list[str]) -> list:
        """Convert the lines of a vocabulary file to tokens."""
        return lines

    def _to_vocabulary_dtype(self, tokens: Inputs) -> Any:
        """The tokens in the vocabulary's dtype; tokens of another kind are refused."""
        raise NotImplementedError

    def _prepare_lookup(self) -> None:
        """Prepare `_find_positions`."""
        raise NotImplementedError

    def _find_positions(self, tokens: Any) -> Any:
        """The position of each token, not counting special tokens; -1 for unknown ones."""
        raise NotImplementedError

    # -- shapes and files ------------------------------------------------------------------------

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if self.output_mode != "int" and not self._depth:
            raise ValueError(
                f"{self._label} has no vocabulary yet, so the width of its output is unknown.\n"
                "  Fix: layer.adapt(data) before you build the model, vocabulary=[…], or "
                "max_tokens=… with pad_to_max_tokens=True."
            )
        return encoded_shape(input_shape, self.output_mode, self._depth)

    def compute_output_spec(self, inputs: Inputs) -> KerasTensor:
        expects_text = self.vocabulary_dtype == "string"
        if is_text(inputs) != (expects_text and not self.invert):
            raise TypeError(self._wrong_type_error(inputs.dtype))
        dtype = "int64" if self.output_mode == "int" else config.floatx()
        dtype = self.vocabulary_dtype if self.invert else dtype
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype)

    def _wrong_type_error(self, received: Any) -> str:
        expects_text = self.vocabulary_dtype == "string" and not self.invert
        if expects_text:
            return (
                f"{self._label} takes text and received {received}.\n"
                "  Fix: IntegerLookup for integers, or x = numpy.asarray(x, str)."
            )
        return (
            f"{self._label} takes integers and received text.\n"
            "  Fix: StringLookup for text, or x = numpy.asarray(x, int)."
        )

    def get_config(self) -> dict:
        names = ["invert", "max_tokens", "num_oov_indices", "oov_token", "mask_token"]
        names += ["output_mode", "sparse", "pad_to_max_tokens", "oov_method", "salt"]
        vocabulary, weights = self.vocabulary_of_config()
        return {
            **super().get_config(),
            **settings_of(self, *names),
            "idf_weights": weights,
            "vocabulary": vocabulary,
            "vocabulary_size": self._vocabulary_size,
        }

    def vocabulary_of_config(self) -> tuple[list | None, list | None]:
        """Vocabulary and idf weights for the config: those given at construction.

        A learned vocabulary is saved in a file of lines, or in the config if a token contains a
        line break.

        Returns:
            The vocabulary and its weights, each None if it was not given.
        """
        if self.input_vocabulary is None and self._has_line_breaks():
            weights = None
            if self.idf_weights is not None:
                weights = self.idf_weights[
                    self._first_token_index : self.vocabulary_size()
                ].tolist()
            return self.get_vocabulary(include_special_tokens=False), weights
        return self.input_vocabulary, self.input_idf_weights

    def _has_line_breaks(self) -> bool:
        if self.vocabulary_dtype != "string" or self._tokens is None:
            return False
        return any(token.splitlines() != [token] for token in self._tokens)

    @classmethod
    def from_config(cls, config: dict) -> Any:
        refuse_path(config)
        return super().from_config(config)

    def get_build_config(self) -> dict:
        return {}

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        if self.idf_weights is not None:
            store["idf_weights"] = self.idf_weights

    def load_own_variables(self, store: MutableMapping[str, Any]) -> None:
        if self.output_mode == "tf_idf" and "idf_weights" in store:
            self.idf_weights = np.asarray(store["idf_weights"], config.floatx())

    def save_assets(self, dir_path: str) -> None:
        """Write the vocabulary to a folder, unless it is in the config.

        Args:
            dir_path: The folder.
        """
        if self.vocabulary_of_config()[0] is None:
            lines = "\n".join(map(str, self.get_vocabulary()))
            Path(dir_path, _VOCABULARY).write_bytes(lines.encode())

    def load_assets(self, dir_path: str) -> None:
        """Load the vocabulary from the folder that `save_assets` wrote to.

        Args:
            dir_path: The folder.
        """
        if self.input_vocabulary is not None:
            return
        path = Path(dir_path, _VOCABULARY)
        content = path.read_bytes() if path.is_file() else b""
        count = content.count(b"\n")
        reserve_bytes(_SIZE_OF_TOKEN * count, f"a vocabulary of {count:,} lines")
        tokens = self._from_lines(_split_lines(content.decode()))
        if tokens == self._special_tokens[: len(tokens)]:  # saved before it was adapted
            if (self._vocabulary_size or 0) > self._first_token_index:
                raise ValueError(f"{_VOCABULARY} is missing or has no tokens.")
            return
        weights = None if self.idf_weights is None else self.idf_weights[: len(tokens)]
        self.set_vocabulary(tokens, idf_weights=weights)


def refuse_path(config: dict) -> None:
    """Refuse a path as vocabulary, so that loading a config never reads other files."""
    if isinstance(config.get("vocabulary"), str):
        raise ValueError(
            f"the vocabulary is the path {config['vocabulary'][:80]!r}, and a config does not open "
            "files.\n  Fix: the list of tokens itself."
        )


def _rows(batch: np.ndarray) -> np.ndarray:
    """A column has one token per row; in a table every row is a document."""
    return batch.reshape(-1, 1) if batch.ndim < 2 else batch.reshape(len(batch), -1)


def _split_lines(text: str) -> list[str]:
    lines = text.replace("\r\n", "\n").split("\n")
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _as_list(values: Inputs) -> Any:
    if hasattr(values, "tolist"):
        return values.tolist()
    return list(values) if isinstance(values, (tuple, list)) else values
