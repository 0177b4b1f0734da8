"""Numbers as people and spreadsheets write them."""

import re
from collections.abc import Sequence
from functools import lru_cache

# What stands around a number, and what stands between its thousands beside a comma or point.
_CURRENCIES = "$€£¥"
_AROUND = f" {_CURRENCIES}%\u00a0\u202f"
_BETWEEN = r" \u00a0\u202f\u2009'’"
_NUMBER = re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$")
# Longer texts are no numbers; the cache does not keep them.
_LONGEST = 64
# Share of the values that must be readable as numbers for a column to count as such.
_MOST = 0.95
# Texts that stand for what is missing, where there are so many different numbers.
_FEW_TEXTS, _MANY_NUMBERS = 2, 20


def _grouped(thousands: str, mark: str) -> re.Pattern[str]:
    """Digits in groups of three; in India, of two before the last."""
    end = rf"(?:\{mark}\d*)?"
    return re.compile(
        rf"^(?:[1-9]\d{{0,2}}([\{thousands}{_BETWEEN}])\d{{3}}(?:\1\d{{3}})*"
        rf"|[1-9]\d?(?:\{thousands}\d{{2}})+\{thousands}\d{{3}}){end}$"
    )


_THOUSANDS = {False: _grouped(",", "."), True: _grouped(".", ",")}


def number_of(text: str, decimal_comma: bool = False) -> float | None:
    """The number that a text means, or None.

    Args:
        text: As a person or a spreadsheet writes it: `"1,234.5"`, `"$12"`, `"3 %"`, `"2e-3"`,
            `"1 234"`, `"(1,234)"` for a negative amount.
        decimal_comma: Whether the comma is the decimal mark, and the point separates thousands.

    Example:
        >>> number_of("1,234.5"), number_of("1.234,5", decimal_comma=True), number_of("three")
        (1234.5, 1234.5, None)
    """
    return _number_of_short(text, decimal_comma) if len(text) <= _LONGEST else None


@lru_cache(2**16)
def _number_of_short(text: str, decimal_comma: bool) -> float | None:
    text = text.strip(_AROUND).replace("\u2212", "-")
    if text.startswith("(") and text.endswith(")"):
        inside = _number_of_short(text[1:-1], decimal_comma)
        return None if inside is None or inside < 0 else -inside
    sign = text[:1] if text[:1] in ("-", "+") else ""
    text = text[len(sign) :].lstrip(_CURRENCIES)
    mark, thousands = (",", ".") if decimal_comma else (".", ",")
    if _THOUSANDS[decimal_comma].match(text):
        text = re.sub(rf"[\{thousands}{_BETWEEN}]", "", text)
    if decimal_comma:
        text = text.replace(",", ".") if text.count(".") + text.count(",") <= 1 else ""
    text = sign + text
    return float(text) if _NUMBER.match(text) else None


def mostly_numbers(texts: Sequence[str | None], numbers: Sequence[float | None]) -> bool:
    """Whether texts are the numbers that were read from them, but for a few.

    One or two texts, such as `"-"` or `"sold out"`, may stand for what is missing in up to half of
    the rows, if the others are many different numbers.
    """
    pairs = [(t, n) for t, n in zip(texts, numbers, strict=True) if t is not None]
    read = [number for _, number in pairs if number is not None]
    if not read or len(read) < len(pairs) / 2:
        return False
    if len(read) >= _MOST * len(pairs):
        return True
    others = {text for text, number in pairs if number is None}
    return len(others) <= _FEW_TEXTS and len(set(read)) > _MANY_NUMBERS
