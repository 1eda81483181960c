"""The application as a browser meets it, served from the test database."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from tests.processes import wait_until

STARTED_WITHIN_S = 60


@contextmanager
def served(application) -> Iterator[str]:
    """Serve an ASGI application from a thread of this process; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(
                application, log_level="warning", timeout_graceful_shutdown=1
            )
        )
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, daemon=True
        )
        thread.start()
        wait_until(lambda: server.started, STARTED_WITHIN_S, "the site is served")
        try:
            yield f"http://localhost:{port}"
        finally:
            server.should_exit = True
            thread.join(timeout=STARTED_WITHIN_S)
