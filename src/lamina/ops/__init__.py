"""Functions of arrays, with Keras's names. They work inside layers, losses and users' own code.

Each namespace lists its names in its `__all__`; this package combines them.
"""

from lamina.core.messages.errors import suggest_similar_names
from lamina.ops import core, einops, image, linalg, math, nn, numpy, signal
from lamina.ops.core import *  # noqa: F403
from lamina.ops.einops import *  # noqa: F403
from lamina.ops.linalg import *  # noqa: F403
from lamina.ops.math import *  # noqa: F403
from lamina.ops.nn import *  # noqa: F403
from lamina.ops.numpy import *  # noqa: F403
from lamina.ops.signal import *  # noqa: F403

_NAMESPACES = {"image": image, "linalg": linalg, "nn": nn, "numpy": numpy}
_MODULES = (core, einops, linalg, math, nn, numpy, signal)
__all__ = sorted(_NAMESPACES.keys() | {name for module in _MODULES for name in module.__all__})

suggest_similar_names(__name__)
