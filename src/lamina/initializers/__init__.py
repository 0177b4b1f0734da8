"""Initializers of weights. `get("he_normal")` returns an initializer by its name.

Values are drawn on the host by NumPy's counter-based generator Philox, because `jax.random` would
have to compile a program. Every value takes exactly one 64-bit word of the generator's output, for
any distribution. So value n of a kernel can be computed without the others (`Philox.advance`), and
any shard of a kernel can be made separately.

The names are listed in `__init__.pyi`.
"""

from lamina.core import lazy
from lamina.core.serialization import registry

__getattr__, __dir__, __all__ = lazy.module_functions(__name__, lazy.read_exports(__file__))
registry.register_list("keras.initializers", __all__, __getattr__)
