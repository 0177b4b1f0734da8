"""tf.strings for the functions that scripts give to TextVectorization."""

import string

import numpy as np
import pytest

import lamina
from lamina import layers
from lamina.compat import text_functions as strings
from lamina.compat.tensorflow import module

TEXTS = np.array([["Great<br />film! "], ["Ünter ÄLL 100%"]])


# The expected values are those of TensorFlow 2.21.
@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (lambda: strings.lower(TEXTS), [["great<br />film! "], ["Ünter Äll 100%"]]),
        (lambda: strings.lower("ÄB", encoding="utf-8"), "äb"),
        (lambda: strings.upper(["äb"]), ["äB"]),
        (lambda: strings.strip(["  a b\n"]), ["a b"]),
        (lambda: strings.regex_replace(TEXTS[0], "<br />", " "), ["Great film! "]),
        (lambda: strings.regex_replace(["aba"], "a", "c", replace_global=False), ["cba"]),
        (lambda: strings.regex_replace(["ab12"], r"([a-z]+)(\d+)", r"\2-\1-\0"), ["12-ab-ab12"]),
        (lambda: strings.regex_full_match(["ab", "abc"], "ab"), [True, False]),
        (lambda: strings.length(["Äb"]), [3]),
        (lambda: strings.length(["Äb"], unit="UTF8_CHAR"), [2]),
        (lambda: strings.join([["a", "b"], "x"], separator="-"), ["a-x", "b-x"]),
    ],
    ids=range(11),
)  # fmt: skip
def test_texts_become_what_tensorflow_makes_of_them(actual, expected):
    assert actual().tolist() == expected


def test_the_dtype_of_text_makes_an_input_for_text():
    assert lamina.Input((1,), dtype=module("tensorflow").string).dtype == "string"


def test_texts_are_split():
    assert strings.split(["a  b", "c"]) == [["a", "b"], ["c"]]
    assert strings.split("a,b,c", sep=",", maxsplit=1) == ["a", "b,c"]


def test_the_cleaning_of_the_tutorials_works(served):
    import tensorflow as tf

    def clean(texts):
        small = tf.strings.lower(texts)
        plain = tf.strings.regex_replace(small, "<br />", " ")
        return tf.strings.regex_replace(plain, f"[{string.punctuation}]", "")

    layer = layers.TextVectorization(standardize=clean, vocabulary=["great", "film"])
    assert layer(["Great<br />FILM!"]).tolist() == [[2, 3]]
