"""The server's sockets send at once."""

import socket

import pytest

from rmt_viz.server import sockets


@pytest.mark.skipif(not sockets.os.path.isdir(sockets.DESCRIPTORS), reason="descriptors are no folder here")
def test_what_a_server_accepts_sends_at_once():
    """Its socket is made as Streamlit makes it: without naming the protocol."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server, socket.socket() as other:
        for one in (server, other):
            one.bind(("127.0.0.1", 0))
            one.listen()
        port = server.getsockname()[1]
        assert sockets.send_at_once(port) == 1
        for one, delays in ((server, False), (other, True)):
            with socket.create_connection(one.getsockname()), one.accept()[0] as accepted:
                assert (accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0) == delays
    assert sockets.send_at_once(port) == 0
