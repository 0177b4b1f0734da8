"""Building blocks of messages: suggestions of similar names, lists of choices, and warnings.

Every module that raises errors for the user uses these functions.
"""

import contextlib
import difflib
import sys
import textwrap
import threading
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from lamina.core.messages.tracebacks import filter_traceback


class LaminaWarning(UserWarning):
    """Something works, but probably not as intended; the message says what to do."""


# Modules whose frames may be between the user's line and Lamina's code, e.g. JAX while it traces.
_INTERNAL_MODULES = {"lamina", "jax", "contextlib", "functools"}


def stacklevel_of_user() -> int:
    """The `stacklevel` for a warning that points to the user's line that called Lamina."""
    frame: Any = sys._getframe(1)
    level = 1
    while frame is not None and _is_internal(frame):
        frame, level = frame.f_back, level + 1
    return level


def line_of_user() -> str | None:
    """File and line of the user's call of Lamina, as `"file.py:12"`; None if there is none."""
    frame: Any = sys._getframe(1)
    while frame is not None and _is_internal(frame):
        frame = frame.f_back
    return None if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def warn_at_user(message: str) -> None:
    """Issue a warning that points to the user's line, also from one of Lamina's threads."""
    frame: Any = sys._getframe(1)
    while frame is not None and _is_internal(frame):
        frame = frame.f_back
    if frame is not None and frame.f_globals.get("__name__") == "threading":
        # This thread reads data ahead, while the main thread waits in the user's call.
        frame = sys._current_frames().get(threading.main_thread().ident or 0)
        while frame is not None and (_is_internal(frame) or _module(frame) in _WAITING_MODULES):
            frame = frame.f_back
    if frame is None:
        warnings.warn(message, LaminaWarning, stacklevel=2)
        return
    warnings.warn_explicit(
        message,
        LaminaWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


_WAITING_MODULES = {"threading", "queue", "concurrent"}


def _module(frame: Any) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _is_internal(frame: Any) -> bool:
    return _module(frame) in _INTERNAL_MODULES


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The known name closest to a misspelt one, or None if none is near.

    Example:
        >>> nearest("Adma", ["Adamax", "Adam", "SGD"])
        'Adam'
    """
    name = str(name)
    spellings: dict[str, list[str]] = {}
    for known_name in map(str, names):
        spellings.setdefault(_normalize_name(known_name), []).append(known_name)
    similar = difflib.get_close_matches(_normalize_name(name), list(spellings), n=5, cutoff=0.6)
    # `similar` is in order of similarity, so min() takes the most similar one of equal distance.
    best = min(similar, key=lambda k: _edit_distance(_normalize_name(name), k), default=None)
    if best is None or (
        _edit_distance(_normalize_name(name), best) > max(1, len(best) // 3) and name not in best
    ):
        return None
    # Of `MeanSquaredError` and `mean_squared_error`, the one in the style of the misspelt name.
    return max(spellings[best], key=lambda k: difflib.SequenceMatcher(a=name, b=k).ratio())


def _edit_distance(a: str, b: str) -> int:
    """The number of letters to insert, delete, replace or swap to turn `a` into `b`."""
    # Row `i` of the table has the distances of the first `i` letters of `a` to all prefixes of `b`.
    previous_row: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        previous_row, row_before_that, row = row, previous_row, [i + 1]
        for j, y in enumerate(b):
            cost = min(previous_row[j + 1] + 1, row[j] + 1, previous_row[j] + (x != y))
            if i and j and x == b[j - 1] and a[i - 1] == y:
                cost = min(cost, row_before_that[j - 1] + 1)
            row.append(cost)
    return row[-1]


def _normalize_name(name: str) -> str:
    return name.lower().replace("_", "")


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """` Did you mean 'relu'?` or an empty string, to be appended to a message."""
    suggestion = nearest(name, names)
    return f" Did you mean {suggestion!r}?" if suggestion else ""


def type_with_article(kind: type) -> str:
    """A type with its article, for messages.

    Example:
        >>> type_with_article(list), type_with_article(object), type_with_article(bytes)
        ('a list', 'an object', 'bytes')
    """
    name = kind.__name__
    if name.endswith("bytes"):
        return name
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def unknown_name(kind: str, name: object, names: Iterable[str]) -> ValueError:
    """The error for a name that is not known, e.g. `unknown_name("loss", "msee", table)`.

    Args:
        kind: The kind of object, in the singular: `"loss"`, `"layer"`.
        name: The unknown name.
        names: All known names.
    """
    names = list(map(str, names))
    hint = did_you_mean(str(name), names)
    if not hint:
        # Of `MeanSquaredError` and `mean_squared_error`, only the last in sorted order is listed.
        choices = ", ".join(sorted({_normalize_name(k): k for k in sorted(names)}.values()))
        hint = "\n" + textwrap.indent(textwrap.fill(f"Known: {choices}.", 98), "  ")
    return ValueError(f"Unknown {kind} {str(name)[:200]!r}.{hint}")


@contextlib.contextmanager
def prefix_errors(prefix: str) -> Iterator[None]:
    """Context manager that adds a prefix, e.g. `"validation_data: "`, to errors of Lamina."""
    try:
        yield
    except (ValueError, TypeError) as error:
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        is_from_lamina = last is not None and _module(last.tb_frame) == "lamina"
        if is_from_lamina and error.args and not str(error.args[0]).startswith(prefix):
            error.args = (f"{prefix}{error.args[0]}", *error.args[1:])
        raise


class ArgumentError(TypeError, ValueError):
    """An argument is unknown or has the wrong type. It is a ValueError as well, as in Keras."""


def unknown_argument(owner: str, name: str, names: Iterable[str]) -> ArgumentError:
    """The error for a misspelt keyword argument of a layer, loss, metric or optimizer."""
    names = sorted(set(names))
    return ArgumentError(
        f"{owner} has no argument {name!r}.{did_you_mean(name, names)}\n"
        f"  Its arguments: {', '.join(names)}."
    )


def suggest_similar_names(module_name: str) -> None:
    """Make a module's AttributeError suggest the nearest name for a misspelt one.

    Called at the end of a module. Type checkers do not see this `__getattr__`, and still report
    misspelt names.

    Example:
        >>> import lamina.layers
        >>> lamina.layers.Dens
        Traceback (most recent call last):
        ...
        AttributeError: module 'lamina.layers' has no attribute 'Dens'. Did you mean 'Dense'?
    """
    module = vars(sys.modules[module_name])

    def raise_missing_name(name: str) -> NoReturn:
        raise missing_name(module_name, name, module.get("__all__") or module)

    module["__getattr__"] = filter_traceback(raise_missing_name)


def missing_name(module_name: str, name: str, names: Iterable[str]) -> AttributeError:
    """The error for a name that a module does not have, with the nearest public name."""
    public = (k for k in names if not k.startswith("_"))
    hint = "" if name.startswith("_") else did_you_mean(name, public)
    return attribute_error(f"module {module_name!r} has no attribute {name!r}.{hint}", name)


def attribute_error(message: str, name: str) -> AttributeError:
    """An AttributeError without `obj`, so that Python adds no suggestion of its own."""
    return AttributeError(message, name=name)
