"""Lazy imports for packages that list their public names in `__init__.pyi`.

The list consists of imports, which editors and type checkers read, too. Most of these packages
import a module when one of its names is first used, so a program does not load parts of Lamina
that it does not use. Packages that register their classes and functions import all of them at once
(`registry.register_list`).
"""

import ast
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from lamina.core.messages.errors import missing_name
from lamina.core.messages.tracebacks import filter_traceback


def module_functions(
    package: str, exports: Mapping[str, tuple[str, str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` for a package with an `__init__.pyi`.

    Args:
        package: `__name__` of the package.
        exports: The result of `read_exports` for its `__file__`.
    """
    names = sorted(exports)

    def load(name: str) -> Any:
        if name not in exports:
            raise missing_name(package, name, names)
        module, name_in_module = exports[name]
        if module == package:
            value = import_module(f"{package}.{name_in_module}")
        else:
            value = getattr(import_module(module), name_in_module)
        vars(sys.modules[package])[name] = value
        return value

    return filter_traceback(load), lambda: names, names


def read_exports(file: str) -> dict[str, tuple[str, str]]:
    """The public names in a package's stub file, each with its module and its name there."""
    stub = Path(file).with_suffix(".pyi")
    return {
        alias.asname or alias.name: (str(node.module), alias.name)
        for node in ast.parse(stub.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
