"""The command line: `lamina quickstart`, `train`, `evaluate`, `predict` and the rest.

One file a command; each reads its arguments, calls the public library and prints. Nothing here
imports JAX before a command needs it, so `lamina --help` answers at once.
"""

from lamina.cli.app import app, main

__all__ = ["app", "main"]
