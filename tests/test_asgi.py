"""The server of sockets, streams and pages as it begins and ends."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from agents.llm import OpenAIProvider
from tests.processes import WITHIN_S
from voiceops import asgi
from voiceops.asgi import application, lifespan


def test_server_that_ends_leaves_no_connection_to_a_model_open():
    async def serve():
        async with lifespan(application):
            provider = OpenAIProvider(base_url="http://a/v1", api_key="k", model="m")
            client = provider._client()
        return client.is_closed()

    with ThreadPoolExecutor(1) as beside:  # the signals of this process stay its own
        assert beside.submit(asyncio.run, serve()).result()


class Server:
    """Django's application on a real socket, whose pages wait until they may go on."""

    def __init__(self, monkeypatch):
        self.pages_begun = threading.Semaphore(0)
        self.may_go_on = threading.Event()
        monkeypatch.setattr(asgi, "wsgi_application", self._answer)
        application = Starlette(routes=[Mount("/", asgi.pages_and_webhooks())])
        config = uvicorn.Config(application, log_level="critical", lifespan="off")
        self._server = uvicorn.Server(config)

    def _answer(self, environ, start_response):
        if environ["PATH_INFO"].startswith("/webhooks/"):
            start_response("200 OK", [])
            return [b"heard"]
        self.pages_begun.release()
        assert self.may_go_on.wait(WITHIN_S)
        start_response("200 OK", [])
        return [b"shown"]

    @contextmanager
    def running(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=self._server.run, args=([listener],))
            thread.start()
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                self.may_go_on.set()
                self._server.should_exit = True
                thread.join(WITHIN_S)


def test_no_webhook_waits_for_pages_and_few_pages_are_worked_out_at_once(monkeypatch):
    server = Server(monkeypatch)
    visitors = asgi.WSGI_THREADS + 4
    with server.running() as url, ThreadPoolExecutor(visitors) as people:
        pages = [people.submit(get, f"{url}/calls") for _ in range(visitors)]
        for _ in range(asgi.PAGES_AT_ONCE):
            assert server.pages_begun.acquire(timeout=WITHIN_S)

        assert get(f"{url}/webhooks/twilio/status/x") == "heard"
        assert not server.pages_begun.acquire(timeout=0.2)

        server.may_go_on.set()
        assert {page.result(WITHIN_S) for page in pages} == {"shown"}


def get(url):
    return httpx.get(url, timeout=WITHIN_S, trust_env=False).text
