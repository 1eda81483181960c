"""Bodies of requests to the ASGI process: whole, not too large, and soon enough."""

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from voiceops.middleware import MOST_BODY_BYTES

WITHIN_S = 30
TOO_BIG = "The body is too large."
TOO_SLOW = "The body took too long to arrive."
# What is left of the body is not waited for.
CLOSE = {"Connection": "close"}


class TooBig(Exception):
    """More than is taken here."""


async def whole_body(receive: Receive, most_bytes: int, within_s: float) -> bytes:
    """All of a body, of any encoding. Raises TooBig, TimeoutError, ClientDisconnect."""
    body = bytearray()
    async with asyncio.timeout(within_s):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            if len(body) > most_bytes:
                raise TooBig
            if not message.get("more_body", False):
                return bytes(body)


class WholeBodies:
    """Wait for a body here, where waiting is cheap, and hand it on when it is whole.

    Behind this are a few threads: some slow senders would keep all of them.
    """

    def __init__(
        self,
        app: ASGIApp,
        most_bytes: int = MOST_BODY_BYTES,
        within_s: float = WITHIN_S,
    ):
        self.app, self.most_bytes, self.within_s = app, most_bytes, within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(Request(scope)):
            return await self.app(scope, receive, send)
        try:
            body = await self._read(Request(scope), receive)
        except ClientDisconnect:
            return None
        except TooBig:
            return await PlainTextResponse(TOO_BIG, 413, CLOSE)(scope, receive, send)
        except TimeoutError:
            return await PlainTextResponse(TOO_SLOW, 408, CLOSE)(scope, receive, send)
        whole = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def received():
            return next(whole, None) or await receive()

        return await self.app(scope, received, send)

    async def _read(self, request: Request, receive: Receive) -> bytes:
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self.most_bytes:
            raise TooBig
        return await whole_body(receive, self.most_bytes, self.within_s)


def _has_body(request: Request) -> bool:
    length = request.headers.get("content-length", "0")
    return length != "0" or "transfer-encoding" in request.headers
