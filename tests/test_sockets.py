"""A server that is told to end lets open calls go on, but not for ever."""

import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.processes import wait_until
from voiceops import sockets

SOON_S = 60


async def echo(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


@contextmanager
def running_server():
    """A server in a thread, and the address of its sockets."""
    app = Starlette(routes=[WebSocketRoute("/", echo)])
    options = {"port": 0, "log_level": "critical", "ws": sockets.Lasting}
    server = uvicorn.Server(
        uvicorn.Config(app, timeout_graceful_shutdown=SOON_S, **options)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, SOON_S, "the server runs")
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield server, f"ws://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join()


def tell_to_end(server):
    """And wait until it has begun to: it takes nobody any more."""
    server.should_exit = True
    wait_until(lambda: not server.servers[0].is_serving(), SOON_S, "it is ending")


def test_open_call_goes_on_and_the_server_ends_with_it():
    with running_server() as (server, url), connect(url) as call:
        tell_to_end(server)
        time_of_the_end = time.monotonic()

        call.send("still there?")

        assert call.recv(timeout=SOON_S) == "still there?"
    assert time.monotonic() - time_of_the_end < SOON_S


def test_call_that_takes_too_long_is_told_that_the_server_restarts(monkeypatch):
    monkeypatch.setattr(sockets, "CALLS_END_WITHIN_S", 0.2)
    with running_server() as (server, url), connect(url) as call:
        tell_to_end(server)

        with pytest.raises(ConnectionClosed) as closed:
            call.recv(timeout=SOON_S)

        assert closed.value.rcvd.code == 1012  # RFC 6455's registry: service restart
