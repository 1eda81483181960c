"""The front: call sockets native, the simulator proxied, everything else Django's WSGI.

Django under its own ASGI handler costs several times the CPU that it costs under WSGI
(docs/decisions/0003-two-kinds-of-server.md), so pages go through a2wsgi here.
"""

import asyncio
import os
import signal
import threading
from contextlib import asynccontextmanager
from wsgiref.types import WSGIApplication

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "voiceops.settings")

from a2wsgi import WSGIMiddleware  # noqa: E402
from starlette.applications import Starlette  # noqa: E402
from starlette.routing import Mount, Route, WebSocketRoute  # noqa: E402
from starlette.types import ASGIApp, Receive, Scope, Send  # noqa: E402

from voiceops.wsgi import application as wsgi_application  # noqa: E402

# ruff: isort: split
# After the line above: these need Django to be set up.
from django.conf import settings  # noqa: E402

from agents.llm import close_clients  # noqa: E402
from telephony.relay import answer  # noqa: E402
from telephony.stream import close_streams, live_stream  # noqa: E402
from voiceops.bodies import WholeBodies  # noqa: E402
from voiceops.middleware import WEBHOOKS  # noqa: E402
from voiceops.proxy import close_client, forward_to_simulator  # noqa: E402

WSGI_THREADS = 16  # for pages, and as many for the carrier's webhooks
# More pages than that compute no faster together (one interpreter computes for one
# thread at a time), and whoever writes would have to wait for each of them.
PAGES_AT_ONCE = 4


def routes() -> list:
    """Sockets and streams first; what is left is a page."""
    found = [
        WebSocketRoute("/webhooks/twilio/relay/{token}", answer),
        Route("/live/stream", live_stream),
    ]
    if settings.SIMULATOR:
        methods = ["GET", "POST"]
        found += [
            Route("/simulator", forward_to_simulator, methods=methods),
            Route("/simulator/{path:path}", forward_to_simulator, methods=methods),
        ]
    return [*found, Mount("/", WholeBodies(pages_and_webhooks()))]


def pages_and_webhooks() -> ASGIApp:
    """Django's application; a call never waits for pages that take long."""
    pages = WSGIMiddleware(few_at_once(wsgi_application), workers=WSGI_THREADS)
    webhooks = WSGIMiddleware(wsgi_application, workers=WSGI_THREADS)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        asked = webhooks if scope["path"].startswith(WEBHOOKS) else pages
        await asked(scope, receive, send)

    return application


def few_at_once(application: WSGIApplication) -> WSGIApplication:
    """No more answers at once are worked out; sending one may take its time."""
    turns = threading.BoundedSemaphore(PAGES_AT_ONCE)

    def gated(environ, start_response):
        with turns:
            return application(environ, start_response)

    return gated


def end_streams_when_stopped() -> None:
    """End them as soon as the server is told to stop: it waits for open requests."""
    if threading.current_thread() is not threading.main_thread():
        return  # of a test: signals reach the main thread alone
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        of_the_server = signal.getsignal(number)

        def stop(number, frame, then=of_the_server):
            loop.call_soon_threadsafe(close_streams)
            if callable(then):
                then(number, frame)

        signal.signal(number, stop)


@asynccontextmanager
async def lifespan(app):
    end_streams_when_stopped()
    yield
    await close_client()
    await close_clients()


application = Starlette(routes=routes(), lifespan=lifespan)
