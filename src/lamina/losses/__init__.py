"""Losses. Functions return one value per sample; classes apply weights, masks and a reduction.

The names are listed in `__init__.pyi`.
"""

from lamina.core import lazy
from lamina.core.serialization import registry
from lamina.losses import get_loss

__getattr__, __dir__, __all__ = lazy.module_functions(__name__, lazy.read_exports(__file__))
registry.register_list("keras.losses", __all__, __getattr__, excluded=("resolve_loss",))

# Names of `tf.keras`: `losses.mse`, `losses.MSE` and so on, and `losses.Reduction`.
globals().update({short: __getattr__(name) for short, name in get_loss.SHORT_NAMES.items()})
Reduction = get_loss.Reduction
