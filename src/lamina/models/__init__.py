"""Models: Sequential, functional and subclassed; summary and cloning.

The names are listed in `__init__.pyi`; each is loaded when it is first used.
"""

from lamina.core import lazy
from lamina.core.serialization import registry

__getattr__, __dir__, __all__ = lazy.module_functions(__name__, lazy.read_exports(__file__))

for _namespace, _names in {
    "keras": ("Sequential", "Model"),
    "keras.src.models.functional": ("Functional",),  # where Keras's own loader looks for it
    "keras.models": ("Model", "Functional"),
}.items():
    registry.register_lazily(_namespace, {name: name for name in _names}, __getattr__)
