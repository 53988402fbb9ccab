"""The server's sockets send at once, and its routes are there under a base path."""

import socket

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from rmt_viz import session
from rmt_viz.server import routes, sockets
from rmt_viz.work.queue import Worker


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


def test_routes_are_where_the_pages_ask_for_them_under_a_base_path(monkeypatch):
    """With and without the path, so that a health check inside a container need not know it."""
    monkeypatch.setattr(session, "worker", Worker)
    client = TestClient(Starlette(routes=routes.under("/viz/", routes.ROUTES)))
    assert client.get("/viz/healthz").json() == client.get("/healthz").json()
    assert client.get("/viz/healthz").json()["status"] == "ok"
    assert client.get("/viz/rmt/trace/none-such/overview").status_code == 404
    assert "no such trace" in client.get("/viz/rmt/trace/none-such/overview").json()["error"]
    assert routes.under("", routes.ROUTES) == routes.ROUTES
