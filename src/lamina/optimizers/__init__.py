"""Optimizers with Keras's names, arguments, update rules and state, on optax transformations.

`optimizer.py` holds what they share; each of the others is one rule. The names are listed in
`__init__.pyi`.
"""

from lamina.core import lazy
from lamina.core.serialization import registry

__getattr__, __dir__, __all__ = lazy.contents(__name__, lazy.homes_of(__file__))
# An OptaxOptimizer holds code, so none is in a file.
registry.register_list("keras.optimizers", __all__, __getattr__, but=("OptaxOptimizer",))
