"""Arguments of `lamina.data.load` as options of the command line, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer

# Options with different names for true and for false.
_FLAGS = {
    "day_first": ("--day-first", "--month-first"),
    "decimal_comma": ("--decimal-comma", "--decimal-point"),
}


def pairs(options: Sequence[str] | None) -> dict[str, str] | None:
    """Convert options `COLUMN=KIND` to a dict; None without options.

    Raises:
        typer.BadParameter: If one has no `=`.

    Example:
        >>> pairs(["postcode=category"])
        {'postcode': 'category'}
    """
    if not options:
        return None
    for option in options:
        if "=" not in option:
            raise typer.BadParameter(
                f"it is COLUMN=KIND, as in --kinds postcode=category; received {option!r}.",
                param_hint="--kinds",
            )
    # The name of a column may contain the sign.
    return dict(option.rsplit("=", 1) for option in options)


def to_command_line(arguments: Mapping[str, Any]) -> list[str]:
    """Convert arguments to the words of a command line; None is left out.

    Example:
        >>> to_command_line({"target": "price", "drop": ["id"], "day_first": False, "window": None})
        ['--target', 'price', '--drop', 'id', '--month-first']
    """
    words: list[str] = []
    for name, value in arguments.items():
        option = f"--{name.replace('_', '-')}"
        if value is None:
            continue
        if name in _FLAGS:
            words.append(_FLAGS[name][not value])
        elif isinstance(value, Mapping):
            words += [word for key, item in value.items() for word in (option, f"{key}={item}")]
        elif isinstance(value, list):
            words += [word for item in value for word in (option, str(item))]
        elif isinstance(value, tuple):
            words += [option, *map(str, value)]
        else:
            words += [option, str(value)]
    return words
