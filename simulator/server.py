"""uvicorn, taught to end calls before connections and to drop a connection."""

import signal
import threading
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from simulator.app import DROP, close
from simulator.settings import Settings


class Protocol(HttpToolsProtocol):
    """Gives a request the means to close its connection without an answer."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {DROP: self.transport.abort}


class Server(uvicorn.Server):
    """Prints its address once it listens; ends open calls before it stops."""

    def __init__(self, app: Starlette, settings: Settings):
        self._app = app
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                http=Protocol,
                ws="none",
                lifespan="off",
                log_level="warning",
                # As long as a load balancer does: whoever asks every few seconds never
                # meets a connection that is just being closed.
                timeout_keep_alive=65,
                timeout_graceful_shutdown=2,
            )
        )

    @property
    def port(self) -> int:
        return self.servers[0].sockets[0].getsockname()[1]

    @contextmanager
    def capture_signals(self):
        """As uvicorn's, but a signal that was obeyed does not kill us afterwards."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self.handle_exit)
        yield

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        if self.started:
            address = f"http://{self.config.host}:{self.port}"
            print(f"simulator listening on {address}", flush=True)

    async def shutdown(self, sockets=None) -> None:
        await close(self._app)
        await super().shutdown(sockets)
        self._app.state.store.close()
