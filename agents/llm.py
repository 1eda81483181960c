"""The language model: messages in, pieces of text and tool calls out, our own errors.

The only importer of the OpenAI SDK. The SDK sends the request (addresses, headers,
connection pool, on aiohttp, the faster of its transports); its stream is read here,
because building the SDK's objects for every token costs a call more than all the rest.
"""

import asyncio
import logging
import random
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Protocol
from urllib.parse import urlsplit

# Before any request: the SDK looks whether it is loaded, and would find half of it
# while another thread imports it.
import httpx  # noqa: F401
import httpx2
import openai
from django.conf import settings
from openai.resources.chat.completions import AsyncCompletions

from agents.chat import PLAIN, Message, Meter, ModelFailed, ToolCall
from agents.chunks import EventData, ToolCallParts, read_chunk, read_usage
from agents.demo import DemoResponder
from agents.tools.transport import GuardedTransport
from voiceops import metrics
from voiceops.loops import before_the_end, run

CONNECT_TIMEOUT_S = 3
FIRST_TOKEN_TIMEOUT_S = 8  # a retry included: the caller waits only once
SHARE_OF_THE_FIRST = 0.5  # of that time, where a second endpoint stands by
TOKEN_GAP_TIMEOUT_S = 5
TOTAL_TIMEOUT_S = 30
RETRY_DELAY_S = 0.25  # at most doubled at random, so that calls don't retry in step
DRAIN_TIMEOUT_S = 0.1
MAX_CONNECTIONS = 500
MAX_CONNECTIONS_A_HOST = 100  # of those that workspaces name

DEFAULT_BASE_URL = "https://api.openai.com/v1"
DEFAULT_MODEL = "gpt-4o-mini"
NO_KEY = "none"  # local servers want no key, but the SDK wants a word

__all__ = [
    "PLAIN",
    "Message",
    "GuardedProvider",
    "Meter",
    "ModelFailed",
    "OpenAIProvider",
    "Provider",
    "Request",
    "Piece",
    "ToolCall",
    "WithFallback",
    "close_clients",
    "collect",
    "configured_provider",
    "run",
]

