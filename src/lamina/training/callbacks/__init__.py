"""Callbacks: objects whose methods are called before and after epochs and batches.

The names are listed in `__init__.pyi`; each is loaded when it is first used.
"""

from lamina.core import lazy

__getattr__, __dir__, __all__ = lazy.module_functions(__name__, lazy.read_exports(__file__))
