"""Optimizers with Keras's names, arguments, update rules and state, on optax transformations.

`optimizer.py` has the base class; most other files have one optimizer each. The names are listed in
`__init__.pyi`.
"""

from lamina.core import lazy
from lamina.core.serialization import registry

__getattr__, __dir__, __all__ = lazy.module_functions(__name__, lazy.read_exports(__file__))
# An OptaxOptimizer contains code, so it is never in a file.
registry.register_list("keras.optimizers", __all__, __getattr__, excluded=("OptaxOptimizer",))
