"""Paths that name something other than a file or a folder."""

import os
import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def refuse_endless(path: str | os.PathLike) -> None:
    """Refuse what may have no end, or keep its reader waiting for ever.

    Raises:
        ValueError: If the path is a device, a pipe or a socket. A path that is not there is left
            to whoever opens it.

    Example:
        >>> refuse_endless("/dev/zero")
        Traceback (most recent call last):
        ...
        ValueError: /dev/zero is a device and no file, so it is not read. ...
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return
    for is_kind, name in _KINDS:
        if is_kind(mode):
            raise ValueError(
                f"{path} is {name} and no file, so it is not read.\n"
                "  Fix: write what comes from there to a file, and name that."
            )
