"""Placeholders for names of Keras that Lamina does not implement yet; they raise when used.

A script that only imports such a name runs; one that calls it gets an error that says what to do
instead. A placeholder has the attribute `unavailable`, so it can be recognised without a call.
"""

from collections.abc import Sequence
from typing import Any, NoReturn

from lamina.core.messages.tracebacks import filter_traceback


class NotAvailableError(NotImplementedError):
    """A part of Keras that Lamina does not implement yet."""


def unavailable_class(name: str, module: str, alternative: str) -> type:
    """A class that can be imported and used with isinstance, but not instantiated.

    Args:
        name: Name of the class.
        module: Its public module, e.g. `"lamina.quantizers"`.
        alternative: A sentence that says what to use instead.

    Example:
        >>> Quantizer = unavailable_class("Quantizer", "lamina.quantizers", "Use mixed_bfloat16.")
        >>> isinstance(3, Quantizer)
        False
        >>> Quantizer()
        Traceback (most recent call last):
        ...
        lamina.core.unavailable.NotAvailableError: lamina.quantizers.Quantizer is not available yet.
          Meanwhile: Use mixed_bfloat16.
    """

    @filter_traceback
    def refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise _make_error(f"{module}.{name}", alternative)

    attributes = {
        "__init__": refuse,
        "__module__": module,
        "__doc__": f"Not available yet. {alternative}",
        "unavailable": alternative,
    }
    return type(name, (), attributes)


def unavailable_function(name: str, module: str, alternative: str) -> Any:
    """A function that raises when it is called. The arguments are those of `unavailable_class`."""

    @filter_traceback
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise _make_error(f"{module}.{name}", alternative)

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__module__ = module
    refuse.__doc__ = f"Not available yet. {alternative}"
    refuse.unavailable = alternative  # type: ignore[attr-defined]
    return refuse


def make_unavailable_objects(module: str, names: Sequence[str], alternative: str) -> dict[str, Any]:
    """Create the placeholders for several names; returns them in a dict by name.

    Names with a capital letter become classes, the others functions. The arguments are as in
    `unavailable_class`.
    """
    return {
        name: (unavailable_class if name[0].isupper() else unavailable_function)(
            name, module, alternative
        )
        for name in names
    }


def _make_error(what: str, alternative: str) -> NotAvailableError:
    return NotAvailableError(f"{what} is not available yet.\n  Meanwhile: {alternative}")
