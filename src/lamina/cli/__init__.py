"""The command line: `lamina quickstart`, `train`, `evaluate`, `predict` and the rest.

There is one file for each command; it reads the arguments, calls the public library and prints. JAX
is imported only when a command needs it, so `lamina --help` answers at once.
"""

from lamina.cli.app import app, main

__all__ = ["app", "main"]
