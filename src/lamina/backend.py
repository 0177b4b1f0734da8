"""The few names that Keras keeps under `backend`."""

from lamina.core.config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from lamina.core.naming import reset_names


def clear_session() -> None:
    """Start counting names again (`dense`, `dense_1` …); Lamina keeps no other global state.

    Example:
        >>> clear_session()
    """
    reset_names()


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
