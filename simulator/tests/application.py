"""The application at the other end, played by a small real server.

Every webhook is recorded with whether its signature verifies, and answered by what
the test put at its path: TwiML, or a function of the form. Live sessions run a
coroutine of the test.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from twilio.request_validator import RequestValidator

DEADLINE_S = 60


@dataclass(frozen=True)
class Received:
    path: str
    fields: dict[str, str]
    is_signed: bool
    idempotency_token: str


def wait_until(is_true: Callable, what: str = "the condition"):
    """Poll for something real to happen; its value, or a failure after a while."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if value := is_true():
            return value
        time.sleep(0.005)
    raise AssertionError(f"{what} did not come about within {DEADLINE_S} s")


class ServerThread:
    """Any uvicorn server on a free port, in a thread of its own."""

    def __init__(self, server: uvicorn.Server):
        self._server = server
        self._thread = threading.Thread(target=server.run, daemon=True)
        self._thread.start()
        wait_until(lambda: server.started, "the server")
        self.port = server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(DEADLINE_S)


class Applications:
    """One server for all tests; each test has an application at a path of its own,
    so that what is late from one test never reaches the next.
    """

    def __init__(self):
        self._by_name: dict[str, Application] = {}
        methods = ["GET", "POST"]
        routes = [
            Route("/{name}/{path:path}", self._webhook, methods=methods),
            WebSocketRoute("/{name}/relay", self._relay),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), port=0, log_level="warning", lifespan="off"
        )
        self._thread = ServerThread(uvicorn.Server(config))

    def open(self) -> "Application":
        name = f"test{len(self._by_name)}"
        host = f"127.0.0.1:{self._thread.port}/{name}"
        application = Application(f"http://{host}", f"ws://{host}/relay")
        self._by_name[name] = application
        return application

    def stop(self) -> None:
        self._thread.stop()

    async def _webhook(self, request: Request) -> Response:
        application = self._by_name[request.path_params["name"]]
        return await application.answer_webhook(request)

    async def _relay(self, socket: WebSocket) -> None:
        await self._by_name[socket.path_params["name"]].hold_session(socket)


class Application:
    def __init__(self, url: str, relay_url: str):
        self.url = url
        self.relay_url = relay_url
        self.secret = ""
        self.received: list[Received] = []
        self.answers: dict[str, object] = {}
        self.session: Callable | None = None
        self.frames: list[dict] = []
        self.handshakes: list[bool] = []

    def forms(self, path: str) -> list[dict[str, str]]:
        return [received.fields for received in self.received if received.path == path]

    def wait_for(self, path: str, count: int = 1) -> list[dict[str, str]]:
        """The forms that came to `path`, once there are `count` of them."""
        return wait_until(
            lambda: len(self.forms(path)) >= count and self.forms(path), path
        )

    async def answer_webhook(self, request: Request) -> Response:
        form = {key: str(value) for key, value in (await request.form()).items()}
        path, headers = "/" + request.path_params["path"], request.headers
        is_signed = RequestValidator(self.secret).validate(
            str(request.url), form, headers.get("x-twilio-signature", "")
        )
        token = headers.get("i-twilio-idempotency-token", "")
        self.received.append(Received(path, form, is_signed, token))
        answer = self.answers.get(path, "<Response/>")
        if isinstance(answer, Response):
            return answer
        if callable(answer):
            answer = answer(form)
        return Response(answer, media_type="text/xml")

    async def hold_session(self, socket: WebSocket) -> None:
        signature = socket.headers.get("x-twilio-signature", "")
        validator = RequestValidator(self.secret)
        self.handshakes.append(validator.validate(self.relay_url, {}, signature))
        await socket.accept()
        try:
            await self.session(Session(socket, self.frames))
        except WebSocketDisconnect as exc:
            self.frames.append({"type": "closed", "code": exc.code})


class Session:
    """A live session as a test's coroutine sees it."""

    def __init__(self, socket: WebSocket, frames: list[dict]):
        self.socket = socket
        self._frames = frames

    async def receive(self, kind: str = "") -> dict:
        """The next frame (of this kind)."""
        while True:
            frame = await self.socket.receive_json()
            self._frames.append(frame)
            if not kind or frame["type"] == kind:
                return frame

    async def send(self, kind: str, **fields) -> None:
        await self.socket.send_json({"type": kind, **fields})

    async def say(self, text: str) -> None:
        """Stream an utterance word by word."""
        for word in text.split(" "):
            await self.send("text", token=word + " ", last=False)
            await asyncio.sleep(0)
        await self.send("text", token="", last=True)
