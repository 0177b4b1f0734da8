"""Model files: architecture, weights and optimizer state in one file that holds no code.

The names are listed in `__init__.pyi`; each is loaded when it is first used.
"""

from lamina.core import lazy

__getattr__, __dir__, __all__ = lazy.module_functions(__name__, lazy.read_exports(__file__))
