"""Who may read the metrics, and where: at web and live a page, at workers a port."""

import logging
import secrets
import threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.conf import settings
from django.http import Http404, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from voiceops import metrics as counted

logger = logging.getLogger(__name__)


def is_token(header: str) -> bool:
    """Whether an Authorization header has the token; takes as long if it has not."""
    given = header.encode("utf-8", "replace")
    expected = f"Bearer {settings.METRICS_TOKEN}".encode()
    return bool(settings.METRICS_TOKEN) and secrets.compare_digest(given, expected)


@require_safe
@never_cache
def metrics(request):
    """What this address has counted, and how the installation stands."""
    from voiceops import gauges  # its models are not ready when addresses are read

    if not settings.METRICS_TOKEN:
        raise Http404
    if not is_token(request.headers.get("Authorization", "")):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    text = counted.exposition() + gauges.exposition()
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def worker_application(environ, start_response):
    """What a worker has counted, by a server of its own."""
    if environ["PATH_INFO"] != "/metrics":
        start_response("404 Not Found", [("Content-Length", "0")])
        return [b""]
    if not is_token(environ.get("HTTP_AUTHORIZATION", "")):
        challenge = [("WWW-Authenticate", "Bearer"), ("Content-Length", "0")]
        start_response("401 Unauthorized", challenge)
        return [b""]
    start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
    return [counted.exposition()]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    timeout = 10  # seconds, for whoever connects and says nothing

    def log_message(self, *args):
        pass


def serve(port: int) -> WSGIServer:
    """Answer at this port from a thread of its own; `server_port` is where."""
    server = make_server(
        "", port, worker_application, server_class=_Server, handler_class=_Silent
    )
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def serve_in_worker(**kwargs) -> None:
    """Once the worker is up, if it is to be asked at all."""
    if settings.METRICS_TOKEN and settings.METRICS_PORT:
        serve(settings.METRICS_PORT)
