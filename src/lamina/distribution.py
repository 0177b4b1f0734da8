"""Devices. They can be listed; training on several devices is not implemented yet.

Keras's names for distribution exist, and raise an error when they are used.
"""

from typing import Any

import jax

from lamina.core.configuration import runtime  # noqa: F401 - JAX's settings come before its first array
from lamina.core.messages.errors import suggest_similar_names
from lamina.core.messages.tracebacks import filter_traceback
from lamina.core.unavailable import unavailable_class, unavailable_function

_ALTERNATIVE = "fit() trains on one device, the first of lamina.distribution.list_devices()."

DataParallel: Any = unavailable_class("DataParallel", __name__, _ALTERNATIVE)
DeviceMesh: Any = unavailable_class("DeviceMesh", __name__, _ALTERNATIVE)
LayoutMap: Any = unavailable_class("LayoutMap", __name__, _ALTERNATIVE)
ModelParallel: Any = unavailable_class("ModelParallel", __name__, _ALTERNATIVE)
TensorLayout: Any = unavailable_class("TensorLayout", __name__, _ALTERNATIVE)
distribute_tensor = unavailable_function("distribute_tensor", __name__, _ALTERNATIVE)
initialize = unavailable_function("initialize", __name__, _ALTERNATIVE)


@filter_traceback
def list_devices(device_type: str | None = None) -> list[str]:
    """Names of the available devices.

    Args:
        device_type: `"cpu"`, `"gpu"` or `"tpu"`; None for the default type.

    Returns:
        Names such as `"cpu:0"`, in JAX's order.

    Example:
        >>> list_devices("cpu")[0]
        'cpu:0'
    """
    devices = _devices(device_type)
    return [f"{_kind(device.platform)}:{device.id}" for device in devices]


@filter_traceback
def get_device_count(device_type: str | None = None) -> int:
    """Number of devices of a kind.

    Args:
        device_type: `"cpu"`, `"gpu"` or `"tpu"`; None for the default type.

    Returns:
        An integer.
    """
    return len(_devices(device_type))


def distribution() -> None:
    """The distribution that is set: always None."""
    return None


@filter_traceback
def set_distribution(value: Any) -> None:
    """Set the distribution; only None, one device, is implemented.

    Args:
        value: None.

    Raises:
        NotImplementedError: For anything else.
    """
    if value is not None:
        unavailable_function("set_distribution", __name__, _ALTERNATIVE)()


def _devices(device_type: str | None) -> list:
    if device_type is None:
        return jax.devices()
    kind = str(device_type).lower()
    if kind not in ("cpu", "gpu", "tpu"):
        raise ValueError(
            f"device_type must be 'cpu', 'gpu', 'tpu' or None; received {device_type!r}."
        )
    try:
        return jax.devices(kind)
    except RuntimeError:
        return []  # there are no such devices


def _kind(platform: str) -> str:
    return "gpu" if platform in ("cuda", "rocm", "gpu") else platform


__all__ = [
    "DataParallel",
    "DeviceMesh",
    "LayoutMap",
    "ModelParallel",
    "TensorLayout",
    "distribute_tensor",
    "distribution",
    "get_device_count",
    "initialize",
    "list_devices",
    "set_distribution",
]

suggest_similar_names(__name__)
