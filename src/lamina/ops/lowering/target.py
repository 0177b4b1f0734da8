"""The target of a program: its platform, and whether compiled kernels may be part of it.

Code that traces a program sets it with `lowering_for`; the table of lowerings reads it. Outside of
such a scope, in eager calls and in a user's own `jit`, it is the platform of the default device,
without kernels.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import jax

from lamina.core.configuration.context import context
from lamina.ops.lowering import compiled_kernels


@dataclass(frozen=True)
class Target:
    """What a program is compiled for, which decides between the implementations of operations.

    Args:
        platform: `"cpu"`, `"gpu"`, `"tpu"`, or `"portable"` for a program that is exported: plain
            JAX, which every platform and exporter supports.
        kernels: Whether the compiled kernels for CPUs may be called.
    """

    platform: str
    kernels: bool = False

    def __str__(self) -> str:
        return f"{self.platform} with compiled kernels" if self.kernels else self.platform


CPU, CPU_KERNELS, GPU = Target("cpu"), Target("cpu", kernels=True), Target("gpu")
_PLATFORMS = ("cpu", "gpu", "tpu", "portable")


# JAX caches traces of inner jitted functions. The target is part of their key, so that a program
# for another target does not use them.
_trace_key = jax.make_user_context(None)


@contextlib.contextmanager
def lowering_for(platform: str | None = None, *, kernels: bool = False) -> Iterator[None]:
    """Use the implementations for a platform in everything that is traced inside.

    A context manager, and a decorator of the function to trace.

    Args:
        platform: `"cpu"`, `"gpu"`, `"tpu"` or `"portable"`; None for that of the default device.
        kernels: Whether compiled kernels may be used, where there are any: on CPUs, if the
            package lamina-kernels is installed.

    Raises:
        ValueError: If there is no such platform.

    Example:
        >>> @lowering_for("portable")
        ... def program(x):
        ...     return str(current_target())
        >>> program(1.0)
        'portable'
    """
    platform = default_platform() if platform is None else platform
    if platform not in _PLATFORMS and platform != jax.default_backend():
        raise ValueError(
            f"lowering_for needs a platform among {', '.join(_PLATFORMS)}; received {platform!r}."
        )
    kernels = kernels and platform == "cpu" and compiled_kernels.package() is not None
    target = Target(platform, kernels)
    outer = context.lowering_target, context.fusible
    context.lowering_target, context.fusible = target, []
    try:
        # None is the key outside of any scope, so that equal targets share traces.
        with _trace_key(None if target == Target(default_platform()) else target):
            yield
    finally:
        context.lowering_target, context.fusible = outer


def current_target() -> Target:
    """The target of the program that is being traced.

    Example:
        >>> with lowering_for("gpu"):
        ...     current_target()
        Target(platform='gpu', kernels=False)
    """
    return context.lowering_target or Target(default_platform())


def default_platform() -> str:
    """The platform of JAX's default device."""
    device = jax.config.jax_default_device  # type: ignore[attr-defined]
    if device is None:
        return jax.default_backend()
    name = device.partition(":")[0] if isinstance(device, str) else device.platform
    return {"cuda": "gpu", "rocm": "gpu"}.get(name, name)
