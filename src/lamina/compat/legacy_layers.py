"""Layers of older versions of Keras that have other names now, for scripts that import them."""

import warnings
from typing import Any

from lamina import layers
from lamina.core.messages.errors import LaminaWarning

_RENAMED = {"CuDNNGRU": "GRU", "CuDNNLSTM": "LSTM"}


def find(name: str) -> Any:
    """The current class for an old name, with a warning; None for other names."""
    new_name = _RENAMED.get(name)
    if new_name is None:
        return None
    warnings.warn(
        f"{name} is {new_name} here: the same layer on every device, with its defaults.\n"
        f"  Fix: from keras.layers import {new_name}.",
        LaminaWarning,
        stacklevel=4,
    )
    return getattr(layers, new_name)