UNKNOWN_PARAMETER = {400, 422}
# Endpoints that refused to be asked how many tokens an answer took.
_without_usage: set[str] = set()

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What a model is asked; None leaves a value to the provider.

    `tools` are schemas in OpenAI's form. A history with tool calls is sent with them
    even where the model may use none any more: some providers insist.
    """

    messages: tuple[Message, ...]
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    tools: tuple[dict[str, Any], ...] = ()
    may_use_tools: bool = True
    meter: Meter | None = field(default=None, compare=False, repr=False)
    first_token_s: float | None = None  # how long a caller waits for it


Piece = str | ToolCall


class Provider(Protocol):
    @property
    def label(self) -> str: ...

    @property
    def is_demo(self) -> bool: ...

    @property
    def spoken_by(self) -> str:
        """The label of who gave the latest answer."""
        ...

    def stream(self, request: Request) -> AsyncGenerator[Piece, None]: ...

    async def warm_up(self) -> None: ...


class OpenAIProvider:
    """An OpenAI-compatible endpoint."""

    is_demo = False

    def __init__(self, *, base_url: str, api_key: str, model: str) -> None:
        self.base_url = base_url or DEFAULT_BASE_URL
        self.model = model or DEFAULT_MODEL
        self._api_key = api_key or NO_KEY

    @property
    def label(self) -> str:
        return f"{self.model} at {urlsplit(self.base_url).netloc.rpartition('@')[2]}"

    @property
    def spoken_by(self) -> str:
        return self.label

    async def warm_up(self) -> None:
        """Open a connection on this event loop now, not while a caller waits.

        Asks the endpoint for its models, which costs nothing; fails in silence.
        """
        models = self._client().models.with_streaming_response
        with suppress(openai.OpenAIError, httpx2.HTTPError):
            async with models.list(timeout=CONNECT_TIMEOUT_S) as response:
                await response.read()

    async def stream(self, request: Request) -> AsyncGenerator[Piece, None]:
        """Yield the answer's pieces as they come; raise `ModelFailed`.

        Tool calls come last, each whole. Closing the generator, or cancelling who
        reads it, closes the connection at once; leave it early only through
        `contextlib.aclosing`. A stall is "slow" wherever it happens, "cut" is an
        answer whose connection ended too soon.
        """
        started = time.monotonic()
        has_content = False
        try:
            async with aclosing(self._pieces(request)) as pieces:
                async for piece in pieces:
                    has_content = has_content or not _is_blank(piece)
                    yield piece
            if not has_content:
                raise ModelFailed("empty")
        except ModelFailed as failed:
            metrics.note_model_failure(failed.reason)
            logger.warning(
                "model at %s failed: %s, status %s, after %d ms",
                urlsplit(self.base_url).hostname,
                failed.reason,
                failed.status,
                (time.monotonic() - started) * 1000,
            )
            raise

    async def _pieces(self, request: Request) -> AsyncGenerator[Piece, None]:
        loop = asyncio.get_running_loop()
        total_deadline = loop.time() + TOTAL_TIMEOUT_S
        deadline = loop.time() + (request.first_token_s or FIRST_TOKEN_TIMEOUT_S)
        async with self._answer(request, deadline) as response:
            pieces = _read(response, request.meter or Meter())
            async with aclosing(pieces):
                while True:
                    try:
                        async with asyncio.timeout_at(min(deadline, total_deadline)):
                            piece = await anext(pieces, None)
                    except TimeoutError:
                        raise ModelFailed("slow") from None
                    if piece is None:
                        return
                    if piece != "":
                        yield piece
                    deadline = loop.time() + TOKEN_GAP_TIMEOUT_S

    @asynccontextmanager
    async def _answer(self, request: Request, deadline: float) -> AsyncIterator[Any]:
        """The open response to `request`; what breaks while it is read is "cut"."""
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._send_twice(request)
        except TimeoutError:
            raise ModelFailed("slow") from None
        try:
            yield response
        except (httpx2.HTTPError, httpx2.StreamError):
            raise ModelFailed("cut") from None
        finally:
            await response.close()

    async def _send_twice(self, request: Request) -> Any:
        """Send; once more after a busy or broken answer, before any token came."""
        try:
            return await self._send(request)
        except ModelFailed as failed:
            if failed.reason not in {"rate_limited", "unreachable"}:
                raise
        await asyncio.sleep(RETRY_DELAY_S * (1 + random.random()))
        return await self._send(request)

    async def _send(self, request: Request) -> Any:
        completions = AsyncCompletions(self._client())
        wants_usage = request.meter is not None and self.base_url not in _without_usage
        try:
            opening = completions.with_streaming_response.create(
                stream=True, **self._parameters(request, wants_usage)
            )
            response = await opening.__aenter__()
            if request.meter is not None:
                request.meter.asked += 1
            return response
        except openai.APIStatusError as error:
            status = error.status_code
            if wants_usage and status in UNKNOWN_PARAMETER:
                _without_usage.add(self.base_url)  # perhaps that is what it refused
                return await self._send(request)
            raise ModelFailed(_reason(status), status=status) from None
        except openai.APIConnectionError:
            raise ModelFailed("unreachable") from None
        except openai.OpenAIError:
            raise ModelFailed("malformed") from None

    def _client(self) -> openai.AsyncOpenAI:
        """The running loop's client: connections belong to a loop."""
        kept = self.base_url, self._api_key
        return _client_for(kept, lambda: _new_client(*kept, _http_client()))

    def _parameters(self, request: Request, wants_usage: bool) -> dict[str, Any]:
        given = {
            "stream_options": {"include_usage": True} if wants_usage else None,
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "tools": list(request.tools) or None,
            "tool_choice": "none"
            if request.tools and not request.may_use_tools
            else None,
        }
        return {
            "model": request.model or self.model,
            "messages": list(request.messages),
            **{name: value for name, value in given.items() if value is not None},
        }


class GuardedProvider(OpenAIProvider):
    """An endpoint that a workspace names: asked through the guard against inner hosts.

    The clients of all of them share their connections; none is kept for a key.
    """

    def _client(self) -> openai.AsyncOpenAI:
        def make() -> openai.AsyncOpenAI:
            return _new_client(DEFAULT_BASE_URL, NO_KEY, _guarded_http_client())

        shared = _client_for(GUARDED, make)
        return shared.with_options(base_url=self.base_url, api_key=self._api_key)


class WithFallback:
    """Two endpoints: the second answers what the first could not begin to answer.

    Never after a word was said: the caller would hear two answers in one. Both
    together have as long as one alone, for the caller's patience is the same.
    """

    is_demo = False

    def __init__(self, first: Provider, second: Provider) -> None:
        self._first, self._second = first, second
        self.label = self.spoken_by = first.label

    async def warm_up(self) -> None:
        await asyncio.gather(self._first.warm_up(), self._second.warm_up())

    async def stream(self, request: Request) -> AsyncGenerator[Piece, None]:
        patience_s = request.first_token_s or FIRST_TOKEN_TIMEOUT_S
        asked_at = time.monotonic()
        hurried = replace(request, first_token_s=patience_s * SHARE_OF_THE_FIRST)
        has_begun = False
        try:
            async with aclosing(self._first.stream(hurried)) as pieces:
                async for piece in pieces:
                    if not (has_begun or _is_blank(piece)):
                        has_begun, self.spoken_by = True, self._first.label
                    yield piece
                return
        except ModelFailed:
            left_s = patience_s - (time.monotonic() - asked_at)
            if has_begun or left_s <= 0:
                raise
        self.spoken_by = self._second.label
        async with aclosing(
            self._second.stream(replace(request, model=None, first_token_s=left_s))
        ) as pieces:
            async for piece in pieces:
                yield piece


def _reason(status: int) -> str:
    if status == 429:
        return "rate_limited"
    return "unreachable" if status >= 500 else "refused"


