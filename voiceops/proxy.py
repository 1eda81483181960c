"""The simulator's pages and streams under the app's own origin."""

import httpx
from django.conf import settings
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse

from voiceops.bodies import CLOSE, TOO_BIG, TOO_SLOW, WITHIN_S, TooBig, whole_body

CONNECT_TIMEOUT_S = 3
# A stream of events is silent for up to its heartbeat's 15 s.
READ_TIMEOUT_S = 60
# RFC 9110, 7.6.1, and what the client must say about its own connection. The log-in
# stays here: the simulator is none of its business.
NOT_FORWARDED = {"host", "connection", "transfer-encoding", "cookie", "authorization"}

MAX_BODY_BYTES = 1280 * 1024  # a form with a picture

_client: httpx.AsyncClient | None = None


def _open_client() -> httpx.AsyncClient:
    global _client
    if _client is None:
        timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        _client = httpx.AsyncClient(timeout=timeout, trust_env=False)
    return _client


async def close_client() -> None:
    if _client is not None:
        await _client.aclose()


async def forward_to_simulator(request: Request):
    """Pass the request on and stream the answer back; 502 when nobody is there.

    Only what its pages send: their paths and small forms. A path with dots in it could
    lead out of them, to what the simulator offers to others.
    """
    if ".." in request.url.path:
        return PlainTextResponse("There is no such page.", status_code=404)
    try:
        body = await whole_body(request.receive, MAX_BODY_BYTES, WITHIN_S)
    except TooBig:
        return PlainTextResponse(TOO_BIG, 413, CLOSE)
    except TimeoutError:
        return PlainTextResponse(TOO_SLOW, 408, CLOSE)
    target = f"{settings.SIMULATOR_URL}{request.url.path}"
    headers = [(k, v) for k, v in request.headers.items() if k not in NOT_FORWARDED]
    outgoing = _open_client().build_request(
        request.method,
        f"{target}?{request.url.query}" if request.url.query else target,
        headers=[*headers, ("host", request.headers.get("host", ""))],
        content=body,
    )
    try:
        answer = await _open_client().send(outgoing, stream=True)
    except httpx.HTTPError:
        return PlainTextResponse("The simulator is not running.", status_code=502)
    kept = {k: v for k, v in answer.headers.items() if k not in NOT_FORWARDED}
    return StreamingResponse(
        answer.aiter_raw(),
        status_code=answer.status_code,
        headers=kept,
        background=BackgroundTask(answer.aclose),
    )
