"""Signed requests to the application, delivered as Twilio delivers them.

Limits (docs: connection overrides, the defaults): 5 s to connect, 15 s for the whole
answer, one retry and only when no connection came about, with the same idempotency
token. Redirects are followed by GET, which loses the fields, as at Twilio.
"""

import asyncio
import os
import ssl
from dataclasses import dataclass
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit
from uuid import uuid4

import httpx
from twilio.request_validator import RequestValidator

CONNECT_TIMEOUT_S = 5
ANSWER_TIMEOUT_S = 15
CONNECT_TRIES = 2
MAX_REDIRECTS = 5
USER_AGENT = "TwilioProxy/1.1"


class NoAnswer(Exception):
    """Nobody answered: no connection, a broken one, or 15 seconds went by."""


@dataclass(frozen=True)
class Answer:
    url: str
    status: int
    content_type: str
    text: str

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300


def signature(secret: str, url: str, fields: dict[str, str] | None = None) -> str:
    """X-Twilio-Signature of a request: over the URL and the form's fields."""
    return RequestValidator(secret).compute_signature(url, fields or {})


def believed_certificates() -> ssl.SSLContext | bool:
    """True: the authorities that everybody believes."""
    named = os.environ.get("SSL_CERT_FILE")  # sockets of calls go by it as well
    return ssl.create_default_context(cafile=named) if named else True


class Courier:
    """Carries webhooks; one for the whole process, closed at its end."""

    def __init__(self):
        self._client = httpx.AsyncClient(
            trust_env=False,
            verify=believed_certificates(),
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            # Short: a kept connection that the application just closed looks like
            # a lost answer, which would not be asked for again.
            limits=httpx.Limits(max_connections=None, keepalive_expiry=2),
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def send(
        self, url: str, fields: dict[str, str], *, secret: str, method: str = "POST"
    ) -> Answer:
        """Deliver one webhook. Raises NoAnswer."""
        token = str(uuid4())
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await self._follow(url, fields, secret, method, token)
        except TimeoutError as exc:
            raise NoAnswer(f"no answer within {ANSWER_TIMEOUT_S} s") from exc
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError) as exc:
            raise NoAnswer(f"{type(exc).__name__}: {exc}") from exc

    async def _follow(self, url, fields, secret, method, token) -> Answer:
        url = _without_fragment(url)
        for _ in range(MAX_REDIRECTS):
            response = await self._try(url, fields, secret, method, token)
            if not response.has_redirect_location:
                return Answer(
                    url=url,
                    status=response.status_code,
                    content_type=response.headers.get("content-type", ""),
                    text=response.text,
                )
            url, method, fields = urljoin(url, response.headers["location"]), "GET", {}
        raise NoAnswer("too many redirects")

    async def _try(self, url, fields, secret, method, token) -> httpx.Response:
        content = None
        if method == "GET" and fields:
            url += ("&" if "?" in url else "?") + urlencode(fields)
        elif method != "GET":
            content = urlencode(fields)
        signed = {} if method == "GET" else fields
        headers = {
            "X-Twilio-Signature": signature(secret, url, signed),
            "I-Twilio-Idempotency-Token": token,
            "User-Agent": USER_AGENT,
            "Accept": "*/*",
        }
        if content is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        for attempt in range(1, CONNECT_TRIES + 1):
            try:
                return await self._client.request(
                    method, url, content=content, headers=headers
                )
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if attempt == CONNECT_TRIES:
                    raise
        raise AssertionError("unreachable")


def _without_fragment(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(fragment=""))
