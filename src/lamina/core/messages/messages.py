"""Shows messages on standard output or in Python's logger, and makes names printable."""

import logging

from lamina.core import processes
from lamina.core.configuration.config import is_interactive_logging_enabled


def show(text: str, end: str = "\n") -> None:
    """Print a text, or log it after `config.disable_interactive_logging()`.

    Example:
        >>> show("Epoch 1/3")
        Epoch 1/3
    """
    if not processes.is_first():
        return
    if is_interactive_logging_enabled():
        print(text, end=end, flush=True)
    else:
        logging.getLogger("lamina").info(text)


def escape_control_characters(text: str) -> str:
    """Replace control characters, which could control a terminal, by their escape sequences.

    Example:
        >>> escape_control_characters("dense/\\x1b[2Jkernel")
        'dense/\\\\x1b[2Jkernel'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
