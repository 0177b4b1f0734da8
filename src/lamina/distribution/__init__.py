"""Training on several devices, with Keras's names.

`DataParallel` divides batches, `ModelParallel` divides weights as well.
"""

from lamina.core.messages.errors import suggest_similar_names
from lamina.distribution.devices import get_device_count, list_devices
from lamina.distribution.initialization import initialize
from lamina.distribution.layouts import DeviceMesh, LayoutMap, TensorLayout, distribute_tensor
from lamina.distribution.strategies import (
    DataParallel,
    Distribution,
    ModelParallel,
    distribution,
    set_distribution,
)
from lamina.distribution.transformer_layouts import transformer_layout_map

__all__ = [
    "DataParallel",
    "DeviceMesh",
    "Distribution",
    "LayoutMap",
    "ModelParallel",
    "TensorLayout",
    "distribute_tensor",
    "distribution",
    "get_device_count",
    "initialize",
    "list_devices",
    "set_distribution",
    "transformer_layout_map",
]

suggest_similar_names(__name__)
