"""Free ports."""

import socket

from lamina.core.ports import can_connect, can_listen, free_port


def test_a_free_port_can_be_had_and_is_not_one_of_those_used():
    port = free_port()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        assert free_port(used={port}) != port


def test_a_port_that_another_has_cannot_be_listened_at_and_answers():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.listen()
        assert not can_listen(port)
        assert can_connect(f"127.0.0.1:{port}", seconds=5)
    assert not can_connect(f"127.0.0.1:{port}", seconds=0.1)
    assert can_listen(port)
