"""The devices of this computer, or of all computers of a job, by name."""

from lamina.core.configuration.devices import devices_of_kind, name_of
from lamina.core.messages.tracebacks import filter_traceback


@filter_traceback
def list_devices(device_type: str | None = None) -> list[str]:
    """Names of the available devices; of all processes, if there are several.

    Args:
        device_type: `"cpu"`, `"gpu"` or `"tpu"`; None for the default type.

    Returns:
        Names such as `"cpu:0"`, in JAX's order.

    Example:
        >>> list_devices("cpu")[0]
        'cpu:0'
    """
    return [name_of(device) for device in devices_of_kind(device_type)]


@filter_traceback
def get_device_count(device_type: str | None = None) -> int:
    """Number of devices of a type.

    Args:
        device_type: `"cpu"`, `"gpu"` or `"tpu"`; None for the default type.

    Returns:
        An integer.
    """
    return len(devices_of_kind(device_type))
