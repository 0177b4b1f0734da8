"""Functions of arrays, with Keras's names. They work inside layers, losses and users' own code.

A namespace lists its names once, in `__all__`; here they come together.
"""

from lamina.core.errors import explain_missing_names
from lamina.ops import image as image
from lamina.ops import nn, numpy, signal
from lamina.ops.nn import *  # noqa: F403
from lamina.ops.numpy import *  # noqa: F403
from lamina.ops.signal import *  # noqa: F403

__all__ = sorted({"image", "nn", "numpy", *nn.__all__, *numpy.__all__, *signal.__all__})

explain_missing_names(__name__)
