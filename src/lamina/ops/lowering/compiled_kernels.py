"""The optional package lamina-kernels: compiled kernels for CPUs.

It is used only in programs that may contain kernels (see `lowering_for`); what a user traces,
exports or inspects is plain JAX.
"""

import functools
import importlib
import importlib.util
import os
import warnings
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp

from lamina.core.messages.errors import LaminaWarning, stacklevel_of_user

# Version of the interface; incremented here and in the package at the same time.
_INTERFACE = 2


@functools.cache
def package() -> ModuleType | None:
    """The package, or None if it is not installed, disabled or not usable."""
    if os.environ.get("LAMINA_KERNELS") == "0":
        return None
    # On several devices XLA would gather the operands of a kernel on each of them.
    if jax.device_count() > 1:
        return None
    if importlib.util.find_spec("lamina_kernels") is None:
        return None
    try:
        module = importlib.import_module("lamina_kernels")
        interface = getattr(module, "INTERFACE", 0)
        if interface != _INTERFACE:
            raise ImportError(f"it has interface {interface}, this Lamina calls {_INTERFACE}")
        return module
    except (ImportError, OSError) as error:
        warnings.warn(
            f"lamina-kernels is installed and cannot be used: {error}.\n"
            "  Likely cause: it was built for another machine, another JAX or another Lamina.\n"
            "  Fix: build it again (make kernels), or set LAMINA_KERNELS=0 to disable it.",
            LaminaWarning,
            stacklevel=stacklevel_of_user(),
        )
        return None


def kernel_package() -> ModuleType:
    """The package, for lowerings that are only chosen if it is installed."""
    kernels = package()
    assert kernels is not None
    return kernels


def accepts(*arrays: Any) -> bool:
    """Whether kernels accept these arrays: float32, none empty."""
    return all(a.dtype == jnp.float32 and a.size for a in arrays)