def _is_blank(piece: Piece) -> bool:
    return isinstance(piece, str) and piece.isspace()


async def _read(response: Any, meter: Meter) -> AsyncGenerator[Piece, None]:
    """What a stream of chat completion chunks says, its tool calls last.

    An empty piece is a sign of life: a part of a tool call. Raises `ModelFailed`:
    "cut" if the stream ends without a finish, "malformed" if it is none, "refused" if
    the provider's filter took the answer away.
    """
    events, calls = EventData(), ToolCallParts()
    finish, is_stream = None, False
    chunks = response.iter_bytes()
    async for chunk in chunks:
        for data in events.feed(chunk):
            if data == b"[DONE]":
                await _drain(chunks)
                for call in calls.whole():
                    yield call
                return
            is_stream = True
            text, ended, parts = read_chunk(data)
            read_usage(data, meter)
            finish = ended or finish
            if text:
                yield text
            if parts:
                calls.add(parts)
                yield ""
            if ended == "content_filter":
                raise ModelFailed("refused")
    if finish is None:
        raise ModelFailed("cut" if is_stream else "malformed")
    for call in calls.whole():
        yield call


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read to the end of the body: only then is its connection used again."""
    with suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            async for _ in chunks:
                pass


GUARDED = ("", "")  # the key of the client that all workspaces' endpoints share
Clients = dict[tuple[str, str], openai.AsyncOpenAI]
_clients: dict[asyncio.AbstractEventLoop, Clients] = {}
_clients_lock = threading.Lock()


def _client_for(
    key: tuple[str, str], make: Callable[[], openai.AsyncOpenAI]
) -> openai.AsyncOpenAI:
    """The running loop's client under `key`."""
    clients = _clients.get(asyncio.get_running_loop()) or _new_clients()
    client = clients.get(key)
    if client is None:
        client = clients[key] = make()
    return client


def _new_clients() -> Clients:
    """An empty cache for the running loop; those of closed loops go."""
    with _clients_lock:
        for loop in [loop for loop in _clients if loop.is_closed()]:
            del _clients[loop]
        return _clients.setdefault(asyncio.get_running_loop(), {})


async def close_clients() -> None:
    """Close the running loop's connections; call it when the loop is about to end."""
    for client in _clients.pop(asyncio.get_running_loop(), {}).values():
        await client.close()


def _new_client(
    base_url: str, api_key: str, http_client: httpx2.AsyncClient
) -> openai.AsyncOpenAI:
    """A client without its own retries and waits: `_pieces` holds the clock."""
    return openai.AsyncOpenAI(
        base_url=base_url,
        api_key=api_key,
        max_retries=0,
        timeout=_timeout(),
        http_client=http_client,
    )


def _http_client() -> httpx2.AsyncClient:
    """Follows no redirect, for that would send the key and the prompt elsewhere."""
    limits = httpx2.Limits(
        max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS
    )
    return openai.DefaultAioHttpClient(
        timeout=_timeout(), limits=limits, follow_redirects=False
    )


def _guarded_http_client() -> httpx2.AsyncClient:
    """Likewise, to hosts that tenants name; it keeps no cookies, for all share it."""
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx2.AsyncClient(
        transport=GuardedTransport(
            at_once=MAX_CONNECTIONS, at_once_a_host=MAX_CONNECTIONS_A_HOST
        ),
        cookies=no_cookies,
        timeout=_timeout(),
        follow_redirects=False,
        trust_env=False,
    )


def _timeout() -> httpx2.Timeout:
    return httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S, pool=CONNECT_TIMEOUT_S)


def configured_provider(model: str = "") -> Provider:
    """What this installation's settings name, else the demo responder.

    `model` is an agent's own choice; empty for the installation's.
    """
    base_url, api_key = settings.LLM_BASE_URL, settings.LLM_API_KEY
    if not (base_url or api_key):
        return DemoResponder()
    first = OpenAIProvider(
        base_url=base_url, api_key=api_key, model=model or settings.LLM_MODEL
    )
    base_url, api_key = settings.LLM_FALLBACK_BASE_URL, settings.LLM_FALLBACK_API_KEY
    if not (base_url or api_key):
        return first
    second = OpenAIProvider(
        base_url=base_url, api_key=api_key, model=settings.LLM_FALLBACK_MODEL
    )
    return WithFallback(first, second)


async def collect(provider: Provider, request: Request, deadline_s: float) -> str:
    """The text of the answer at once; `ModelFailed("slow")` after `deadline_s` s."""
    pieces = await collect_pieces(provider, request, deadline_s)
    return "".join(piece for piece in pieces if isinstance(piece, str))


async def collect_pieces(
    provider: Provider, request: Request, deadline_s: float
) -> list[str | ToolCall]:
    """As `collect`, and the tools that the model asks for."""
    try:
        async with (
            asyncio.timeout(deadline_s),
            aclosing(provider.stream(request)) as stream,
        ):
            return [piece async for piece in stream]
    except TimeoutError:
        raise ModelFailed("slow") from None


before_the_end(close_clients)
