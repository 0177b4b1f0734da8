"""Tokenizer and its helpers. Expected: the legacy package of Keras 3, number by number."""

import numpy as np
import pytest
from keras.src.legacy.preprocessing import text as theirs

from lamina.preprocessing import text as ours

TEXTS = ["The cat sat on the mat.", "The dog; the DOG ate my homework!", "A cat\tis no dog"]
LISTS = [["One", "two"], ["two", "three"]]
SETTINGS = [
    {},
    {"num_words": 4},
    {"num_words": 4, "oov_token": "<?>"},
    {"oov_token": "<?>", "lower": False},
    {"char_level": True},
    {"char_level": True, "lower": False, "num_words": 5},
    {"split": "a", "filters": "e"},
    {"analyzer": lambda text: text.split("t")},
]


def both(settings, texts=TEXTS):
    tokenizers = ours.Tokenizer(**settings), theirs.Tokenizer(**settings)
    for tokenizer in tokenizers:
        tokenizer.fit_on_texts(texts)
    return tokenizers


@pytest.mark.parametrize("texts", [TEXTS, LISTS], ids=["texts", "lists"])
@pytest.mark.parametrize("settings", SETTINGS, ids=",".join)
def test_words_have_the_numbers_of_keras(settings, texts):
    mine, other = both(settings, texts)
    for name in ("word_index", "index_word", "word_counts", "word_docs", "index_docs"):
        assert dict(getattr(mine, name)) == dict(getattr(other, name))
    new = [*texts, texts[0] * 2, "an unknown word"]
    sequences = other.texts_to_sequences(new)
    assert mine.texts_to_sequences(new) == sequences
    assert mine.sequences_to_texts([*sequences, [99]]) == other.sequences_to_texts(
        [*sequences, [99]]
    )


@pytest.mark.parametrize("mode", ["binary", "count", "freq", "tfidf"])
@pytest.mark.parametrize("num_words", [None, 5])
def test_matrices_are_those_of_keras(mode, num_words):
    mine, other = both({"num_words": num_words})
    texts = [*TEXTS, ""]
    np.testing.assert_allclose(
        mine.texts_to_matrix(texts, mode), other.texts_to_matrix(texts, mode)
    )


def test_sequences_may_be_counted_without_texts():
    sequences = [[1, 2, 2], [2, 3]]
    found = []
    for package in (ours, theirs):
        tokenizer = package.Tokenizer(num_words=4)
        tokenizer.fit_on_sequences(sequences)
        found.append(tokenizer.sequences_to_matrix(sequences, "tfidf"))
    np.testing.assert_allclose(*found)


def test_json_goes_both_ways():
    mine, other = both({"num_words": 6, "oov_token": "?"})
    assert mine.to_json() == other.to_json()
    again = ours.tokenizer_from_json(other.to_json())
    assert again.to_json() == theirs.tokenizer_from_json(mine.to_json()).to_json()
    assert again.texts_to_sequences(TEXTS) == other.texts_to_sequences(TEXTS)


def test_helpers_are_those_of_keras():
    for settings in ({}, {"lower": False}, {"filters": "a"}, {"split": "e"}):
        words = theirs.text_to_word_sequence(TEXTS[1], **settings)
        assert ours.text_to_word_sequence(TEXTS[1], **settings) == words
    assert ours.one_hot(TEXTS[0], 20) == theirs.one_hot(TEXTS[0], 20)
    for function in (None, "md5", len):
        expected = theirs.hashing_trick(TEXTS[0], 20, function)
        assert ours.hashing_trick(TEXTS[0], 20, function) == expected


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: ours.Tokenizer(num_word=3), "Did you mean 'num_words'"),
        (lambda: ours.Tokenizer().texts_to_matrix(["a"]), "number of columns is not known"),
        (lambda: ours.Tokenizer(3).texts_to_matrix(["a"], "tfidf"), "needs fit_on_texts"),
        (lambda: ours.Tokenizer(3).texts_to_matrix(["a"], "counts"), "Did you mean 'count'"),
    ],
)
def test_what_goes_wrong_is_explained(use, message):
    with pytest.raises((TypeError, ValueError), match=message):
        use()
