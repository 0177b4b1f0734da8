"""Layers of older versions that are others' names today, for scripts that still import them."""

import warnings
from typing import Any

from lamina import layers
from lamina.core.messages.errors import LaminaWarning

_TODAY = {"CuDNNGRU": "GRU", "CuDNNLSTM": "LSTM"}


def find(name: str) -> Any:
    """Today's class for a name of old, with a word; None for other names."""
    today = _TODAY.get(name)
    if today is None:
        return None
    warnings.warn(
        f"{name} is {today} here: the same layer on every device, with its defaults.\n"
        f"  Fix: from keras.layers import {today}.",
        LaminaWarning,
        stacklevel=4,
    )
    return getattr(layers, today)
