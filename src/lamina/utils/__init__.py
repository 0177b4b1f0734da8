"""Small helpers with Keras's names: arrays, splitting, seeds, registering classes, files.

The names are listed in `__init__.pyi`; each is loaded when it is first used, so importing this
package does not import JAX.
"""

from lamina.core import lazy

__getattr__, __dir__, __all__ = lazy.module_functions(__name__, lazy.read_exports(__file__))
