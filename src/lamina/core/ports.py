"""Free ports of this machine."""

import socket
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
