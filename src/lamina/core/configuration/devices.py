"""Devices by name, such as `"gpu:0"`."""

from typing import Any

import jax

from lamina.core.configuration import runtime  # noqa: F401 - JAX's settings come before its first array
from lamina.core.messages.errors import did_you_mean


def name_of(device: Any) -> str:
    """The name of a JAX device, such as `"gpu:0"`."""
    platform = device.platform
    kind = "gpu" if platform in ("cuda", "rocm", "gpu") else platform
    return f"{kind}:{device.id}"


def device_of(name: Any) -> jax.Device:
    """The JAX device with a name such as `"gpu:0"`; a JAX device is returned as it is.

    Raises:
        ValueError: If there is no such device.
    """
    if isinstance(name, jax.Device):
        return name
    kind, _, number = str(name).lower().partition(":")
    kind = {"cuda": "gpu", "rocm": "gpu"}.get(kind, kind)
    devices = {name_of(device): device for device in devices_of_kind(kind)}
    full_name = f"{kind}:{number or 0}"
    if full_name not in devices:
        available = [name_of(device) for device in jax.devices()]
        raise ValueError(
            f"There is no device {str(name)!r}. The devices are {', '.join(available)}."
            f"{did_you_mean(full_name, available)}"
        )
    return devices[full_name]


def devices_of_kind(kind: str | None) -> list[jax.Device]:
    """The devices of a kind, `"cpu"`, `"gpu"` or `"tpu"`; of the default kind for None."""
    if kind is None:
        return jax.devices()
    name = str(kind).lower()
    if name not in ("cpu", "gpu", "tpu"):
        raise ValueError(f"A device is a 'cpu', 'gpu' or 'tpu'; received {kind!r}.")
    try:
        return jax.devices(name)
    except RuntimeError:
        return []  # there are no such devices
