"""Ports of this machine and of others: whether one is free, and whether something answers."""

import contextlib
import errno
import socket
import time
from collections.abc import Collection


def free_port(host: str = "127.0.0.1", used: Collection[int] = ()) -> int:
    """A port of this machine that is free now, and is none of those used before.

    Args:
        host: The address to listen at; empty for all addresses of the machine.
        used: The ports used before.
    """
    while True:
        with socket.socket() as listener:
            listener.bind((host, 0))
            port: int = listener.getsockname()[1]
        if port not in used:
            return port


def can_listen(port: int) -> bool:
    """Whether a port of all addresses of this machine is free."""
    for family in (socket.AF_INET, socket.AF_INET6):
        # A machine may have no addresses of a family.
        with contextlib.suppress(OSError), socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                listener.bind(("", port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return False
    return True


def can_connect(address: str, seconds: float) -> bool:
    """Whether something answers at `host:port`, or begins to within some seconds."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=5):
                return True
        except OSError:
            time.sleep(0.2)
    return False
