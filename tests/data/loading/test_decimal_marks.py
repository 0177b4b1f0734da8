"""1,234 is a thousand or little more than one: the column tells, or the table, file or user."""

import pandas as pd
import pytest

from lamina.data import load
from lamina.data.loading.decimal_marks import count_marks, decimal_marks

THOUSANDS = ["1,000", "1,234", "2,500"]


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["1,5", "1,234"], True),
        (["1.5", "1,234"], False),
        (["1.234.567", "1.234"], True),
        (["1.234", "0.5"], False),
        (["1.234", "999", "12.500"], None),
        (THOUSANDS, None),
        (["Oslo", "3", None], None),
    ],
)
def test_numbers_that_have_one_reading_tell_the_mark(texts, told):
    assert count_marks(texts).is_comma is told


@pytest.mark.parametrize(
    ("other", "separator", "wanted", "is_decimal"),
    [
        (["1,5", "2", "3"], "", None, True),
        (["1.5", "2", "3"], ";", None, False),
        (["a", "b", "c"], ";", None, True),
        (["a", "b", "c"], ",", None, None),
        (["1.5", "2", "3"], "", True, True),
    ],
)
def test_where_a_column_does_not_tell_the_user_the_table_or_the_file_does(
    other, separator, wanted, is_decimal
):
    marks = decimal_marks({"price": THOUSANDS, "other": other}, wanted, separator)
    assert marks.comma_for("price") is is_decimal


def table(**columns):
    rows = {name: values * 10 for name, values in columns.items()}
    return pd.DataFrame({**rows, "kind": ["a", "b", "b"] * 10, "v": range(5, 35)})


def test_a_column_is_read_as_the_others_of_its_table_and_that_is_said():
    data = load(
        table(price=["1,000", "1,234", "2,500"], weight=["1,5", "2,5", "3"]),
        target="kind",
        verbose=False,
    )
    assert sorted(set(data.train.x["price"].round(3).tolist())) == pytest.approx([1, 1.234, 2.5])
    assert any("'price': 1,000 is read as 1, as" in r for r in data.describe().remarks)


def test_what_nothing_tells_is_said_and_may_be_told():
    frame = table(price=THOUSANDS)
    data = load(frame, target="kind", verbose=False)
    assert data.train.x["price"].max() == 2500
    assert any("decimal_comma=True" in remark for remark in data.describe().remarks)
    told = load(frame, target="kind", decimal_comma=True, verbose=False)
    assert told.train.x["price"].max() == 2.5
    assert not any("decimal_comma" in remark for remark in told.describe().remarks)


def test_a_target_is_read_as_the_other_columns_are():
    frame = table(price=[f"1,{i}00" for i in (1, 2, 3)], weight=["1,5", "2,5", "3"])
    data = load(frame, target="price", task="number", verbose=False)
    assert data.train.y.max() == pytest.approx(1.3)


def test_numbers_that_are_no_texts_are_not_read_again():
    frame = table(price=[1.234, 2.5, 3.125], weight=["1,5", "2,5", "3"])
    data = load(frame, target="price", verbose=False)
    assert sorted(set(data.train.y.tolist())) == pytest.approx([1.234, 2.5, 3.125])
    mixed = frame.assign(price=frame["price"].astype(object))
    assert load(mixed, target="price", verbose=False).train.y.max() == pytest.approx(3.125)
    series = load(frame, target="price", forecast=1, verbose=False)
    assert series.train.y.max() == pytest.approx(3.125)
