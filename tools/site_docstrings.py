"""How the site reads docstrings: their examples and one-line sections are made sections."""

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^(\s*)Example:$", re.MULTILINE)
ONE_LINE = re.compile(r"^(Input shape|Output shape|Source|Call arguments):(?= \S)", re.MULTILINE)


class Sections(griffe.Extension):
    """Write `Example:` as the parser expects it, and names of short sections in bold."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.is_attribute and "property" not in obj.labels:
            obj.docstring = None  # that of its value's type
        elif obj.docstring:
            text = EXAMPLE.sub(r"\1Examples:", obj.docstring.value)
            obj.docstring.value = ONE_LINE.sub(r"\n**\1:**", text)
