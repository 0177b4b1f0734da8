"""IMDB: 50,000 film reviews, half of them positive, as lists of word indices."""

import os

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.datasets import locate, published
from lamina.datasets.train_test_split import shuffle_together
from lamina.datasets.word_indices import Words, largest_index

CLASS_NAMES = ("negative", "positive")

SOURCE = published.single_file_source(
    "imdb",
    "IMDB reviews",
    "imdb.npz",
    "sha256:69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
)
WORD_INDEX = published.single_file_source(
    "imdb_word_index",
    "The words of the IMDB reviews",
    "imdb_word_index.json",
    "md5:bfafd718b763782e994055a2d397834f",
)


@filter_traceback
def load_data(
    path: str | os.PathLike = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Film reviews as lists of word indices, and whether they are positive.

    Frequent words have small numbers, so `num_words=10_000` keeps the 10,000 or so most frequent.
    It is searched in `$LAMINA_DATASETS` and in the caches of Lamina and Keras, then downloaded.

    Args:
        path: The file's name in those folders, or the path of one file to read.
        num_words: Words with this number or a larger one become `oov_char`; all stay for None.
        skip_top: Words with a smaller number become `oov_char`.
        maxlen: Reviews of this many words or more are left out; all stay for None.
        seed: Seed of the shuffling.
        start_char: Number before the first word of every review; None for none.
        oov_char: Number in place of a word that is left out; for None it leaves no gap.
        index_from: Added to every word's number, so that 0 is free for padding.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: 25,000 reviews each, an array of lists, and
        labels: 0 for a bad review, 1 for a good one.

    Raises:
        DatasetUnavailableError: If it is not found and cannot be downloaded; the message says how
            to get it offline.
        ValueError: If `maxlen` leaves nothing, or a named file has other contents.

    Source: Maas et al., 2011, "Learning Word Vectors for Sentiment Analysis".
    """
    arrays = locate.load(SOURCE, path)
    words = Words(num_words, skip_top, maxlen, start_char, oov_char, index_from)
    # One generator for both parts, as in Keras, so the order is the same.
    generator = np.random.RandomState(seed)
    texts, labels = [], []
    for part in ("train", "test"):
        x, y = shuffle_together(generator, arrays[f"x_{part}"], arrays[f"y_{part}"])
        short_texts, short_labels = words.select_short(words.shift_indices(x), y)
        texts.append(short_texts)
        labels.append(short_labels)
    last = largest_index(*texts)
    x_train, x_test = (words.drop_rare_and_skipped(part, last) for part in texts)
    return (x_train, labels[0]), (x_test, labels[1])


@filter_traceback
def get_word_index(path: str | os.PathLike = "imdb_word_index.json") -> dict[str, int]:
    """The number of every word, from 1 for the most frequent; `load_data` adds `index_from`.

    Args:
        path: The file's name in the folders that `load_data` names, or the path of a file.

    Returns:
        A dict from words to numbers.
    """
    return locate.load(WORD_INDEX, path)
