"""Names of Keras that Lamina has not grown yet: they exist, and say so when they are used.

A script that only imports such a name goes on; one that calls it learns in one line what is not
there and what to do meanwhile. `comes_later` on the object tells both apart without calling it.
"""

from collections.abc import Sequence
from typing import Any, NoReturn

from lamina.core.messages.tracebacks import filter_traceback


class ComesLater(NotImplementedError):
    """Something of Keras that Lamina does not do yet."""


def later_class(name: str, module: str, instead: str) -> type:
    """A class that can be named, imported and compared with, and not made.

    Args:
        name: Of the class.
        module: Where it is found, e.g. `"lamina.quantizers"`.
        instead: A sentence on what to do meanwhile.

    Example:
        >>> Quantizer = later_class("Quantizer", "lamina.quantizers", "Use mixed_bfloat16.")
        >>> isinstance(3, Quantizer)
        False
        >>> Quantizer()
        Traceback (most recent call last):
        ...
        lamina.core.later.ComesLater: lamina.quantizers.Quantizer is not there yet.
          Meanwhile: Use mixed_bfloat16.
    """

    @filter_traceback
    def refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise _error(f"{module}.{name}", instead)

    content = {
        "__init__": refuse,
        "__module__": module,
        "__doc__": f"Not there yet. {instead}",
        "comes_later": instead,
    }
    return type(name, (), content)


def later_function(name: str, module: str, instead: str) -> Any:
    """A function that says that it is not there yet. The arguments are as for `later_class`."""

    @filter_traceback
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise _error(f"{module}.{name}", instead)

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__module__ = module
    refuse.__doc__ = f"Not there yet. {instead}"
    refuse.comes_later = instead  # type: ignore[attr-defined]
    return refuse


def later_names(module: str, names: Sequence[str], instead: str) -> dict[str, Any]:
    """Several at once: a capital makes a class."""
    return {
        name: (later_class if name[0].isupper() else later_function)(name, module, instead)
        for name in names
    }


def _error(what: str, instead: str) -> ComesLater:
    return ComesLater(f"{what} is not there yet.\n  Meanwhile: {instead}")
