"""IntegerLookup and StringLookup: indices in a vocabulary."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lamina.core.types import Inputs, SupportsArray
from lamina.core.user_data.data_kinds import is_text
from lamina.layers.preprocessing.host_layer import to_integers
from lamina.layers.preprocessing.index_lookup import IndexLookup


class IntegerLookup(IndexLookup):
    """Maps integers of any size, such as product codes, to indices in a vocabulary.

    Args:
        max_tokens: Maximum size of the vocabulary, including special tokens; None for no limit.
        num_oov_indices: Number of indices for numbers that are not in the vocabulary. With 0 such
            a number is an error; in a compiled program it becomes -1.
        mask_token: Number that is masked: index 0 in the mode `"int"`, ignored in other modes.
        oov_token: Output of an inverted layer for unknown numbers.
        vocabulary: The vocabulary, as a list, an array, or the path of a file with one per
            line. None to learn it by `adapt`.
        vocabulary_dtype: Only `"int64"`.
        idf_weights: For `"tf_idf"` with a given vocabulary: one for each number.
        invert: Map indices to the numbers of the vocabulary.
        output_mode: `"int"` gives the index; `"one_hot"`, `"multi_hot"` and `"count"` encode it
            as in `CategoryEncoding`; `"tf_idf"` counts, weighted by inverse document frequency.
        sparse: Only False: there are no sparse arrays.
        pad_to_max_tokens: Make vectors of `max_tokens` for any number of tokens.
        oov_method: How unknown numbers are assigned to several indices: by their remainder
            (`"floormod"`) or by a hash (`"farmhash"`).
        salt: One or two integers, key of the hash; see `Hashing`.
        name: Name of the layer.
        **kwargs: `trainable`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input for `"int"`; see `CategoryEncoding` for the others.

    Example:
        >>> layer = IntegerLookup(vocabulary=[12, 36, 1138])
        >>> layer([[12, 1138], [7, 36]]).tolist()
        [[1, 3], [0, 2]]
    """

    vocabulary_dtype = "int64"

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: str | Sequence[Any] | SupportsArray | None = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Sequence[float] | SupportsArray | None = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: int | Sequence[int] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        if vocabulary_dtype != "int64":
            raise ValueError(
                f"IntegerLookup: vocabulary_dtype is 'int64'; received {vocabulary_dtype!r}."
            )
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            sparse,
            pad_to_max_tokens,
            oov_method,
            salt,
            name=name,
            **kwargs,
        )

    def get_config(self) -> dict:
        return {**super().get_config(), "vocabulary_dtype": self.vocabulary_dtype}

    def _to_vocabulary_dtype(self, tokens: Inputs) -> Any:
        if is_text(tokens):
            raise TypeError(self._wrong_type_error("text"))
        return to_integers(tokens, self._label)

    def _from_lines(self, lines: list[str]) -> list:
        try:
            return [int(line) for line in lines]
        except ValueError:
            raise ValueError(
                f"{self._label}: the file of its vocabulary has lines that are not integers."
            ) from None

    def _prepare_lookup(self) -> None:
        assert self._tokens is not None
        self._order = np.argsort(self._tokens, kind="stable")

    def _find_positions(self, tokens: Any) -> Any:
        ordered: Any = self._tokens[self._order]  # type: ignore[index]
        positions: Any = self._order
        if isinstance(tokens, jax.Array):
            # The device computes with fewer bits, so larger numbers cannot occur in its inputs.
            bounds = jnp.iinfo(tokens.dtype)
            in_range = (ordered >= bounds.min) & (ordered <= bounds.max)
            ordered = jnp.asarray(ordered[in_range].astype(tokens.dtype))
            positions = jnp.asarray(positions[in_range].astype("int32"))
        if not len(ordered):
            return tokens * 0 - 1
        numpy: Any = jnp if isinstance(tokens, jax.Array) else np
        candidates = numpy.minimum(numpy.searchsorted(ordered, tokens), len(ordered) - 1)
        return numpy.where(ordered[candidates] == tokens, positions[candidates], -1)


class StringLookup(IndexLookup):
    """Maps text, such as names of countries, to indices in a vocabulary.

    It computes on the host; a model that begins with it takes text, and the rest of the model is
    compiled as usual.

    Args:
        max_tokens: Maximum size of the vocabulary, including special tokens; None for no limit.
        num_oov_indices: Number of indices for texts that are not in the vocabulary, which share
            them by a hash. With 0 such a text is an error.
        mask_token: Text that is masked: index 0 in the mode `"int"`, ignored in other modes.
        oov_token: Output of an inverted layer for unknown texts.
        vocabulary: The vocabulary, as a list, an array, or the path of a file with one per line.
            None to learn it by `adapt`.
        idf_weights: For `"tf_idf"` with a given vocabulary: one for each text.
        invert: Map indices to the texts of the vocabulary.
        output_mode: `"int"` gives the index; `"one_hot"`, `"multi_hot"` and `"count"` encode it
            as in `CategoryEncoding`; `"tf_idf"` counts, weighted by inverse document frequency.
        pad_to_max_tokens: Make vectors of `max_tokens` for any number of tokens.
        sparse: Only False: there are no sparse arrays.
        encoding: Accepted for compatibility with Keras; bytes are read as UTF-8.
        name: Name of the layer.
        salt: One or two integers, key of the hash; see `Hashing`.
        oov_method: How unknown texts are assigned to several indices: `"floormod"` or `"farmhash"`,
            which give the same result for texts.
        **kwargs: `trainable`, `dtype`; see `Layer`.

    Input shape: Any.
    Output shape: Same as the input for `"int"`; see `CategoryEncoding` for the others.

    Example:
        >>> layer = StringLookup()
        >>> layer.adapt(["cat", "dog", "cat"])
        >>> layer.get_vocabulary()
        ['[UNK]', 'cat', 'dog']
        >>> layer([["dog"], ["bird"]]).tolist()
        [[2], [0]]
    """

    vocabulary_dtype = "string"

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: str | Sequence[Any] | SupportsArray | None = None,
        idf_weights: Sequence[float] | SupportsArray | None = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: int | Sequence[int] | None = None,
        oov_method: str = "floormod",
        **kwargs: Any,
    ):
        self.encoding = encoding
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            sparse,
            pad_to_max_tokens,
            oov_method,
            salt,
            name=name,
            **kwargs,
        )

    @property
    def compute_dtype(self) -> str:
        """`"string"`: the inputs are text, which is never cast."""
        return "string"

    def get_config(self) -> dict:
        return {**super().get_config(), "encoding": self.encoding}

    def _to_vocabulary_dtype(self, tokens: Inputs) -> Any:
        if not is_text(tokens) and tokens.size:
            raise TypeError(self._wrong_type_error(f"numbers ({tokens.dtype})"))
        return tokens

    def _prepare_lookup(self) -> None:
        table = {token: position for position, token in enumerate(self._tokens)}  # type: ignore[arg-type]
        object.__setattr__(self, "_table", table)  # bypasses the layer's tracking of attributes

    def _find_positions(self, tokens: Any) -> Any:
        find = self._table.get  # type: ignore[attr-defined]
        positions = [find(token, -1) for token in tokens.ravel().tolist()]
        return np.array(positions, dtype="int64").reshape(tokens.shape)
