"""Dates as people write them, and which of two numbers is the day."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from lamina.data.loading.dates import date_columns, day_month_order, is_date, parse_date

FORMS = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%d.%m.%Y",
    "%d/%m/%Y %I:%M %p",
    "%d-%m-%y",
    "%b %d, %Y",
    "%B %d %Y",
    "%d %B %Y",
    "%d-%b-%Y",
    "%d %b %y",
    "%a, %d %b %Y %H:%M:%S",
]


@pytest.mark.parametrize("form", FORMS)
@given(when=st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31)))
def test_a_date_is_read_as_it_was_written(form, when):
    written = when.strftime(form)
    assert parse_date(written, day_first=True) == datetime.strptime(written, form).replace(
        tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1st of May 2024", "2024-05-01"),
        ("Sept. 3, 2024", "2024-09-03"),
        ("1949-01", "1949-01-01"),
        ("Jan 2024", "2024-01-01"),
        ("2024-03-01T00:30:00+01:00", "2024-02-29T23:30:00"),
        ("2024-03-01T12:00:00.250Z", "2024-03-01T12:00:00.250"),
        ("12/31/24", "2024-12-31"),
        ("31/12/24", "2024-12-31"),
        ("12:30 am", None),
        ("2024-02-30", None),
        ("13/13/2024", None),
        ("1.10.2", None),
        ("maybe 5, 2024", None),
        ("2024-01-01 25:00", None),
    ],
)
def test_a_text_is_the_date_that_it_says_or_none(text, meant):
    expected = None if meant is None else datetime.fromisoformat(meant).replace(tzinfo=UTC)
    assert parse_date(text, day_first=False) == expected
    assert is_date(text) == (meant is not None)


@given(st.text())
def test_any_text_is_a_date_or_none(text):
    assert parse_date(text, day_first=True) is None or is_date(text)


@pytest.mark.parametrize(
    ("dates", "wanted", "day_first", "assumed", "why"),
    [
        (["2/3/2024", "31/1/2024"], None, True, False, "the day comes first, as in 31/1/2024"),
        (["2/3/2024", "1/31/2024"], None, False, False, "the month comes first, as in 1/31/2024"),
        (["2/3/2024", "1/31/2024"], True, False, False, "the month comes first, as in 1/31/2024"),
        (["2/3/2024"], None, False, True, "day_first=True (--day-first on the command line)"),
        (["2.3.2024"], None, True, True, "day_first=False (--month-first on the command line)"),
        (["2/3/2024"], True, True, False, "the day comes first, as you said"),
        (["2/3/2024", "31/1/2024", "1/31/2024", "1/30/2024"], None, False, True, "2 like 1/31/"),
        (["2024-03-02", "2/2/2024", "May 2, 2024"], None, False, False, ""),
    ],
)
def test_the_dates_of_a_column_tell_the_order_or_the_user_or_nobody(
    dates, wanted, day_first, assumed, why
):
    order = day_month_order(dates, wanted)
    assert (order.day_first, order.assumed) == (day_first, assumed)
    assert why in order.why


def test_a_date_that_has_one_reading_is_read_in_that_one():
    days = date_columns("d", ["2/3/2024", "31/1/2024", "1/31/2024", "2024-03-02"], True)
    assert days["d_month"].tolist() == [3.0, 1.0, 1.0, 3.0]


def test_dates_become_days_months_and_weekdays():
    dates = ["1970-01-02 12:00", "2024-02-29", "nonsense", None, "1492-10-12", "20240131"]
    made = date_columns("when", dates, day_first=False)
    expected = [datetime(1970, 1, 2, 12), datetime(2024, 2, 29), datetime(2024, 1, 31)]
    rows = [0, 1, 5]
    days = [(date - datetime(1970, 1, 1)) / timedelta(days=1) for date in expected]
    assert made["when_days"][rows].tolist() == days
    assert made["when_month"][rows].tolist() == [1.0, 2.0, 1.0]
    assert made["when_weekday"][rows].tolist() == [pd.Timestamp(d).day_of_week for d in expected]
    assert made["when_days"][4] == (datetime(1492, 10, 12) - datetime(1970, 1, 1)).days
    for array in made.values():
        assert array.dtype == np.float32
        assert np.isnan(array[2:4]).all()
