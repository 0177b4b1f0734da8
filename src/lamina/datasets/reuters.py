"""Reuters: 11,228 newswires in 46 topics, as lists of word indices."""

import os

import numpy as np

from lamina.core.messages.tracebacks import filter_traceback
from lamina.datasets import locate, published
from lamina.datasets.train_test_split import shuffle_together, train_and_test
from lamina.datasets.word_indices import Words, largest_index

CLASS_NAMES = (
    "cocoa", "grain", "veg-oil", "earn", "acq", "wheat", "copper", "housing", "money-supply",
    "coffee", "sugar", "trade", "reserves", "ship", "cotton", "carcass", "crude", "nat-gas",
    "cpi", "money-fx", "interest", "gnp", "meal-feed", "alum", "oilseed", "gold", "tin",
    "strategic-metal", "livestock", "retail", "ipi", "iron-steel", "rubber", "heat", "jobs",
    "lei", "bop", "zinc", "orange", "pet-chem", "dlr", "gas", "silver", "wpi", "hog", "lead",
)  # fmt: skip

SOURCE = published.single_file_source(
    "reuters",
    "Reuters newswires",
    "reuters.npz",
    "sha256:d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
)
WORD_INDEX = published.single_file_source(
    "reuters_word_index",
    "The words of the Reuters newswires",
    "reuters_word_index.json",
    "md5:4d44cc38712099c9e383dc6e5f11a921",
)


@filter_traceback
def load_data(
    path: str | os.PathLike = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Newswires as lists of word indices, and their topics.

    It is searched in `$LAMINA_DATASETS` and in the caches of Lamina and Keras, then downloaded.

    Args:
        path: The file's name in those folders, or the path of one file to read.
        num_words: Words with this number or a larger one become `oov_char`; all stay for None.
        skip_top: Words with a smaller number become `oov_char`.
        maxlen: Newswires of this many words or more are left out; all stay for None.
        test_split: Fraction of the newswires, from 0 to below 1, for testing.
        seed: Seed of the shuffling.
        start_char: Number before the first word of every newswire; None for none.
        oov_char: Number in place of a word that is left out; for None it leaves no gap.
        index_from: Added to every word's number, so that 0 is free for padding.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: arrays of lists, and labels from 0 to 45;
        `get_label_names()` says what they mean.

    Raises:
        DatasetUnavailableError: If it is not found and cannot be downloaded; the message says how
            to get it offline.
        ValueError: If `maxlen` leaves nothing, or a named file has other contents.

    Source: Lewis, 1997, "Reuters-21578 Text Categorization Collection".
    """
    arrays = locate.load(SOURCE, path)
    words = Words(num_words, skip_top, maxlen, start_char, oov_char, index_from)
    x, y = shuffle_together(np.random.RandomState(seed), arrays["x"], arrays["y"])
    texts, labels = words.select_short(words.shift_indices(x), y)
    return train_and_test(
        words.drop_rare_and_skipped(texts, largest_index(texts)), labels, test_split
    )


@filter_traceback
def get_word_index(path: str | os.PathLike = "reuters_word_index.json") -> dict[str, int]:
    """The number of every word, from 1 for the most frequent; `load_data` adds `index_from`.

    Args:
        path: The file's name in the folders that `load_data` names, or the path of a file.

    Returns:
        A dict from words to numbers.
    """
    return locate.load(WORD_INDEX, path)


def get_label_names() -> tuple[str, ...]:
    """The 46 topics, in the order of their labels.

    Returns:
        A tuple of texts.

    Example:
        >>> get_label_names()[3]
        'earn'
    """
    return CLASS_NAMES
