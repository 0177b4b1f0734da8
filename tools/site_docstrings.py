"""How the site reads docstrings: in the form that its parser expects.

`Example:` becomes a section, the names of one-line sections become bold, and a class whose
arguments its base explains, "Args: See `BaseConv`.", gets that explanation.
"""

import importlib
import inspect
import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^(\s*)Example:$", re.MULTILINE)
ONE_LINE = re.compile(r"^(Input shape|Output shape|Source|Call arguments):(?= \S)", re.MULTILINE)
ELSEWHERE = re.compile(r"^Args: See `(\w+)`([.;].*)$", re.MULTILINE)
ARGS = re.compile(r"^Args:\n(?: {4}.*\n|\n(?= {4}))+", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Rewrite every docstring when its object is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.is_attribute and "property" not in obj.labels:
            obj.docstring = None  # that of its value's type
        elif obj.docstring:
            text = inspect.cleandoc(obj.docstring.value)
            if ELSEWHERE.search(text):
                text = with_arguments(text, bases_of(obj.path))
            text = EXAMPLE.sub(r"\1Examples:", text)
            obj.docstring.value = ONE_LINE.sub(r"\n**\1:**", text)


def with_arguments(docstring: str, bases: dict[str, str]) -> str:
    """Put the section `Args` of a base in place of the line that refers to it.

    Args:
        docstring: Of the class.
        bases: From the names of its bases to their docstrings.
    """

    def arguments(line: re.Match[str]) -> str:
        found = ARGS.search(bases.get(line[1], "") + "\n")
        note = line[2].lstrip(".; ")
        more = f"\n{note[0].upper()}{note[1:]}\n" if note else ""
        return found[0].rstrip() + "\n" + more if found else line[0]

    return ELSEWHERE.sub(arguments, docstring)


def bases_of(path: str) -> dict[str, str]:
    """From the names of the bases of a class to their docstrings."""
    module, _, name = path.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    return {base.__name__: inspect.cleandoc(base.__doc__ or "") for base in cls.__mro__[1:]}
