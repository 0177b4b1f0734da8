"""Tracebacks without JAX's own frames: a mistake should point at the line that made it.

`JAX_TRACEBACK_FILTERING=off` or `config.disable_traceback_filtering()` shows everything.
"""

import functools
import os
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import jax
import jaxlib

from lamina.core.config import is_traceback_filtering_enabled

F = TypeVar("F", bound=Callable[..., Any])

_HIDDEN = (
    os.path.join(os.path.dirname(jax.__file__), ""),
    os.path.join(os.path.dirname(jaxlib.__file__), ""),
    __file__,
)
_NOTE_OF_JAX = "JAX has removed its internal frames"
_ASKED_FOR_VALUES = (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError)
_NOTE_ON_VALUES = (
    "Likely cause: NumPy, float() or an `if` on an array inside a layer, loss, metric or step. "
    "These are compiled, and have no values while that is done.\n"
    "  Fix: the same from lamina.ops in place of NumPy, and ops.where(condition, a, b) in place of "
    "`if`. To look at values: compile(…, run_eagerly=True)."
)


def without_jax_frames(function: F) -> F:
    """Decorator: errors leave the function without JAX's frames and its note about them.

    Example:
        >>> @without_jax_frames
        ... def add():
        ...     return jax.numpy.ones(2) + jax.numpy.ones(3)
        >>> try:
        ...     add()
        ... except TypeError as error:
        ...     print(getattr(error, "__notes__", []))
        []
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if isinstance(error, _ASKED_FOR_VALUES):
                _explain_values(error)
            strip(error)
            raise

    return wrapped  # type: ignore[return-value]


def strip(error: BaseException) -> None:
    """Take JAX's frames and its note out of an error, and out of the errors that led to it."""
    shows_all = jax.config.jax_traceback_filtering == "off"  # type: ignore[attr-defined]
    if shows_all or not is_traceback_filtering_enabled():
        return
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__]
        one.__traceback__ = _visible(one.__traceback__)
        notes = getattr(one, "__notes__", None)
        if notes:
            notes[:] = [note for note in notes if _NOTE_OF_JAX not in str(note)]


def _explain_values(error: Exception) -> None:
    if _NOTE_ON_VALUES not in getattr(error, "__notes__", ()):
        error.add_note(_NOTE_ON_VALUES)


def _visible(traceback: TracebackType | None) -> TracebackType | None:
    entries = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    kept = None
    for entry in reversed(entries):
        if not entry.tb_frame.f_code.co_filename.startswith(_HIDDEN):
            kept = TracebackType(kept, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return kept
