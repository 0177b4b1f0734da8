"""Texts as lists of word indices, for IMDB and Reuters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Words:
    """Settings of the conversion of word indices; index 1 is the most frequent word.

    Args:
        num_words: Indices of at least this one become `oov_char`. If None, it is the largest index
            in the data, so that only that one is replaced, as in Keras.
        skip_top: Indices below this one become `oov_char`.
        maxlen: Texts of this many words or more are left out, as in Keras; None keeps all.
        start_char: Index that is put before every text; None for none.
        oov_char: Index in place of words that are left out; for None they are removed.
        index_from: Offset that is added to every index.
    """

    num_words: int | None
    skip_top: int
    maxlen: int | None
    start_char: int | None
    oov_char: int | None
    index_from: int

    def shift_indices(self, texts: Iterable[Sequence[int]]) -> list[list[int]]:
        """Add the offset to all indices, and put `start_char` before every text."""
        start = [] if self.start_char is None else [self.start_char]
        shift = self.index_from or 0
        return [start + [word + shift for word in text] for text in texts]

    def select_short(
        self, texts: list[list[int]], labels: np.ndarray
    ) -> tuple[list[list[int]], np.ndarray]:
        """The texts below `maxlen`, and their labels."""
        if not self.maxlen:
            return texts, labels
        indices = [i for i, text in enumerate(texts) if len(text) < self.maxlen]
        if not indices:
            shortest = min(map(len, texts), default=0)
            raise ValueError(
                f"maxlen={self.maxlen} leaves no text: the shortest has {shortest} words.\n"
                f"  Fix: maxlen={shortest + 1} or more."
            )
        return [texts[i] for i in indices], labels[indices]

    def drop_rare_and_skipped(self, texts: list[list[int]], largest: int) -> np.ndarray:
        """Replace or remove words that are rare or skipped; the result is an array of lists."""
        end = self.num_words or largest
        kept_words = np.empty(len(texts), dtype=object)
        for i, text in enumerate(texts):
            if self.oov_char is None:
                kept_words[i] = [word for word in text if self.skip_top <= word < end]
            else:
                kept_words[i] = [
                    word if self.skip_top <= word < end else self.oov_char for word in text
                ]
        return kept_words


def largest_index(*texts: list[list[int]]) -> int:
    """The largest number in any of the texts."""
    return max(max(text) for part in texts for text in part if text)
