"""Parses numbers as people and spreadsheets write them."""

import re
from collections.abc import Sequence
from functools import lru_cache

# Characters around a number, and separators of thousands besides the comma and the point.
_CURRENCIES = "$€£¥"
_SURROUNDING = f" {_CURRENCIES}%\u00a0\u202f"
_THOUSANDS_SEPARATORS = r" \u00a0\u202f\u2009'’"
_NUMBER = re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$")
# Longer texts are not numbers, and are not cached.
_MAX_LENGTH = 64
# Fraction of the values that must be numbers for a column to count as numbers.
_MIN_NUMBERS = 0.95
# Up to the first number of distinct texts may stand for missing values, if there are more distinct
# numbers than the second.
_MAX_TEXTS, _MIN_DISTINCT = 2, 20


def _thousands_pattern(thousands: str, mark: str) -> re.Pattern[str]:
    """A pattern of digits in groups of three, or as in India, of two before the last three."""
    end = rf"(?:\{mark}\d*)?"
    return re.compile(
        rf"^(?:[1-9]\d{{0,2}}([\{thousands}{_THOUSANDS_SEPARATORS}])\d{{3}}(?:\1\d{{3}})*"
        rf"|[1-9]\d?(?:\{thousands}\d{{2}})+\{thousands}\d{{3}}){end}$"
    )


_THOUSANDS = {False: _thousands_pattern(",", "."), True: _thousands_pattern(".", ",")}


def number_of(text: str, decimal_comma: bool = False) -> float | None:
    """Parse a number; None if the text is not a number.

    Args:
        text: A number as a person or a spreadsheet writes it: `"1,234.5"`, `"$12"`, `"3 %"`,
            `"2e-3"`, `"1 234"`, `"(1,234)"` for a negative amount.
        decimal_comma: Whether the comma is the decimal mark, and the point separates thousands.

    Example:
        >>> number_of("1,234.5"), number_of("1.234,5", decimal_comma=True), number_of("three")
        (1234.5, 1234.5, None)
    """
    return _parse_short_text(text, decimal_comma) if len(text) <= _MAX_LENGTH else None


@lru_cache(2**16)
def _parse_short_text(text: str, decimal_comma: bool) -> float | None:
    text = text.strip(_SURROUNDING).replace("\u2212", "-")
    if text.startswith("(") and text.endswith(")"):
        inside = _parse_short_text(text[1:-1], decimal_comma)
        return None if inside is None or inside < 0 else -inside
    sign = text[:1] if text[:1] in ("-", "+") else ""
    text = text[len(sign) :].lstrip(_CURRENCIES)
    mark, thousands = (",", ".") if decimal_comma else (".", ",")
    if _THOUSANDS[decimal_comma].match(text):
        text = re.sub(rf"[\{thousands}{_THOUSANDS_SEPARATORS}]", "", text)
    if decimal_comma:
        text = text.replace(",", ".") if text.count(".") + text.count(",") <= 1 else ""
    text = sign + text
    return float(text) if _NUMBER.match(text) else None


def mostly_numbers(texts: Sequence[str | None], numbers: Sequence[float | None]) -> bool:
    """Whether nearly all texts are numbers.

    One or two texts, such as `"-"` or `"sold out"`, may stand for missing values in up to half of
    the rows, if there are many distinct numbers.

    Args:
        texts: The values of a column; None for missing values.
        numbers: The numbers parsed from the texts; None for texts that are not numbers.
    """
    pairs = [(t, n) for t, n in zip(texts, numbers, strict=True) if t is not None]
    valid = [number for _, number in pairs if number is not None]
    if not valid or len(valid) < len(pairs) / 2:
        return False
    if len(valid) >= _MIN_NUMBERS * len(pairs):
        return True
    other_texts = {text for text, number in pairs if number is None}
    return len(other_texts) <= _MAX_TEXTS and len(set(valid)) > _MIN_DISTINCT
