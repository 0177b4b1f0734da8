"""Messages for wrong usage of commands, with a suggestion."""

import re
import sys
from collections.abc import Sequence
from typing import Any

from lamina.core.messages.errors import did_you_mean

# Patterns of messages of the parser, and clearer wordings.
_WORDING = (
    (r"^Value error, ", ""),
    (r"^Input should be a valid integer.*", "it must be a whole number."),
    (r"^Input should be a valid (number|float).*", "it must be a number."),
    (r"^Input should be greater than or equal to (\S+?)\.?$", r"it must be \1 or more."),
    (r"^Input should be greater than (\S+?)\.?$", r"it must be above \1."),
    (r"^Input should be less than or equal to (\S+?)\.?$", r"it must be \1 or less."),
)


def show(error: Any, typed: Sequence[str]) -> None:
    """Print what is wrong with a command to stderr, with its usage.

    Args:
        error: The parser's `UsageError`.
        typed: The arguments.
    """
    context = error.ctx
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    lines = []
    if context is not None:
        lines.append(context.get_usage())
    lines.append(f"Error: {message(error, typed)}")
    if context is not None:
        lines.append(f"  {context.command_path} --help tells more.")
    print("\n".join(lines), file=sys.stderr)


def message(error: Any, typed: Sequence[str]) -> str:
    """The error message, with a suggestion."""
    context = error.ctx
    name = getattr(error, "option_name", None)
    if type(error).__name__ == "NoSuchOption" and context is not None:
        options = [o for p in context.command.params for o in p.opts if o.startswith("--")]
        hint = did_you_mean(str(name), options) or f"\n  Its options: {', '.join(sorted(options))}."
        return f"{context.command_path} has no option {name}.{hint}"
    if type(error).__name__ == "BadParameter":
        return f"{_parameter(error)}: {_reword(error.message)}{_describe_received(error, typed)}"
    text: str = error.format_message()
    match = re.match(r"No such command '(.*?)'", text)
    if match and context is not None:
        commands = list(getattr(context.command, "commands", {}))
        hint = did_you_mean(match[1], commands) or f" There are {', '.join(commands)}."
        return f"There is no command {match[1]!r}.{hint}"
    return text


def _reword(text: str) -> str:
    for pattern, plain in _WORDING:
        text = re.sub(pattern, plain, text)
    return text


def _parameter(error: Any) -> str:
    if error.param_hint:
        return str(error.param_hint)
    return max(error.param.opts, key=len) if error.param is not None else "Invalid value"


def _describe_received(error: Any, typed: Sequence[str]) -> str:
    """` Received 'x'.`, unless the message has the value already."""
    names = () if error.param is None else error.param.opts
    for i, word in enumerate(typed):
        option, equals, value = word.partition("=")
        if option in names:
            value = value if equals else (typed[i + 1] if i + 1 < len(typed) else "")
            return "" if not value or repr(value) in error.message else f" Received {value!r}."
    return ""
