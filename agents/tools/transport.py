"""The guard for httpx: how an SDK reaches an endpoint that a tenant names."""

from collections.abc import AsyncIterator

import aiohttp
import httpx2

from agents.tools import guard

CONNECT_TIMEOUT_S = 3  # waiting for a free connection included
MAX_ANSWER_BYTES = 8 * 1024 * 1024


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends to the public internet only and reads answers of a bounded size.

    All tenants share it, so it keeps connections and nothing else: no cookies, no
    credentials, no proxy of the environment. It belongs to one event loop.
    """

    def __init__(self, *, at_once: int, at_once_a_host: int) -> None:
        self._session = aiohttp.ClientSession(
            connector=guard.connector(limit=at_once, limit_per_host=at_once_a_host),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        # A small answer that unpacks to a huge one is not asked for, nor unpacked.
        request.headers["Accept-Encoding"] = "identity"
        try:
            url = guard.check_url(str(request.url), guard.installed_rules())
            answer = await self._session.request(
                request.method,
                url,
                headers=request.headers,
                data=await request.aread(),
                allow_redirects=False,
            )
        except (guard.Blocked, aiohttp.ClientError, TimeoutError) as error:
            raise httpx2.ConnectError(str(error)) from error
        headers = [
            (name, value)
            for name, value in answer.raw_headers
            if name.lower() != b"content-encoding"
        ]
        return httpx2.Response(answer.status, headers=headers, stream=_Body(answer))

    async def aclose(self) -> None:
        await self._session.close()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        try:
            async for chunk in self._answer.content.iter_any():
                read += len(chunk)
                if read > MAX_ANSWER_BYTES:
                    raise httpx2.ReadError("The answer is too long.")
                yield chunk
        except (aiohttp.ClientError, TimeoutError) as error:
            raise httpx2.ReadError(str(error)) from error

    async def aclose(self) -> None:
        self._answer.release()
