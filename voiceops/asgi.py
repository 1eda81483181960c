"""The front: call sockets native, the simulator proxied, everything else Django's WSGI.

Django under its own ASGI handler costs several times the CPU that it costs under WSGI
(docs/decisions/0003-two-kinds-of-server.md), so pages go through a2wsgi here.
"""

import os
from contextlib import asynccontextmanager

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "voiceops.settings")

from a2wsgi import WSGIMiddleware  # noqa: E402
from starlette.applications import Starlette  # noqa: E402
from starlette.routing import Mount, Route, WebSocketRoute  # noqa: E402

from voiceops.wsgi import application as wsgi_application  # noqa: E402

# ruff: isort: split
# After the line above: these need Django to be set up.
from django.conf import settings  # noqa: E402

from telephony.relay import answer  # noqa: E402
from voiceops.proxy import close_client, forward_to_simulator  # noqa: E402

WSGI_THREADS = 16


def routes() -> list:
    """Sockets and streams first; what is left is a page."""
    found = [WebSocketRoute("/webhooks/twilio/relay/{token}", answer)]
    if settings.SIMULATOR:
        methods = ["GET", "POST"]
        found += [
            Route("/simulator", forward_to_simulator, methods=methods),
            Route("/simulator/{path:path}", forward_to_simulator, methods=methods),
        ]
    return [*found, Mount("/", WSGIMiddleware(wsgi_application, workers=WSGI_THREADS))]


@asynccontextmanager
async def lifespan(app):
    yield
    await close_client()


application = Starlette(routes=routes(), lifespan=lifespan)
