"""Finds whether the comma is the decimal mark, from a column, its table, its file or the user.

1,234 is more than a thousand in one country and little more than one in another.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lamina.data.loading.cells import as_texts, is_list_of_values, strings_in
from lamina.data.loading.numbers import number_of

# Maximum number of values of a column that are examined, evenly spaced.
_MAX_VALUES = 2000


class MarkCounts(NamedTuple):
    """How many numbers of a column have a decimal comma, and how many a decimal point.

    Args:
        comma: Count of numbers that have a decimal comma.
        point: Count of numbers that have a decimal point.
        ambiguous: A number whose value depends on the decimal mark; empty if there is none.
    """

    comma: int = 0
    point: int = 0
    ambiguous: str = ""

    @property
    def is_comma(self) -> bool | None:
        """Whether the comma is the decimal mark; None if the counts are equal."""
        return None if self.comma == self.point else self.comma > self.point


def count_marks(texts: Iterable[str | None]) -> MarkCounts:
    """Count the decimal marks of numbers in texts.

    Example:
        >>> count_marks(["1,5", "2,25", "1,250"])
        MarkCounts(comma=2, point=0, ambiguous='1,250')
        >>> count_marks(["1,500", "2,250", "999"]).is_comma is None
        True
    """
    comma = point = 0
    ambiguous = ""
    for text in texts:
        if text is None or ("," not in text and "." not in text):
            continue
        with_point, with_comma = number_of(text), number_of(text, decimal_comma=True)
        if with_point is None or with_comma is None:
            comma += with_comma is not None
            point += with_point is not None
        elif with_point == with_comma:
            # 1.5 is 1.5 with either mark, but would be written 1,5 if the comma were the mark.
            point += 1
        else:
            ambiguous = ambiguous or text
    return MarkCounts(comma, point, ambiguous)


def has_decimal_comma(texts: Iterable[str | None], default: bool | None = None) -> bool:
    """Whether the comma is the decimal mark of a column.

    Args:
        texts: Its values.
        default: The answer if the values are ambiguous.

    Example:
        >>> has_decimal_comma(["1,5", "2,25"]), has_decimal_comma(["1,500", "2,250"])
        (True, False)
    """
    is_comma = count_marks(texts).is_comma
    return bool(default) if is_comma is None else is_comma


class DecimalMarks(NamedTuple):
    """The decimal marks in the columns of a table.

    Args:
        by_column: The counts of each column with strings.
        user_choice: The user's `decimal_comma`, for columns whose numbers are ambiguous.
        separator: What separates the values in a text file; empty for other tables.
    """

    by_column: Mapping[str, MarkCounts]
    user_choice: bool | None = None
    separator: str = ""

    @property
    def majority(self) -> bool | None:
        """Whether most columns have decimal commas; None if there is no majority."""
        votes = [c.is_comma for c in self.by_column.values() if c.is_comma is not None]
        difference = votes.count(True) - votes.count(False)
        return None if not difference else difference > 0

    def comma_for(self, name: str) -> bool | None:
        """Whether an ambiguous column has decimal commas; None if unknown."""
        if self.user_choice is not None:
            return self.user_choice
        if self.majority is not None:
            return self.majority
        counts = self.by_column.get(name, MarkCounts())
        # A file with semicolons as separators usually has decimal commas.
        return True if self.separator == ";" and "," in counts.ambiguous else None

    def remarks_on(self, name: str) -> list[str]:
        """Remarks for the user on a column whose numbers are ambiguous."""
        counts = self.by_column.get(name, MarkCounts())
        if counts.is_comma is not None or not counts.ambiguous or self.user_choice is not None:
            return []
        comma = bool(self.comma_for(name))
        values = number_of(counts.ambiguous, comma), number_of(counts.ambiguous, not comma)
        value, other_value = (f"{number:.15g}" for number in values if number is not None)
        line = f"Column {name!r}: {counts.ambiguous} is read as {value}"
        if self.majority is not None:
            return [f"{line}, as numbers of other columns are written."]
        option = "point" if comma else "comma"
        return [
            f"{line}, and all numbers of the column are ambiguous; decimal_comma={not comma} "
            f"(--decimal-{option} on the command line) reads {other_value}."
        ]


def decimal_marks(table: Any, user_choice: bool | None = None, separator: str = "") -> DecimalMarks:
    """Find the decimal marks in the columns of a table.

    Args:
        table: A pandas table, or a dict of columns or of single values.
        user_choice: The user's `decimal_comma`, if any.
        separator: What separates the values in a text file; empty for other tables.

    Example:
        >>> marks = decimal_marks({"price": ["1,234", "2,500"], "weight": ["1,5", "2,5"]})
        >>> marks.comma_for("price"), number_of("1,234", marks.comma_for("price"))
        (True, 1.234)
    """
    counts: dict[str, MarkCounts] = {}
    for name in table.keys():
        values = table[name]
        if not is_list_of_values(values):
            values = [values]
        step = -(-len(values) // _MAX_VALUES) or 1
        strings = strings_in(values.iloc[::step] if hasattr(values, "iloc") else values[::step])
        if strings:
            counts[str(name)] = count_marks(as_texts(strings))
    return DecimalMarks(counts, user_choice, separator)
