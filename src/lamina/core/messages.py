"""Where messages go: to standard output, or to Python's logger."""

import logging

from lamina.core.config import is_interactive_logging_enabled


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
