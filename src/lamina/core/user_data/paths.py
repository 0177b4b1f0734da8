"""Checks of paths that users pass, also for devices, pipes and sockets."""

import os
import stat
from typing import Any

from lamina.core.types import PathLike

_SPECIAL_TYPES = (
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def special_file_type(path: PathLike) -> str | None:
    """`"a device"`, `"a pipe"` or `"a socket"`; None for files, folders and missing paths."""
    try:
        mode = os.stat(os.fspath(path)).st_mode
    except (OSError, ValueError):
        return None
    return next((name for is_type, name in _SPECIAL_TYPES if is_type(mode)), None)


def refuse_special_file(path: PathLike) -> None:
    """Refuse a device, a pipe or a socket: reading it may never end.

    Raises:
        ValueError: If the path is a device, a pipe or a socket. A missing path is
            accepted; opening it will fail.

    Example:
        >>> refuse_special_file("/dev/zero")
        Traceback (most recent call last):
        ...
        ValueError: /dev/zero is a device, not a file, so it is not read. ...
    """
    file_type = special_file_type(path)
    if file_type is not None:
        raise ValueError(
            f"{path} is {file_type}, not a file, so it is not read.\n"
            "  Fix: write its data to a file, and pass the path of that file."
        )


def path_as_text(value: Any, owner: str) -> str:
    """A path as `str`; the error for other values begins with `owner`."""
    try:
        path: str = os.fspath(value)
    except TypeError:
        raise TypeError(f"{owner} needs a path; received {value!r}.") from None
    return path
