"""What columns hold, guessed from their values, and the arrays that are made of them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from lamina.data.loading.cells import as_texts
from lamina.data.loading.columns import Column, UnusableColumn, guess_column, inputs_of, values_of

PLACES = ["Oslo", "Rome", "Lima", "Oslo", "Rome", "Rome"] * 10
GUESSES = [
    (["1", "2.5", "-3e2", "", "7", "7"], "number"),
    (["1,5", "2,5", "3", "4,25", "7", "7"], "number"),
    ([1.5, None, 2.0, 3.0], "number"),
    (PLACES, "category"),
    (["True", "False", "True", "True"], "category"),
    ([True, False, True, None], "category"),
    (["2024-01-31", "2024-02-29", "2023-12-01"], "date"),
    (["31/01/2024", "29/02/2024", "01/12/2023"], "date"),
    (["Jan 15, 2024", "Feb 1, 2024", "Dec 31, 2023"], "date"),
    (["15 January 2024", "1 February 2024", "31 December 2023"] * 9, "date"),
    (["2024-01-31T10:00:00Z", "2024-02-29T10:00:00Z"], "date"),
    ([f"a film of {i} good parts" for i in range(50)], "text"),
]


@pytest.mark.parametrize(("values", "kind"), GUESSES)
def test_the_type_is_guessed_from_the_values(values, kind):
    found = guess_column("column", pd.Series(values, dtype="object"))
    assert isinstance(found, Column)
    assert found.kind == kind


NUMBERS = [
    (["1,5", "2,25", "3"], [1.5, 2.25, 3.0]),
    (["1,500", "2,250", "12"], [1500.0, 2250.0, 12.0]),
    (["1.500,5", "2,5", "12"], [1500.5, 2.5, 12.0]),
    (["1,234,567", "2.5", "-3"], [1234567.0, 2.5, -3.0]),
    (["$1,200", "$15", "$7.50"], [1200.0, 15.0, 7.5]),
    (["12 %", "7 %", "3.5 %"], [12.0, 7.0, 3.5]),
]


@pytest.mark.parametrize(("written", "meant"), NUMBERS)
def test_the_decimal_mark_is_told_from_the_whole_column(written, meant):
    column = guess_column("n", pd.Series(written))
    assert values_of(column, written)["n"].tolist() == meant
    # One row at a time, and numbers in place of texts, give the same.
    assert [float(values_of(column, [text])["n"][0]) for text in written] == meant
    assert values_of(column, meant)["n"].tolist() == meant


def test_the_user_may_say_what_a_column_holds():
    codes = pd.Series(["101", "102", "101"])
    assert guess_column("code", codes).kind == "number"
    assert guess_column("code", codes, "category").categories == ("101", "102")
    assert guess_column("row", pd.Series(range(30)), named_by_user=True).kind == "number"


USELESS = [
    ("empty", [None, "", "NA"], "has no values"),
    ("constant", ["a", "a", "a"], "a single value"),
    ("row", list(range(50)), "numbers the rows"),
    ("patient_id", [5, 9, 3, 77], "numbers the rows"),
    ("CustomerID", [5, 9, 3, 77], "numbers the rows"),
    ("shuffled", [*range(31, 60), 30], "numbers the rows"),
    ("postcode", [f"0{i}" for i in range(30, 60)], "another value in nearly every row"),
    ("code", [f"X{i}Z" for i in range(50)], "another value in nearly every row"),
    ("tags", [["a"], ["b", "c"]], "has a list in it"),
    ("object", [object(), object()], "has an object in it"),
    ("complex", [1j, 2j], "has a complex in it"),
]


@pytest.mark.parametrize(("name", "values", "why"), USELESS)
def test_columns_of_no_use_are_told_why(name, values, why):
    found = guess_column(name, pd.Series(values, dtype="object"))
    assert isinstance(found, UnusableColumn)
    assert why in found.why


def test_a_number_that_cannot_be_read_counts_as_missing_and_is_announced():
    found = guess_column("age", pd.Series([*map(str, range(7, 60)), "old"]))
    assert found.kind == "number"
    assert found.missing == 1
    assert "1 that cannot be read" in found.why


@given(st.lists(st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.booleans())))
def test_any_column_is_understood_or_refused_with_a_reason(values):
    found = guess_column("column", pd.Series(values, dtype="object"))
    if isinstance(found, UnusableColumn):
        assert found.why
        return
    for array in values_of(found, pd.Series(values, dtype="object")).values():
        assert len(array) == len(values)
        assert array.dtype.kind in "fO"


def test_what_is_missing_has_one_spelling():
    spellings = [None, float("nan"), "", " ", "NA", "n/a", "NaN", "null", "?", pd.NaT, pd.NA]
    assert as_texts(spellings) == [None] * len(spellings)


def test_the_order_of_dates_is_that_of_the_column_for_every_row():
    dates = ["2/3/2024", "31/3/2024"]
    column = guess_column("when", pd.Series([*dates, "1/1/2024"]))
    assert column.why == "dates; the day comes first, as in 31/3/2024"
    assert values_of(column, dates[:1])["when_month"].tolist() == [3]
    told = guess_column("when", pd.Series(["2/3/2024", "1/1/2024"]), day_first=True)
    assert values_of(told, dates[:1])["when_month"].tolist() == [3]


COLUMNS = (Column("size", "number", ""), Column("colour", "category", "", 0, ("blue", "red")))


def test_columns_are_found_by_name_and_not_by_place():
    frame = pd.DataFrame({"colour": ["red", None], "extra": [0, 0], "size": ["3", "x"]})
    inputs, extra = inputs_of(COLUMNS, frame)
    assert inputs["colour"].tolist() == ["red", ""]
    np.testing.assert_array_equal(inputs["size"], np.array([3, np.nan], "float32"))
    assert extra == ["extra"]


def test_one_row_may_be_a_dict():
    inputs, _ = inputs_of(COLUMNS, {"size": 2, "colour": "green"})
    assert inputs["size"].tolist() == [2.0]
    assert inputs["colour"].tolist() == ["green"]


def test_a_missing_column_is_named_with_the_nearest():
    with pytest.raises(ValueError, match="no column 'colour'.*Did you mean 'color'"):
        inputs_of(COLUMNS, {"size": 2, "color": "green"})


def test_codes_that_begin_with_0_are_no_amounts():
    codes = guess_column("postcode", pd.Series([f"0{i % 10}200" for i in range(60)]))
    assert codes.kind == "category"
    assert "codes that begin with 0" in codes.why
    assert guess_column("n", pd.Series(["07", *map(str, range(60, 160))])).kind == "number"


def test_whole_numbers_and_letters_with_accents_have_one_spelling():
    assert as_texts(["1.0", 1.0, 1, "-3.0", "1.000", "1.5"]) == [
        "1",
        "1",
        "1",
        "-3",
        "1.000",
        "1.5",
    ]
    assert len(set(as_texts(["caf\u00e9", "cafe\u0301"]))) == 1


def test_so_many_categories_that_no_file_can_list_them_are_not_listed():
    values = pd.Series([f"word{i}" for i in range(50_001)] * 2)
    assert guess_column("w", values, "category").categories == ()


def test_true_and_false_have_one_spelling():
    assert as_texts([True, "true", "TRUE", "False", False]) == ["True"] * 3 + ["False"] * 2


@pytest.mark.parametrize("text", ["1e400", "-1e39", "inf", "Infinity"])
def test_a_number_that_float32_cannot_hold_counts_as_missing(text):
    assert np.isnan(values_of(Column("n", "number"), [text])["n"][0])


def test_inputs_that_would_have_one_name_are_refused():
    columns = (Column("a", "date"), Column("a_days", "number"))
    with pytest.raises(ValueError, match="'a' is a date and becomes an input 'a_days'"):
        inputs_of((columns[1], columns[0]), {"a": "2024-01-01", "a_days": 3})
