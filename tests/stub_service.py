"""A local service for the tools of tests: a real server on a real socket.

It answers by the path and misbehaves on request; `requests` are those it got. In a
test, use the `stub_service` fixture.
"""

import gzip
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

DRIP_S = 0.05
BOMB = gzip.compress(bytes(200_000_000), 9)


class StubService:
    def __init__(self, port: int):
        self.port = port
        self.host = f"localhost:{port}"
        self.url = f"http://localhost:{port}"
        self.requests: list[dict] = []
        # Location of `/redirect/<status>`, and what `/answer` answers.
        self.location = "/answer"
        self.answer = {"temperature": 21}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: StubService

    def _serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.service.requests.append(
            {
                "method": self.command,
                "path": self.path,
                "headers": dict(self.headers),
                "body": self.rfile.read(length).decode(),
            }
        )
        name, _, rest = urlsplit(self.path).path.strip("/").partition("/")
        answer = getattr(self, f"_{name}", self._answer)
        try:
            answer(rest)
        except OSError:  # whoever asked has had enough
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, *args):
        pass

    def _send(self, body, status=200, **headers):
        self.send_response(status)
        for name, value in {"Content_Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, _rest):
        self._send(json.dumps(self.service.answer).encode())

    def _status(self, rest):
        self._send(b'{"error": "no such order"}', int(rest))

    def _busy(self, rest):
        self._send(b"", 503, Retry_After=rest)

    def _empty(self, rest):
        self._send(b"", int(rest))

    def _type(self, rest):
        self._send(b"words", Content_Type=rest)

    def _redirect(self, rest):
        self._send(b"", int(rest), Location=self.service.location)

    def _loop(self, _rest):
        self._send(b"", 302, Location=self.path)

    def _cookie(self, _rest):
        self._send(b"", 302, Location="/answer", Set_Cookie="a=b; Path=/")

    def _bomb(self, _rest):
        self._send(BOMB, Content_Encoding="gzip", Content_Type="text/plain")

    def _packed(self, _rest):
        self._send(gzip.compress(b"unpacked"), Content_Encoding="gzip")

    def _stall(self, _rest):
        time.sleep(3)
        self._answer("")

    def _drip(self, _rest):
        self._stream(b" ", DRIP_S)

    def _endless(self, _rest):
        self._stream(b"x" * 8192, 0)

    def _stream(self, piece, pause_s):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        while True:
            self.wfile.write(piece)
            time.sleep(pause_s)

    def _latin(self, _rest):
        self._send(
            "Größe\0".encode("latin-1"), Content_Type="text/plain; charset=latin-1"
        )

    def _broken(self, _rest):
        self.wfile.write(b"this is no HTTP\r\n\r\n")
        self.close_connection = True

    def _cut(self, _rest):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True


@contextmanager
def running_service(tls: ssl.SSLContext | None = None) -> Iterator[StubService]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.block_on_close = False
    service = StubService(server.server_port)
    server.RequestHandlerClass = type("Handler", (_Handler,), {"service": service})
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def stub_service(settings):
    """The service, reachable for tools."""
    with running_service() as service:
        settings.TOOL_ALLOWED_HOSTS = [service.host]
        yield service
