"""Output of commands: text to stdout, remarks and errors to stderr, JSON for machines."""

import codecs
import json
import math
import sys
from typing import Any

# Replacements for characters that an encoding lacks.
_PLAIN = {
    "█": "#", "▉": "#", "▊": "#", "▋": "#", "▌": "=", "▍": "=", "▎": "-", "▏": "-", "▀": "#",
    "✓": "+", "✗": "x", "→": "->", "–": "-", "—": "-", "…": "...", "±": "+/-", "×": "x",
    "\N{NO-BREAK SPACE}": " ", "•": "*", "━": "-", "╸": "-", "╺": "-",
}  # fmt: skip


def print_anything() -> None:
    """Let stdout and stderr accept every character, by replacing those that an encoding lacks."""
    codecs.register_error("lamina.plain", _replace_characters)
    for stream in (sys.stdout, sys.stderr):
        # These are Python's defaults; a setting by PYTHONIOENCODING is kept.
        if getattr(stream, "errors", None) in ("strict", "surrogateescape", "backslashreplace"):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="lamina.plain")


def _replace_characters(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    return "".join(_PLAIN.get(c, "?") for c in missing), error.end


def examples(*commands: str) -> str:
    """The section "Examples" at the end of a command's help."""
    return "\n\n".join(["[bold]Examples[/bold]", *(f"  {command}" for command in commands)])


def console() -> Any:
    """A rich console on the current `sys.stdout`."""
    from rich.console import Console

    return Console(highlight=False)


def say(text: str = "") -> None:
    """Print a line, with rich's markup."""
    console().print(text, soft_wrap=True)


def say_plain(text: str) -> None:
    """Print text without interpreting brackets as markup."""
    console().print(text, markup=False, soft_wrap=True)


def remark(text: str) -> None:
    """Print a line that is not the result: to stderr, so that pipes stay clean."""
    from rich.console import Console

    Console(file=sys.stderr, highlight=False).print(text, markup=False, soft_wrap=True, style="dim")


def print_json(data: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False))


def _finite(data: Any) -> Any:
    """The data with None in place of NaN and infinity, which JSON does not have."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def print_error(error: Exception) -> None:
    """Print an error's message to stderr; for an unexpected error, also a hint at `--debug`."""
    from rich.console import Console
    from rich.text import Text

    stderr = Console(file=sys.stderr, highlight=False)
    is_expected = isinstance(error, (ValueError, TypeError, OSError, ImportError))
    message = str(error) if is_expected else f"{type(error).__name__}: {error}"
    stderr.print(Text("Error: ", style="bold red") + Text(message, style="default"), soft_wrap=True)
    for note in getattr(error, "__notes__", ()):
        if "JAX" not in note:  # its notes are about its own tracebacks
            stderr.print(Text(note), soft_wrap=True)
    if not is_expected:
        stderr.print(Text("This is an unexpected error; --debug shows where.", style="dim"))


def bar(fraction: float, width: int = 24) -> str:
    """A bar of `width` characters, filled to a fraction in eighths of a character.

    Example:
        >>> bar(0.5, width=4), bar(0.25, width=2)
        ('██  ', '▌ ')
    """
    eighths = round(fraction * width * 8)
    full, remainder = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[remainder] if remainder else "")).ljust(width)
