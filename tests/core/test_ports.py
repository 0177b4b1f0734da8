"""Free ports."""

import socket

from lamina.core.ports import free_port


def test_a_free_port_can_be_had_and_is_not_one_of_those_used():
    port = free_port()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        assert free_port(used={port}) != port
