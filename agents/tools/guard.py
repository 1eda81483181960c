"""Requests to addresses that tenants name: only to the public internet, and bounded.

The check is made where it cannot be outrun: aiohttp connects to exactly the addresses
that the resolver below returns, so what was checked is what is connected to, however
the name is answered the next time. Every redirect goes through the same door.
"""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings
from django.utils.translation import gettext as _
from multidict import CIMultiDict
from yarl import URL

MAX_URL_CHARACTERS = 2_000
MAX_REDIRECTS = 3
MAX_BODY_BYTES = 64 * 1024
REDIRECTS = {301, 302, 303, 307, 308}
KEEP_METHOD = {307, 308}
SEE_OTHER = 303

# Below 1024 other protocols live that a crafted request could speak to.
WEB_PORTS = {80, 443}
FIRST_FREE_PORT = 1024

HEADERS = {
    "User-Agent": "VoiceOps",
    "Accept": "application/json, text/*;q=0.9",
    "Accept-Encoding": "identity",
}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
# inet_aton takes `127.1`, `0x7f000001`, `017700000001`: no host of the internet has a
# last label that is a number, so an address is one in its usual spelling or none.
NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)")

_V6_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LAST_32_BITS = 0xFFFF_FFFF
# Global by the registry's word, or by an older Python's, and still nobody's business.
_NEVER = [
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local: the metadata service of most clouds
        "fd00:ec2::/32",  # the same at AWS over IPv6
        "fd20:ce::/32",  # and at Google
        "168.63.129.16/32",  # the host's agent at Azure
        "192.0.0.0/24",  # protocol assignments; metadata at Oracle
        "100.100.100.200/32",  # metadata at Alibaba
        "3fff::/20",  # documentation
    )
]
_SHARED = ipaddress.ip_network("100.64.0.0/10")  # carrier-grade NAT

TEXT_TYPES = re.compile(r"text/[\w.+-]+|application/(json|xml|[\w.+-]+\+(json|xml))")
CHARSETS = {"iso-8859-1", "latin-1", "us-ascii", "windows-1252"}
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Blocked(Exception):
    """The request would go where none may; nothing was sent there. `str()` says why."""


class Failed(Exception):
    """No usable answer; `str()` says why in plain words. It may have been received."""


class NotText(Failed):
    """It answered with `status` and something that is not read."""

    def __init__(self, status: int, content_type: str):
        super().__init__(
            _("It answered with “%(type)s”: only text and JSON are read.")
            % {"type": content_type[:100]}
        )
        self.status = status


class TimedOut(Failed):
    """The time was over first; the request may have been received."""


@dataclass(frozen=True)
class Rules:
    """What this installation allows beyond the public internet."""

    allowed_hosts: frozenset[str] = frozenset()  # `host` or `host:port`
    https_only: bool = True

    def name(self, host: str, port: int | None) -> bool:
        """Whether the operator named this host as one that may be private."""
        return bool({host, f"{host}:{port}"} & self.allowed_hosts)


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    is_cut: bool = False  # there was more than is read
    retry_after: str = ""  # the header


def installed_rules() -> Rules:
    """What this installation's settings say."""
    return Rules(
        allowed_hosts=frozenset(host.lower() for host in settings.TOOL_ALLOWED_HOSTS),
        https_only=settings.PRODUCTION,
    )


