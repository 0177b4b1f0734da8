"""Layers, with Keras's names: one file for each family.

The names are listed in `__init__.pyi`; each is loaded when it is first used.
"""

from lamina.core import lazy
from lamina.core.serialization import registry

_exports = lazy.read_exports(__file__)
__getattr__, __dir__, __all__ = lazy.module_functions(__name__, _exports)

registry.register_lazily(
    "keras.layers", {name: original for name, (_, original) in _exports.items()}, __getattr__
)
