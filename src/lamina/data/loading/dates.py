"""Parses dates in many formats, and finds whether the day or the month comes first."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_TIME = (
    r"(?:(?:[T,]\s*|,?\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})"
    r"(?:[.,](?P<fraction>\d{1,9}))?)?\s*(?P<half>[ap]\.?m\.?)?\s*"
    r"(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?"
)
_DATE_PATTERNS = (
    r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
    r"(?P<year>\d{4})[-/](?P<month>\d{1,2})",
    r"(?P<left>\d{1,2})(?P<mark>[-/.])(?P<right>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})",
    rf"{_MONTH}\s*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})",
    rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?[\s-]+(?:of\s+)?{_MONTH},?[\s-]+"
    r"(?P<year>\d{4}|\d{2})",
    rf"{_MONTH},?[\s-]+(?P<year>\d{{4}})",
)
_PATTERNS = tuple(re.compile(rf"{_WEEKDAY}{day}{_TIME}", re.IGNORECASE) for day in _DATE_PATTERNS)
# Longer texts are not dates; the cache does not keep them.
_MAX_LENGTH = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DateOrder(NamedTuple):
    """Whether the day or the month comes first in the dates of a column.

    Args:
        day_first: Whether the day comes first.
        why: The reason, as the end of a sentence; empty if no date is ambiguous.
        assumed: Whether the order is a guess.
    """

    day_first: bool
    why: str = ""
    assumed: bool = False


def parse_date(text: str, day_first: bool) -> datetime | None:
    """Parse a date, in UTC; None if the text is not a date.

    `day_first` decides only for ambiguous dates: 31/1/2024 is a day in January in any case.

    Args:
        text: A date, perhaps with a time: numbers with the year first or last, or an English name
            of the month.
        day_first: Whether 2/3/2024 is the 2nd of March.

    Example:
        >>> [parse_date(t, False).day for t in ("2/3/2024", "31/1/2024", "Jan 15, 2024 8:30 pm")]
        [3, 31, 15]
        >>> parse_date("31/13/2024", False)
    """
    match = _match(text)
    if match is None:
        return None
    groups = match.groupdict()
    if "left" in groups:
        day, month = int(groups["left"]), int(groups["right"])
        if not day_first:
            day, month = month, day
        if month > 12 >= day:
            day, month = month, day
    else:
        day = int(groups.get("day") or 1)
        name = groups.get("name")
        month = _MONTHS.index(name[:3].lower()) + 1 if name else int(groups["month"])
    year = int(groups["year"])
    if len(groups["year"]) == 2:
        year += 1900 if year > 68 else 2000  # as in POSIX
    try:
        return datetime(year, month, day, tzinfo=_parse_zone(groups["zone"])) + _time_of_day(groups)
    except (ValueError, OverflowError):
        return None


def day_month_order(texts: Iterable[str], user_choice: bool | None = None) -> DateOrder:
    """Find whether the dates of a column begin with the day, from those that are not ambiguous.

    Args:
        texts: The dates.
        user_choice: The user's `day_first`, for ambiguous dates.

    Example:
        >>> day_month_order(["2/3/2024", "31/1/2024"])
        DateOrder(day_first=True, why='the day comes first, as in 31/1/2024', assumed=False)
    """
    days, months, ambiguous = [], [], []
    for text in texts:
        match = _match(text)
        if match is None or "left" not in match.groupdict():
            continue
        left, right = int(match["left"]), int(match["right"])
        if left > 12 >= right:
            days.append(text)
        elif right > 12 >= left:
            months.append(text)
        elif left != right:
            ambiguous.append(text)
    if days and months:
        first = len(days) > len(months) if user_choice is None else user_choice
        return DateOrder(
            first,
            f"the {'day' if first else 'month'} comes first where both readings are possible: "
            f"{len(days):,} dates are like {days[0]} and {len(months):,} like {months[0]}",
            user_choice is None and bool(ambiguous),
        )
    if days or months:
        what, example = ("day", days[0]) if days else ("month", months[0])
        return DateOrder(bool(days), f"the {what} comes first, as in {example}")
    if not ambiguous:
        return DateOrder(bool(user_choice))
    if user_choice is not None:
        return DateOrder(
            user_choice, f"the {'day' if user_choice else 'month'} comes first, as you said"
        )
    with_points = all("." in text for text in ambiguous)
    what, other = ("day", "month") if with_points else ("month", "day")
    return DateOrder(
        with_points,
        f"{ambiguous[0]} is read with the {what} first, and all dates of the column are ambiguous; "
        f"day_first={not with_points} (--{other}-first on the command line) reads the {other} "
        "first",
        assumed=True,
    )


def is_date(text: str) -> bool:
    """Whether a text is a date in a known format that exists in the calendar."""
    return parse_date(text, day_first=False) is not None


def date_columns(
    name: str, texts: Sequence[str | None], day_first: bool
) -> dict[str, np.ndarray[Any, Any]]:
    """Convert dates to three numbers each: days since 1970, the month, the day of the week from 0.

    Args:
        name: Name of the column, with which the names of the arrays begin.
        texts: The dates; None for missing dates.
        day_first: Whether 2/3/2024 is the 2nd of March.
    """
    dates = [None if text is None else parse_date(text, day_first) for text in texts]
    unparsed = [i for i, text in enumerate(texts) if text is not None and dates[i] is None]
    for i, date in zip(unparsed, _parse_with_pandas([texts[i] for i in unparsed]), strict=True):
        dates[i] = date
    numbers = np.full((3, len(dates)), np.nan)
    for i, date in enumerate(dates):
        if date is not None:
            numbers[:, i] = (date - _EPOCH) / timedelta(days=1), date.month, date.weekday()
    names = (f"{name}_days", f"{name}_month", f"{name}_weekday")
    return dict(zip(names, numbers.astype("float32"), strict=True))


def _match(text: str) -> re.Match[str] | None:
    return _match_short_text(text.strip()) if len(text) <= _MAX_LENGTH else None


@lru_cache(2**14)
def _match_short_text(text: str) -> re.Match[str] | None:
    return next((match for form in _PATTERNS if (match := form.fullmatch(text))), None)


def _time_of_day(groups: dict[str, str | None]) -> timedelta:
    hour, half = int(groups["hour"] or 0), (groups["half"] or "").lower()
    if half and not 1 <= hour <= 12:
        raise ValueError("no hour of half a day")
    if half:
        hour = hour % 12 + 12 * half.startswith("p")
    minute, second = int(groups["minute"] or 0), int(groups["second"] or 0)
    if hour > 24 or minute > 59 or second > 60:
        raise ValueError("no time of a day")
    fraction = float(f"0.{groups['fraction'] or 0}")
    return timedelta(hours=hour, minutes=minute, seconds=second + fraction)


def _parse_zone(text: str | None) -> timezone:
    if text is None or text.upper() in ("Z", "UTC", "GMT"):
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _parse_with_pandas(texts: list[str | None]) -> list[datetime | None]:
    """Parse rarer ISO formats, such as 20240131 or 2024-W05-3, in a column of dates."""
    if not texts:
        return []
    import pandas as pd

    parsed = pd.to_datetime(pd.Series(texts), format="ISO8601", errors="coerce", utc=True)
    return [None if pd.isna(date) else date.to_pydatetime() for date in parsed]
