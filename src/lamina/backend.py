"""The few names that Keras keeps under `backend`."""

import gc

from lamina.core.config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from lamina.core.naming import reset_names


def clear_session(free_memory: bool = True) -> None:
    """Start counting names again (`dense`, `dense_1` …); Lamina keeps no other global state.

    Args:
        free_memory: Whether to collect garbage now. Models that nothing refers to any more give
            their memory back by themselves; in a notebook that builds one after another, this
            does it at once.

    Example:
        >>> clear_session()
    """
    reset_names()
    if free_memory:
        gc.collect()


def backend() -> str:
    """The library that computes: `"jax"`."""
    return "jax"


__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "image_data_format",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
]
