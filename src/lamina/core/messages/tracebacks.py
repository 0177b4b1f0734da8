"""Tracebacks without internal frames, which point to the user's line.

Frames of Lamina and JAX are left out of the errors that public functions raise; frames of the
user's code remain. `config.disable_traceback_filtering()`, or
`LAMINA_TRACEBACK_FILTERING=off` or `JAX_TRACEBACK_FILTERING=off` in the environment, shows all
frames. An error that Lamina did not raise with a `raise` statement is a bug of Lamina and keeps its
frames.
"""

import functools
import importlib.util
import inspect
import opcode
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

_LAMINA_FOLDER = os.path.join(Path(__file__).parents[2], "")
# Located without importing JAX, so that modules that do not use it are quick to import.
_JAX_FOLDERS = tuple(
    os.path.join(os.path.dirname(spec.origin), "")
    for name in ("jax", "jaxlib")
    if (spec := importlib.util.find_spec(name)) is not None and spec.origin is not None
)
_RAISE_OPCODE = opcode.opmap["RAISE_VARARGS"]
_JAX_NOTE = "JAX has removed its internal frames"
_NO_VALUES_NOTE = (
    "Likely cause: NumPy, float() or an `if` on an array inside a layer, loss, metric or step. "
    "These are compiled, and arrays have no values during compilation.\n"
    "  Fix: functions of lamina.ops in place of NumPy's, and ops.where(condition, a, b) in place "
    "of `if`. To look at values: compile(…, run_eagerly=True)."
)


def filter_traceback(function: F) -> F:
    """Decorator that removes internal frames, and JAX's note about them, from a function's errors.

    Example:
        >>> import jax
        >>> @filter_traceback
        ... def add():
        ...     return jax.numpy.ones(2) + jax.numpy.ones(3)
        >>> try:
        ...     add()
        ... except TypeError as error:
        ...     print(getattr(error, "__notes__", []))
        []
    """

    if function.__code__.co_filename == __file__:  # already decorated
        return function

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            clean_error(error)
            raise

    @functools.wraps(function)
    def generator_wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return (yield from function(*args, **kwargs))
        except Exception as error:
            clean_error(error)
            raise

    return generator_wrapper if inspect.isgeneratorfunction(function) else wrapped  # type: ignore[return-value]


def filter_tracebacks_of_methods(cls: C, *names: str) -> C:
    """Class decorator that applies `filter_traceback` to methods of a class of Lamina.

    Args:
        cls: The class; classes of users are not changed, so that their frames are shown.
        *names: Names of methods; without any, all public methods and the constructor.
    """
    if cls.__module__.startswith("lamina."):
        for name, member in list(vars(cls).items()):
            if name in names if names else _is_public(name):
                _filter_member(cls, name, member)
    return cls


# A layer's `call` is called by `__call__`, which filters tracebacks already.
_NOT_FILTERED = {"call"}
_FILTERED_SPECIAL_METHODS = {
    "__new__", "__init__", "__call__", "__iter__", "__len__",
    "__contains__", "__getitem__", "__setitem__", "__delitem__",
}  # fmt: skip


def _is_public(name: str) -> bool:
    return name in _FILTERED_SPECIAL_METHODS or not (name.startswith("_") or name in _NOT_FILTERED)


def _filter_member(cls: type, name: str, member: Any) -> None:
    if isinstance(member, (staticmethod, classmethod)):
        setattr(cls, name, type(member)(filter_traceback(member.__func__)))
    elif isinstance(member, property):
        if member.fset is not None:
            setattr(cls, name, member.setter(filter_traceback(member.fset)))
    elif inspect.isfunction(member):
        setattr(cls, name, filter_traceback(member))


def clean_error(error: Exception) -> None:
    """Prepare an error for the user: explain that traced arrays have no values, remove frames."""
    if _needs_concrete_values(error):
        _explain_values(error)
    strip_internal_frames(error)


def strip_internal_frames(error: BaseException) -> None:
    """Remove internal frames and JAX's note from an error and from its causes."""
    if _shows_all_frames():
        return
    visited: set[int] = set()
    stack: list[BaseException | None] = [error]
    while stack:
        current = stack.pop()
        if current is None or id(current) in visited:
            continue
        visited.add(id(current))
        stack += [current.__cause__, current.__context__]
        current.__traceback__ = _visible_frames(current)
        notes = getattr(current, "__notes__", None)
        if notes:
            notes[:] = [note for note in notes if _JAX_NOTE not in str(note)]


def _shows_all_frames() -> bool:
    # config imports this module, to filter its functions.
    from lamina.core.configuration.config import is_traceback_filtering_enabled

    jax: Any = sys.modules.get("jax")
    is_off = jax is not None and jax.config.jax_traceback_filtering == "off"
    return is_off or not is_traceback_filtering_enabled()


def _needs_concrete_values(error: Exception) -> bool:
    """Whether the error says that compiled code needs the values of an array."""
    jax: Any = sys.modules.get("jax")
    return jax is not None and isinstance(
        error, (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError)
    )


def _explain_values(error: Exception) -> None:
    if _NO_VALUES_NOTE not in getattr(error, "__notes__", ()):
        error.add_note(_NO_VALUES_NOTE)


def _visible_frames(error: BaseException) -> TracebackType | None:
    entries = []
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename != __file__:
            entries.append(traceback)
        traceback = traceback.tb_next
    hidden: tuple[str, ...] = (
        _JAX_FOLDERS if _is_bug_of_lamina(error, entries) else (*_JAX_FOLDERS, _LAMINA_FOLDER)
    )
    visible = None
    for entry in reversed(entries):
        if not entry.tb_frame.f_code.co_filename.startswith(hidden):
            visible = TracebackType(visible, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return visible


def _is_bug_of_lamina(error: Any, entries: list[TracebackType]) -> bool:
    """Whether the error arose in Lamina, at a line that is not a `raise` statement."""
    is_bug: bool | None = getattr(error, "_lamina_bug", None)
    if is_bug is None:  # stored, because its first frames may have been removed later
        is_bug = error._lamina_bug = _was_raised_in_lamina(error, entries)
    return is_bug


def _was_raised_in_lamina(error: BaseException, entries: list[TracebackType]) -> bool:
    if not entries or not entries[-1].tb_frame.f_code.co_filename.startswith(_LAMINA_FOLDER):
        return False
    is_raise_statement = entries[-1].tb_frame.f_code.co_code[entries[-1].tb_lasti] == _RAISE_OPCODE
    return not is_raise_statement or isinstance(error, AssertionError)