async def send(
    request: Request,
    *,
    timeout_s: float,
    redirects: int = MAX_REDIRECTS,
    rules: Rules | None = None,
    resolver: AbstractResolver | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send `request` and read the answer, within `timeout_s` for all of it.

    Raises Blocked, Failed and TimedOut, whose texts are for people to read. Uses no
    cookies and no proxy of the environment. With no `redirects`, one is an answer like
    any other. Headers go to the origin that they were
    written for and to no other. `resolver` and `tls` stand in for the system's.
    """
    rules = rules or installed_rules()
    try:
        async with asyncio.timeout(timeout_s):
            return await _follow(request, redirects, rules, resolver, tls)
    except TimeoutError:
        message = _("No complete answer within %(seconds)g seconds.")
        raise TimedOut(message % {"seconds": timeout_s}) from None


def connector(
    *,
    rules: Rules | None = None,
    resolver: AbstractResolver | None = None,
    **options: Any,
) -> aiohttp.TCPConnector:
    """What connects to checked addresses only; names are asked for again each time.

    An address in the place of a name is not resolved: `check_url` has checked it.
    """
    guarded = _GuardedResolver(resolver or aiohttp.ThreadedResolver(), rules)
    return aiohttp.TCPConnector(resolver=guarded, use_dns_cache=False, **options)


async def _follow(request, redirects, rules, resolver, tls) -> Answer:
    async with aiohttp.ClientSession(
        connector=connector(
            rules=rules, resolver=resolver, force_close=True, ssl=tls or True
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=None),  # `send` holds the clock
    ) as session:
        for _hop in range(redirects + 1):
            url = check_url(request.url, rules)
            answer = await _exchange(session, request, url, follows=redirects > 0)
            if isinstance(answer, Answer):
                return answer
            request = answer
    raise Failed(_("It was redirected too often."))


async def _exchange(
    session, request: Request, url: URL, *, follows: bool
) -> Answer | Request:
    """Ask once: the answer, or the request to which it redirects."""
    headers = CIMultiDict(HEADERS)
    headers.update(request.headers)
    try:
        async with session.request(
            request.method,
            url,
            headers=headers,
            data=request.body,
            allow_redirects=False,
        ) as response:
            is_redirect = (
                response.status in REDIRECTS and "Location" in response.headers
            )
            if follows and is_redirect:
                return _redirected(request, url, response)
            return await _answer(response)
    except aiohttp.ClientConnectorDNSError:
        raise Failed(
            _("The host “%(host)s” is not known.") % {"host": url.host}
        ) from None
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError):
        raise Failed(
            _("The host's certificate is not valid for “%(host)s”.")
            % {"host": url.host}
        ) from None
    except aiohttp.ClientConnectorError:
        raise Failed(_("The host took no connection.")) from None
    except (aiohttp.ClientError, ValueError):
        # Aborted, or not HTTP; the parser says some of it with ValueError.
        raise Failed(_("The host broke off or sent something unreadable.")) from None


def _redirected(request: Request, url: URL, response) -> Request:
    """The request that follows: what was meant for one origin goes to no other."""
    target = url.join(URL(response.headers["Location"]))
    if url.scheme == "https" and target.scheme == "http":
        raise Blocked(_("It was redirected from https to http."))
    if request.method != "GET":
        if response.status == SEE_OTHER:
            request = replace(request, method="GET", body=None)
        elif response.status not in KEEP_METHOD:
            # Most clients would go on with GET, and nothing would be done there.
            raise Failed(_("It has moved: enter its new address."))
    if origin(target) != origin(url):
        if request.body is not None:
            raise Blocked(_("It was redirected to another host, with what was sent."))
        request = replace(request, headers={})
    return replace(request, url=str(target))


def origin(url: URL) -> tuple[str, str | None, int | None]:
    """Where secrets may go that were written for `url`."""
    return url.scheme, url.raw_host, url.port


async def _answer(response) -> Answer:
    body = bytearray()
    async for chunk in response.content.iter_chunked(8192):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            break
    if body and not TEXT_TYPES.fullmatch(response.content_type.lower()):
        raise NotText(response.status, response.content_type)
    charset = (response.charset or "").lower()
    text = bytes(body[:MAX_BODY_BYTES]).decode(
        charset if charset in CHARSETS else "utf-8", "replace"
    )
    return Answer(
        status=response.status,
        text=UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text),
        is_cut=len(body) > MAX_BODY_BYTES,
        retry_after=response.headers.get("Retry-After", ""),
    )


# -- Addresses -------------------------------------------------------------------------


def check_url(text: str, rules: Rules) -> URL:
    """The address if a request may be tried there, as far as its text tells.

    What its host's name stands for is checked when it is resolved. Raises Blocked.
    """
    if (
        len(text) > MAX_URL_CHARACTERS
        or not text.isprintable()
        or set(text) & set(" \\")
    ):
        raise Blocked(
            _("This is not an address: it is too long or has odd characters.")
        )
    try:
        url = URL(text)
    except ValueError:
        raise Blocked(_("This is not an address.")) from None
    if url.scheme not in {"http", "https"} or not url.raw_host:
        raise Blocked(_("An address begins with https:// and has a host."))
    if url.user is not None or url.password is not None:
        raise Blocked(_("Put names and passwords into a header, not into the address."))
    is_named = rules.name(url.raw_host, url.port)
    _check_host(url.raw_host, is_named=is_named)
    if rules.https_only and url.scheme != "https" and not is_named:
        raise Blocked(_("Only https:// addresses are allowed."))
    if not (is_named or url.port in WEB_PORTS or (url.port or 0) >= FIRST_FREE_PORT):
        raise Blocked(_("This port is not allowed: use 443, or one from 1024 on."))
    return url


def _check_host(host: str, *, is_named: bool) -> None:
    literal = _literal(host)
    if literal is not None:
        _check_address(literal, host, is_named=is_named)
    elif not HOST.fullmatch(host) or NUMBER.fullmatch(host.rpartition(".")[2]):
        raise Blocked(_("“%(host)s” is not the name of a host.") % {"host": host})


def _literal(host: str) -> Address | None:
    """The address that `host` is, in its usual spelling; None if it is a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    # A zone names one of our own network cards.
    return None if getattr(address, "scope_id", None) else address


class _GuardedResolver(AbstractResolver):
    """Resolves names to addresses that may be connected to, or raises Blocked."""

    def __init__(self, resolver: AbstractResolver, rules: Rules | None) -> None:
        self._resolver = resolver
        self._rules = rules

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        is_named = (self._rules or installed_rules()).name(host, port)
        for result in found:
            address = ipaddress.ip_address(result["host"])
            _check_address(address, host, is_named=is_named)
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _check_address(address: Address, host: str, *, is_named: bool) -> None:
    allowed = is_public(address) or (is_named and is_private(address))
    if not allowed:
        raise Blocked(
            _("“%(host)s” is inside a private network: no request may go there.")
            % {"host": host}
        )


def is_public(address: Address) -> bool:
    """Whether `address` is one of the public internet, whatever it is wrapped in."""
    inner = _wrapped(address)
    if inner is not None:
        return is_public(inner)
    if address.version == 6 and address not in _V6_GLOBAL_UNICAST:
        return False
    odd = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not (odd or _is_never(address))


def is_private(address: Address) -> bool:
    """Whether `address` is one that an operator may open by its host's name."""
    inner = _wrapped(address)
    if inner is not None:
        return is_private(inner)
    odd = address.is_multicast or address.is_unspecified or address.is_link_local
    is_inside = address.is_private or address in _SHARED
    return is_inside and not (odd or _is_never(address))


def _is_never(address: Address) -> bool:
    return any(address in network for network in _NEVER)


def _wrapped(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one carries: mapped, NAT64, 6to4."""
    if address.version == 4:
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & _LAST_32_BITS)
    return address.ipv4_mapped or address.sixtofour
