"""Numbers as people and spreadsheets write them."""

import pytest
from hypothesis import given, strategies as st

from lamina.data.loading.numbers import mostly_numbers, number_of


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1 234.5", 1234.5),
        ("1\u202f234\u202f567", 1234567.0),
        ("1'234.50", 1234.5),
        ("12,34,567", 1234567.0),
        ("−5", -5.0),
        ("-$5", -5.0),
        ("$-5", -5.0),
        ("(1,234.50)", -1234.5),
        ("1 23", None),
        ("1,23", None),
        ("(-5)", None),
        ("three", None),
    ],
)
def test_a_number_is_read_as_it_is_written(text, number):
    assert number_of(text) == number


def test_spaces_and_points_separate_thousands_where_the_comma_is_decimal():
    assert number_of("1 234,5", decimal_comma=True) == 1234.5
    assert number_of("1.234.567,5 €", decimal_comma=True) == 1234567.5


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_is_read_as_python_reads_it(number):
    assert number_of(repr(number)) == number


@given(st.text())
def test_any_text_is_a_number_or_none(text):
    assert number_of(text) is None or isinstance(number_of(text), float)


@pytest.mark.parametrize(
    ("texts", "are_numbers"),
    [
        ([*map(str, range(30)), *["sold out"] * 20], True),
        ([*map(str, range(30)), "a", "b", "c"], False),
        ([*map(str, range(30)), *["-"] * 40], False),
        (["1", "2", "other"] * 20, False),
        ([None, "1"] * 20, True),
    ],
)
def test_a_word_or_two_may_stand_for_what_is_missing_among_many_numbers(texts, are_numbers):
    numbers = [None if text is None else number_of(text) for text in texts]
    assert mostly_numbers(texts, numbers) == are_numbers
