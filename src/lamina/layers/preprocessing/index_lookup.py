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
from lamina.core.user_data.text import as_values
from lamina.layers.preprocessing import fingerprint
from lamina.layers.preprocessing.hashing import check_salt
from lamina.layers.preprocessing.host_layer import (
    HostLayer,
    batches,
    check_output_mode,
    count_row,
    encode,
    encoded_shape,
    refuse_sparse,
    to_integers,
)
from lamina.layers.settings import settings_of

_VOCABULARY = "vocabulary.txt"
_SIZE_OF_TOKEN = 64  # bytes of a short text of Python in a list
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
            raise ValueError(f"{kind}: pad_to_max_tokens=True needs max_tokens, the width to fill.")
        reserve_bytes(8 * num_oov_indices, f"{kind} with num_oov_indices={num_oov_indices:,}")
        count_row(kind, self.output_mode, max_tokens if pad_to_max_tokens else vocabulary_size)
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
        if max_tokens is not None and max_tokens <= max(1, self._first_token):
            raise ValueError(
                f"{kind}: max_tokens counts all places, of which {self._first_token} are for the "
                f"mask and unknown tokens; received {max_tokens}, which leaves none."
            )
        self._check_idf_weights(idf_weights, has_tokens=vocabulary is not None)
        self.input_idf_weights = _as_list(idf_weights)
        is_file = isinstance(vocabulary, (str, Path))
        self.input_vocabulary = None if is_file else _as_list(vocabulary)
        self.idf_weights: np.ndarray | None = None
        # A config with its size is followed by a file with the vocabulary.
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
        if self.output_mode != "tf_idf":  # documents make no difference
            tokens = (batch.reshape(1, -1) for batch in tokens if batch.size)
        self.adapt_to_documents(row for batch in tokens for row in _rows(batch).tolist())

    def adapt_to_documents(self, documents: Iterable[list]) -> None:
        """Learn the vocabulary of documents, each given as its tokens.

        Args:
            documents: Lists of tokens.

        Raises:
            ValueError: If the layer was given its vocabulary.
        """
        if self._has_input_vocabulary:
            raise ValueError(
                f"{self._label} was given its vocabulary, so there is nothing to adapt.\n"
                "  Fix: leave out vocabulary=."
            )
        counts: Counter = Counter()
        documents_with: Counter = Counter()
        number = 0
        for tokens in documents:
            counts.update(tokens)
            if self.output_mode == "tf_idf":
                documents_with.update(set(tokens))
            number += 1
        if number == 0:
            raise ValueError(f"{self._label}: adapt() received no data.")
        counts.pop(self.mask_token, None)
        counts.pop(self.oov_token, None)
        # The most frequent first; equal ones in reverse alphabetical order, as in Keras.
        ordered = sorted(counts, key=lambda token: (counts[token], token), reverse=True)
        if self.max_tokens is not None:
            ordered = ordered[: self.max_tokens - self._first_token]
        self._keep(ordered)
        if self.output_mode == "tf_idf":
            having = np.array([documents_with[token] for token in ordered], dtype="int64")
            weights = np.log(1 + number / (1 + having)).astype(config.floatx())
            average = weights.mean() if weights.size else 0
            self._keep_idf_weights(weights, in_front=self._first_token, value=average)

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
        tokens = np.asarray(as_values(_as_list(vocabulary), f"the vocabulary of {self._label}"))
        if tokens.ndim != 1 or tokens.size == 0:
            raise ValueError(
                f"{self._label}: a vocabulary is a list of one or more tokens; received one of "
                f"shape {tokens.shape}."
            )
        own_tokens = self._to_vocabulary_dtype(tokens).tolist()
        special = self._special_tokens
        complete = own_tokens[: len(special)] == special
        own_tokens = own_tokens[len(special) :] if complete else own_tokens
        self._check_tokens(own_tokens, special)
        if idf_weights is not None and np.shape(idf_weights) != (len(tokens),):
            raise ValueError(
                f"{self._label} needs one idf weight for each of the {len(tokens)} tokens; "
                f"received shape {np.shape(idf_weights)}."
            )
        self._keep(own_tokens)
        if idf_weights is not None:
            weights = np.asarray(idf_weights, config.floatx())
            in_front = 0 if complete else len(special)
            self._keep_idf_weights(weights, in_front, value=np.average(weights))

    def get_vocabulary(self, include_special_tokens: bool = True) -> list:
        """The vocabulary: the index of a token is its position.

        Args:
            include_special_tokens: False to omit the mask token and the tokens for unknown ones.

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
        return self._first_token + (0 if self._tokens is None else len(self._tokens))

    def copy_vocabulary(self, other: "IndexLookup") -> None:
        """Copy the vocabulary of a layer with the same settings.

        Args:
            other: A layer of the same class.
        """
        if other._tokens is not None:
            self._keep(other._tokens.tolist())
            self.idf_weights = other.idf_weights

    @property
    def _first_token(self) -> int:
        return self._first_unknown + self.num_oov_indices

    @property
    def _first_unknown(self) -> int:
        return 1 if self.mask_token is not None and self.output_mode == "int" else 0

    @property
    def _special_tokens(self) -> list:
        return [self.mask_token] * self._first_unknown + [self.oov_token] * self.num_oov_indices

    @property
    def _depth(self) -> int:
        return int((self.max_tokens if self.pad_to_max_tokens else self._vocabulary_size) or 0)

    def _keep(self, tokens: list) -> None:
        size = self._first_token + len(tokens)
        has_fixed_depth = self.output_mode == "int" or self.pad_to_max_tokens
        if (
            not has_fixed_depth
            and self._inbound_nodes
            and self._vocabulary_size not in (None, size)
        ):
            raise RuntimeError(
                f"{self._label} stands in a model made for {self._vocabulary_size} tokens; the new "
                f"vocabulary has {size}.\n"
                "  Fix: adapt it before the model is made, or max_tokens=… with "
                "pad_to_max_tokens=True."
            )
        token_array = np.empty(
            len(tokens), dtype=object if self.vocabulary_dtype == "string" else "int64"
        )
        token_array[:] = tokens
        self._tokens = token_array
        self._vocabulary_size = size
        self.adaptations += 1
        self._index()

    def _keep_idf_weights(self, weights: np.ndarray, in_front: int, value: Any) -> None:
        behind = self.max_tokens - in_front - len(weights) if self.pad_to_max_tokens else 0  # type: ignore[operator]
        padded = np.pad(weights, (in_front, behind), constant_values=(value, 0))
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

    def _check_tokens(self, tokens: list, special: list) -> None:
        twice = [token for token, count in Counter(tokens).items() if count > 1]
        if twice:
            raise ValueError(
                f"{self._label}: the vocabulary has {twice[0]!r} more than once.\n"
                "  Fix: vocabulary = list(dict.fromkeys(vocabulary))."
            )
        reserved = [self.mask_token] if self.mask_token is not None else []
        reserved += [self.oov_token] if self.invert else []
        for token in reserved:
            if token in tokens:
                raise ValueError(
                    f"{self._label}: the vocabulary has the reserved token {token!r} at place "
                    f"{tokens.index(token)}.\n  Fix: leave the reserved tokens out, or put all of "
                    f"them first: {special}."
                )
        size = len(special) + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                f"{self._label}: the vocabulary has {size} tokens, the special ones included, and "
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
        return _lines(path.read_text(encoding="utf-8"))

    # -- looking up ------------------------------------------------------------------------------

    def call(self, inputs: Any) -> Any:
        """Look up the index of every token, or the token of every index if `invert` is set.

        Args:
            inputs: Tokens, `(batch, ...)`; numbers if `invert` is set.

        Returns:
            Indices in the output mode, see the class; tokens if `invert` is set.

        Raises:
            ValueError: If there is no vocabulary yet, or an unknown token has no number.
        """
        if self._tokens is None:
            raise ValueError(
                f"{self._label} has no vocabulary yet.\n"
                "  Fix: layer.adapt(data) before it is used, or vocabulary=[…]."
            )
        if self.invert:
            return self._tokens_at(to_integers(inputs, self._label))
        return self.encoded(self.indices_of(self._to_vocabulary_dtype(inputs)))

    def encoded(self, numbers: Any) -> Any:
        """Encode the indices of tokens in the output mode.

        Args:
            numbers: The result of `indices_of`.

        Returns:
            Array in the output mode; see the class.
        """
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        output = encode(numbers, mode, self._depth, config.floatx())
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
        numbers = positions + self._first_token
        if self.num_oov_indices == 0:
            numbers = numpy.where(is_known, numbers, -1)
        elif self.num_oov_indices == 1:
            numbers = numpy.where(is_known, numbers, self._first_unknown)
        elif isinstance(tokens, jax.Array) or not is_known.all():
            numbers = numpy.where(is_known, numbers, self._first_unknown + self._bucket_of(tokens))
        if self.mask_token is not None:
            masked = tokens == self.mask_token
            numbers = numpy.where(masked, 0 if self.output_mode == "int" else -1, numbers)
            is_known = is_known | masked
        if self.num_oov_indices == 0 and isinstance(tokens, np.ndarray) and not np.all(is_known):
            raise ValueError(
                f"{self._label} has no place for {tokens[~is_known].tolist()[0]!r}, which is not "
                "in its vocabulary.\n  Fix: num_oov_indices=1 gives unknown tokens a number."
            )
        return numbers.astype("int32")

    def _bucket_of(self, tokens: Inputs) -> Any:
        if self.vocabulary_dtype != "string" and self.oov_method == "floormod":
            return tokens % self.num_oov_indices
        return fingerprint.buckets(tokens, self.num_oov_indices, self.salt)

    def _tokens_at(self, numbers: Inputs) -> Any:
        if self.vocabulary_dtype == "string" and isinstance(numbers, jax.Array):
            if isinstance(numbers, jax.core.Tracer):
                raise TypeError(
                    f"{self._label} gives text, which cannot come out of a compiled program.\n"
                    "  Fix: let the model end before it, and call it on what predict() gives."
                )
            numbers = np.asarray(numbers)
        numpy: Any = jnp if isinstance(numbers, jax.Array) else np
        assert self._tokens is not None
        table: Any = np.append(self._tokens, [self.oov_token]).astype(self._tokens.dtype)
        positions = numbers - self._first_token
        is_known = (positions >= 0) & (positions < len(self._tokens))
        if isinstance(numbers, jax.Array):
            table = jnp.asarray(table.astype("int32"))
        tokens = table[numpy.where(is_known, positions, len(self._tokens))]
        if self.mask_token is not None:
            tokens = numpy.where(numbers == 0, self.mask_token, tokens)
        return tokens

    def _from_lines(self, lines: list[str]) -> list:
        """The tokens of the lines of a file."""
        return lines

    def _to_vocabulary_dtype(self, tokens: Inputs) -> Any:
        """The tokens in the vocabulary's dtype; tokens of another kind are refused."""
        raise NotImplementedError

    def _index(self) -> None:
        """Prepare `_find_positions`."""
        raise NotImplementedError

    def _find_positions(self, tokens: Any) -> Any:
        """The position of each token without special tokens; -1 for unknown ones."""
        raise NotImplementedError

    # -- shapes and files ------------------------------------------------------------------------

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if self.output_mode != "int" and not self._depth:
            raise ValueError(
                f"{self._label} has no vocabulary yet, so the width of its output is unknown.\n"
                "  Fix: layer.adapt(data) before the model is made, vocabulary=[…], or "
                "max_tokens=… with pad_to_max_tokens=True."
            )
        return encoded_shape(input_shape, self.output_mode, self._depth)

    def compute_output_spec(self, inputs: Inputs) -> KerasTensor:
        text = self.vocabulary_dtype == "string"
        if is_text(inputs) != (text and not self.invert):
            raise TypeError(self._wrong_type_error(inputs.dtype))
        dtype = "int64" if self.output_mode == "int" else config.floatx()
        dtype = self.vocabulary_dtype if self.invert else dtype
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype)

    def _wrong_type_error(self, received: Any) -> str:
        text = self.vocabulary_dtype == "string" and not self.invert
        if text:
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
            The vocabulary and its weights; None for each that was not given.
        """
        if self.input_vocabulary is None and self._has_line_breaks():
            weights = None
            if self.idf_weights is not None:
                weights = self.idf_weights[self._first_token : self.vocabulary_size()].tolist()
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
        tokens = self._from_lines(_lines(content.decode()))
        if tokens == self._special_tokens[: len(tokens)]:  # saved before it was adapted
            if (self._vocabulary_size or 0) > self._first_token:
                raise ValueError(f"{_VOCABULARY} is missing or has no tokens.")
            return
        weights = None if self.idf_weights is None else self.idf_weights[: len(tokens)]
        self.set_vocabulary(tokens, idf_weights=weights)


def refuse_path(config: dict) -> None:
    """Refuse a path in a config, so that loading a config never reads other files."""
    if isinstance(config.get("vocabulary"), str):
        raise ValueError(
            f"the vocabulary is the path {config['vocabulary'][:80]!r}, and a config does not open "
            "files.\n  Fix: the list of tokens itself."
        )


def _rows(batch: np.ndarray) -> np.ndarray:
    """A column has one token a row; in a table every row is a document."""
    return batch.reshape(-1, 1) if batch.ndim < 2 else batch.reshape(len(batch), -1)


def _lines(text: str) -> list[str]:
    lines = text.replace("\r\n", "\n").split("\n")
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _as_list(values: Inputs) -> Any:
    if hasattr(values, "tolist"):
        return values.tolist()
    return list(values) if isinstance(values, (tuple, list)) else values
