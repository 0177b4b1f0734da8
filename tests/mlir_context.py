"""One MLIR context for the programs of a file of tests.

JAX makes a context for each program that it compiles. That takes 4 ms: for a program of one
operation as long as tracing it and reading it from the cache, and most programs of the tests are
that small.
"""

import functools
import threading

from jax._src.interpreters import mlir

_make = getattr(mlir, "make_ir_context", None)


def share() -> None:
    """From now on, the programs that the main thread compiles share a context."""
    if _make is not None:  # a private name of JAX, and the tests pass without it
        mlir.make_ir_context = _context


def renew() -> None:
    """Let go of the shared context, which keeps the types and constants of all its programs."""
    _shared.cache_clear()


@functools.cache
def _shared():
    return _make()


def _context():
    # Other threads have their own: a context must not load a dialect while it is used elsewhere.
    return _shared() if threading.current_thread() is threading.main_thread() else _make()
