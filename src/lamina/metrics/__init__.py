"""Metrics: measures of a model's quality, accumulated over batches.

The names are listed in `__init__.pyi`.
"""

from lamina.core import lazy
from lamina.core.serialization import registry

__getattr__, __dir__, __all__ = lazy.module_functions(__name__, lazy.read_exports(__file__))
registry.register_list("keras.metrics", __all__, __getattr__, excluded=("resolve_metric",))
