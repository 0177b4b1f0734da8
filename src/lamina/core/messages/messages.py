"""Where messages go, to standard output or to Python's logger, and how names look in them."""

import logging

from lamina.core.configuration.config import is_interactive_logging_enabled


def show(text: str, end: str = "\n") -> None:
    """Print a text, or log it where `config.disable_interactive_logging()` asked for that.

    Example:
        >>> show("Epoch 1/3")
        Epoch 1/3
    """
    if is_interactive_logging_enabled():
        print(text, end=end, flush=True)
    else:
        logging.getLogger("lamina").info(text)


def readable(text: str) -> str:
    """A name out of a file without control characters, which could steer a terminal.

    Example:
        >>> readable("dense/\\x1b[2Jkernel")
        'dense/\\\\x1b[2Jkernel'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
