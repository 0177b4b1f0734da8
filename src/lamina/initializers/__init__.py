"""Initializers of weights. `get("he_normal")` returns an initializer by its name.

Values are drawn on the host, by NumPy's counter-based generator Philox, not by `jax.random`:
compiling a random program costs about a second in a cold process. Every value takes exactly one
64-bit word of the generator's output, whatever the distribution, so value number n of a kernel
can be had without the others (`Philox.advance`): any shard of a kernel can be made by itself.

The names are listed in `__init__.pyi`.
"""

from lamina.core import lazy
from lamina.core.serialization import registry

__getattr__, __dir__, __all__ = lazy.contents(__name__, lazy.homes_of(__file__))
registry.register_list("keras.initializers", __all__, __getattr__)
