"""Lines of code for messages that fix a column of a table, for the table's library."""

from typing import Any


def fix_for_words(column: Any, what: str, table: str | None) -> str:
    """Code that converts the words in a column to numbers.

    Args:
        column: A column of pandas, polars or another library.
        what: The expression for the column: `"x['a']"` or `"y"`.
        table: The expression for the table that contains it: `"x"`; None if there is no table.
    """
    if _is_polars(column):
        if table is None:
            return f"names, {what} = numpy.unique({what}, return_inverse=True)"
        return f"{table} = {table}.to_dummies({column.name!r}) makes a column of 0 and 1 for each."
    return _pandas_lines(
        column,
        what,
        table,
        f"{what} = {what}.astype('category').cat.codes numbers the values from 0; "
        "pandas.get_dummies makes a column of 0 and 1 for each.",
    )


def fix_for_dates(column: Any, what: str, table: str | None) -> str:
    """Code that converts dates to the number of days since the first date."""
    if _is_polars(column):
        return _polars_lines(what, table, f"({what} - {what}.min()).dt.total_days()")
    is_datetime = hasattr(column, "iloc") and getattr(column.dtype, "kind", "") == "M"
    dates = "" if is_datetime else f"{what} = pandas.to_datetime({what})\n  "
    fix = f"{what} = ({what} - {what}.min()).dt.days counts days from the first one."
    return _pandas_lines(column, what, table, dates + fix)


def fix_for_durations(column: Any, what: str, table: str | None) -> str:
    """Code that converts durations to seconds."""
    if _is_polars(column):
        return _polars_lines(what, table, f"{what}.dt.total_seconds()")
    return _pandas_lines(column, what, table, f"{what} = {what}.dt.total_seconds().")


def fix_for_missing_values(column: Any, what: str, table: str | None) -> str:
    """Code that replaces missing values by the median or mean of the column."""
    rest = ", or leave those rows out, in x and in y."
    if _is_polars(column):
        filled = f"{what}.cast(polars.Float32).fill_nan(None).fill_null(strategy='mean')"
        return _polars_lines(what, table, filled) + rest
    kind = getattr(column.dtype, "kind", "")
    values = what if kind == "f" else f"{what}.astype('float32')"
    fix = f"{what} = {values}.fillna({what}.median())"
    if kind == "O":  # booleans
        fix = f"{what} = {values}\n  {what} = {what}.fillna({what}.median())"
    return _pandas_lines(column, what, table, fix) + rest


def _is_polars(column: Any) -> bool:
    return hasattr(column, "to_physical")


def _polars_lines(what: str, table: str | None, values: str) -> str:
    if table is None:
        return f"{what} = {values}"
    return f"{table} = {table}.with_columns({values})"


def _pandas_lines(column: Any, what: str, table: str | None, fix: str) -> str:
    """Code for pandas, preceded by a line that converts a table of another library to pandas."""
    if hasattr(column, "iloc"):
        return fix
    if table is None:
        return f"{what} = pandas.Series(numpy.asarray({what}))\n  {fix}"
    return f"{table} = {table}.to_pandas()\n  {fix}"
