"""The package lamina-kernels: compiled kernels for CPUs.

It is used only in programs that may contain kernels (see `lowering_for`); what a user traces,
exports or inspects is plain JAX. Where it cannot be used, programs are plain JAX, too, and
`lamina doctor` says why.
"""

import functools
import importlib
import importlib.util
import os
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

# Version of the interface; incremented here and in the package at the same time.
_INTERFACE = 2


class Kernels(NamedTuple):
    """The package, or the reason why it is not used.

    Args:
        package: The module, or None.
        reason: Why there is none, as a clause without a capital.
    """

    package: ModuleType | None
    reason: str = ""


@functools.cache
def found() -> Kernels:
    """The package, if it is installed, not disabled and usable."""
    if os.environ.get("LAMINA_KERNELS") == "0":
        return Kernels(None, "LAMINA_KERNELS is 0")
    # On several devices XLA would gather the operands of a kernel on each of them.
    if jax.device_count() > 1:
        return Kernels(None, f"there are {jax.device_count()} devices, and they serve one CPU")
    if importlib.util.find_spec("lamina_kernels") is None:
        return Kernels(None, "lamina-kernels is not installed")
    try:
        module = importlib.import_module("lamina_kernels")
    except Exception as error:  # of another JAX, another machine, or damaged: never a crash
        return Kernels(None, str(error).strip() or type(error).__name__)
    interface = getattr(module, "INTERFACE", 0)
    if interface != _INTERFACE:
        reason = f"lamina-kernels has interface {interface}, this Lamina calls {_INTERFACE}"
        return Kernels(None, reason)
    return Kernels(module)


def package() -> ModuleType | None:
    """The package, or None if it is not installed, disabled or not usable."""
    return found().package


def kernel_package() -> ModuleType:
    """The package, for lowerings that are only chosen if it is installed."""
    kernels = package()
    assert kernels is not None
    return kernels


def accepts(*arrays: Any) -> bool:
    """Whether kernels accept these arrays: float32, none empty."""
    return all(a.dtype == jnp.float32 and a.size for a in arrays)
