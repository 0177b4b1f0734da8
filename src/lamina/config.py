"""Settings for the whole process, under Keras's names."""

import warnings

from lamina.backend import backend
from lamina.core.configuration.config import (
    diagnosis,
    disable_flash_attention,
    disable_interactive_logging,
    disable_traceback_filtering,
    enable_flash_attention,
    enable_interactive_logging,
    enable_traceback_filtering,
    epsilon,
    floatx,
    image_data_format,
    is_flash_attention_enabled,
    is_interactive_logging_enabled,
    is_traceback_filtering_enabled,
    loading_budget,
    max_epochs,
    max_steps_per_epoch,
    resident_budget,
    set_diagnosis,
    set_epsilon,
    set_floatx,
    set_image_data_format,
    set_loading_budget,
    set_max_epochs,
    set_max_steps_per_epoch,
    set_resident_budget,
)
from lamina.core.configuration.dtypes import dtype_policy, set_dtype_policy
from lamina.core.messages.errors import LaminaWarning, stacklevel_of_user
from lamina.core.messages.tracebacks import filter_traceback

__all__ = [
    "backend",
    "diagnosis",
    "disable_flash_attention",
    "disable_interactive_logging",
    "disable_traceback_filtering",
    "dtype_policy",
    "enable_flash_attention",
    "enable_interactive_logging",
    "enable_traceback_filtering",
    "enable_unsafe_deserialization",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_flash_attention_enabled",
    "is_interactive_logging_enabled",
    "is_nnx_enabled",
    "is_traceback_filtering_enabled",
    "loading_budget",
    "max_epochs",
    "max_steps_per_epoch",
    "resident_budget",
    "set_backend",
    "set_diagnosis",
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_loading_budget",
    "set_max_epochs",
    "set_max_steps_per_epoch",
    "set_resident_budget",
]


@filter_traceback
def set_backend(backend: str) -> None:
    """Accepts `"jax"`, on which Lamina is built.

    Args:
        backend: `"jax"`.

    Raises:
        ValueError: For any other name.
    """
    if backend != "jax":
        raise ValueError(
            f"Lamina supports only the backend 'jax'; received {backend!r}.\n"
            "  Fix: leave the line out, or set_backend('jax')."
        )


def is_nnx_enabled() -> bool:
    """Whether layers are Flax NNX modules: always False."""
    return False


def enable_unsafe_deserialization() -> None:
    """For compatibility with Keras: has no effect, and issues a warning.

    Loading a model never runs code from the file.
    """
    warnings.warn(
        "enable_unsafe_deserialization() has no effect: Lamina never runs code from a model file, "
        "and this cannot be changed.\n  Fix: for a model that contains a lambda, write the lambda "
        "as a named function and save again, or pass custom_objects= to load_model().",
        LaminaWarning,
        stacklevel=stacklevel_of_user(),
    )
