"""pad_sequences against Keras's."""

import keras
import numpy as np
import pytest
from hypothesis import given, strategies as st

from lamina.preprocessing.sequence import pad_sequences

ROWS = st.lists(st.lists(st.integers(-9, 9), max_size=5), min_size=1, max_size=4)
SIDE = st.sampled_from(["pre", "post"])


@given(ROWS, st.sampled_from([None, 1, 3, 7]), SIDE, SIDE, st.sampled_from([0.0, 7]))
def test_rows_are_padded_and_cut_as_in_keras(rows, maxlen, padding, truncating, value):
    settings = {"padding": padding, "truncating": truncating, "value": value}
    expected = keras.utils.pad_sequences(rows, maxlen, **settings)
    padded = pad_sequences(rows, maxlen, **settings)
    np.testing.assert_array_equal(padded, expected)
    assert padded.dtype == expected.dtype


def test_steps_may_be_arrays_and_texts():
    padded = pad_sequences([np.ones((2, 3)), np.ones((1, 3))], dtype="float32")
    assert padded.shape == (2, 2, 3)
    assert padded[1].tolist() == [[0, 0, 0], [1, 1, 1]]
    words = pad_sequences([["a"], ["b", "c"]], dtype=object, value="<pad>", padding="post")
    assert words.tolist() == [["a", "<pad>"], ["b", "c"]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pad_sequences([[1], 2]), "element 1 is 2"),
        (lambda: pad_sequences([[1]], padding="left"), "'pre' or 'post'; received 'left'"),
        (lambda: pad_sequences([[1]], truncating="end"), "truncating is"),
        (lambda: pad_sequences([[1]], value="x"), "dtype=object"),
        (lambda: pad_sequences([[[1, 2]], [[1, 2, 3]]]), r"sequence 1 have shape \(3,\)"),
    ],
    ids=["no-sequence", "padding", "truncating", "value", "shapes"],
)
def test_what_cannot_be_padded_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
