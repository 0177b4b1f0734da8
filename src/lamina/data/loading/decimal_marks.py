"""Whether the comma is the decimal mark: told by a column, its table, its file or the user.

1,234 is a thousand and more in one country and little more than one in another.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lamina.data.loading.cells import as_texts, holds_several, strings_in
from lamina.data.loading.numbers import number_of

# Values of a column that are looked at, spread evenly, to tell the mark of the whole table.
_MOST_VALUES = 2000


class Mark(NamedTuple):
    """What the numbers of a column tell of their decimal mark.

    Args:
        comma: How many can only be read with a decimal comma.
        point: How many with a decimal point.
        undecided: One that can be read either way, with another value; empty if there is none.
    """

    comma: int = 0
    point: int = 0
    undecided: str = ""

    @property
    def told(self) -> bool | None:
        """Whether the comma is the decimal mark; None if the numbers do not tell."""
        return None if self.comma == self.point else self.comma > self.point


def decimal_mark(texts: Iterable[str | None]) -> Mark:
    """What numbers in texts tell of their decimal mark.

    Example:
        >>> decimal_mark(["1,5", "2,25", "1,250"])
        Mark(comma=2, point=0, undecided='1,250')
        >>> decimal_mark(["1,500", "2,250", "999"]).told is None
        True
    """
    comma = point = 0
    undecided = ""
    for text in texts:
        if text is None or ("," not in text and "." not in text):
            continue
        with_point, with_comma = number_of(text), number_of(text, decimal_comma=True)
        if with_point is None or with_comma is None:
            comma += with_comma is not None
            point += with_point is not None
        elif with_point == with_comma:
            # 1.5 is read either way, and would be written 1,5 where the comma is the mark.
            point += 1
        else:
            undecided = undecided or text
    return Mark(comma, point, undecided)


def has_decimal_comma(texts: Iterable[str | None], otherwise: bool | None = None) -> bool:
    """Whether the comma is the decimal mark of a column.

    Args:
        texts: Its values.
        otherwise: What to take if they do not tell.

    Example:
        >>> has_decimal_comma(["1,5", "2,25"]), has_decimal_comma(["1,500", "2,250"])
        (True, False)
    """
    told = decimal_mark(texts).told
    return bool(otherwise) if told is None else told


class DecimalMarks(NamedTuple):
    """What the columns of a table tell of their decimal marks.

    Args:
        by_column: What each column of texts tells.
        wanted: What the user says; it decides where a column does not.
        separator: What separates the values of the file, if it is one of texts.
    """

    by_column: Mapping[str, Mark]
    wanted: bool | None = None
    separator: str = ""

    @property
    def told(self) -> bool | None:
        """What most columns tell; None if they do not."""
        votes = [mark.told for mark in self.by_column.values() if mark.told is not None]
        difference = votes.count(True) - votes.count(False)
        return None if not difference else difference > 0

    def comma_for(self, name: str) -> bool | None:
        """Whether a column has decimal commas where its values do not tell; None if unknown."""
        if self.wanted is not None:
            return self.wanted
        if self.told is not None:
            return self.told
        mark = self.by_column.get(name, Mark())
        # Where semicolons separate values, commas are needed for something else.
        return True if self.separator == ";" and "," in mark.undecided else None

    def remarks_on(self, name: str) -> list[str]:
        """Remarks for the user on a column whose numbers can be read in two ways."""
        mark = self.by_column.get(name, Mark())
        if mark.told is not None or not mark.undecided or self.wanted is not None:
            return []
        comma = bool(self.comma_for(name))
        numbers = number_of(mark.undecided, comma), number_of(mark.undecided, not comma)
        read, other = (f"{number:.15g}" for number in numbers if number is not None)
        line = f"Column {name!r}: {mark.undecided} is read as {read}"
        if self.told is not None:
            return [f"{line}, as numbers of other columns are written."]
        option = "point" if comma else "comma"
        return [
            f"{line}, and no number of the column tells; decimal_comma={not comma} "
            f"(--decimal-{option} on the command line) reads {other}."
        ]


def decimal_marks(table: Any, wanted: bool | None = None, separator: str = "") -> DecimalMarks:
    """What the columns of a table tell of their decimal marks.

    Args:
        table: A pandas table, or a dict of columns or of single values.
        wanted: What the user says.
        separator: What separates the values of the file, if it is one of texts.

    Example:
        >>> marks = decimal_marks({"price": ["1,234", "2,500"], "weight": ["1,5", "2,5"]})
        >>> marks.comma_for("price"), number_of("1,234", marks.comma_for("price"))
        (True, 1.234)
    """
    marks: dict[str, Mark] = {}
    for name in table.keys():
        values = table[name]
        if not holds_several(values):
            values = [values]
        step = -(-len(values) // _MOST_VALUES) or 1
        some = strings_in(values.iloc[::step] if hasattr(values, "iloc") else values[::step])
        if some:
            marks[str(name)] = decimal_mark(as_texts(some))
    return DecimalMarks(marks, wanted, separator)
