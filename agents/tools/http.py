"""HTTP tools: arguments into a request, its answer into what the model is shown."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from yarl import URL

from agents.tools import guard
from agents.tools.outcome import Outcome, Status, shown
from agents.tools.schema import BadArguments, read_arguments

PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]{0,63})\}")

MAX_HEADERS = 20
MAX_HEADER_CHARACTERS = 2_000
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
# They belong to the connection, not to who writes the request.
OWN_HEADERS = {
    *("host", "connection", "keep-alive", "upgrade", "te", "trailer", "expect"),
    *("content-length", "transfer-encoding", "accept-encoding"),
    *("proxy-authorization", "proxy-connection"),
}

# By RFC 9110, 9.2.2.
REPEATABLE_METHODS = {"GET", "PUT", "DELETE"}
# Without a meaning for a body: arguments go into the query.
QUERY_METHODS = {"GET", "DELETE"}


@dataclass(frozen=True)
class Endpoint:
    """Where a tool's calls go; the places in `url` are filled from the arguments."""

    method: str
    url: str
    parameters: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 5

    @property
    def places(self) -> list[str]:
        return PLACE.findall(self.url)


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise ValidationError unless these can be sent, and are ours to send."""
    if len(headers) > MAX_HEADERS:
        raise ValidationError(
            _("At most %(count)d headers."), params={"count": MAX_HEADERS}
        )
    if len({name.lower() for name in headers}) < len(headers):
        raise ValidationError(_("A header is given twice."))
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name) or name.lower() in OWN_HEADERS:
            raise ValidationError(
                _("“%(name)s” is not a header that a tool can set."),
                params={"name": name[:100]},
            )
        if len(value) > MAX_HEADER_CHARACTERS or not HEADER_VALUE.fullmatch(value):
            raise ValidationError(
                _(
                    "The value of “%(name)s” is too long or has characters that a "
                    "header cannot have."
                ),
                params={"name": name},
            )


def check_endpoint(endpoint: Endpoint) -> None:
    """Raise ValidationError for an address that no call could be made to.

    Only path and query have places, so arguments choose no host; each is a required
    parameter, so none stays empty.
    """
    without = PLACE.sub("x", endpoint.url)
    if "{" in without or "}" in without:
        raise ValidationError(_("A brace is left open: write {parameter}."))
    try:
        guard.check_url(without, guard.installed_rules())
    except guard.Blocked as blocked:
        raise ValidationError(str(blocked)) from None
    parts = urlsplit(endpoint.url)
    if "{" in parts.netloc:
        raise ValidationError(
            _("A {parameter} can stand in the path or the query, not in the host.")
        )
    if parts.fragment:
        raise ValidationError(_("Leave out what follows the #: it is never sent."))
    required = endpoint.parameters.get("required", [])
    if missing := [name for name in endpoint.places if name not in required]:
        raise ValidationError(
            _("“%(name)s” stands in the address: make it a required parameter."),
            params={"name": missing[0]},
        )


def request_of(endpoint: Endpoint, arguments: Mapping[str, Any]) -> guard.Request:
    """The request for these arguments; raise BadArguments if they spoil the address."""
    url = _filled(endpoint.url, arguments)
    if _origin(url) != _origin(PLACE.sub("x", endpoint.url)):
        raise BadArguments("The arguments would lead to another host.")
    rest = {n: v for n, v in arguments.items() if n not in endpoint.places}
    headers, body = dict(endpoint.headers), None
    if endpoint.method in QUERY_METHODS:
        url = str(URL(url).extend_query(list(_pairs(rest))))
    else:
        body = json.dumps(rest).encode()
        if "content-type" not in {name.lower() for name in headers}:
            headers["Content-Type"] = "application/json"
    return guard.Request(endpoint.method, url, headers, body)


def _origin(url: str) -> URL:
    try:
        return URL(url).origin()
    except ValueError:
        raise BadArguments("The arguments spoil the address.") from None


def _filled(url: str, arguments: Mapping[str, Any]) -> str:
    parts = urlsplit(url)
    segments = [_filled_segment(part, arguments) for part in parts.path.split("/")]
    query = PLACE.sub(lambda m: quote(_text(arguments[m[1]]), safe=""), parts.query)
    return urlunsplit(parts._replace(path="/".join(segments), query=query))


def _filled_segment(segment: str, arguments: Mapping[str, Any]) -> str:
    """A part of the path; no argument can take it away or climb out of it."""
    places = PLACE.findall(segment)
    if empty := [name for name in places if not _text(arguments[name])]:
        raise BadArguments(f"{empty[0]}: it is empty.")
    filled = PLACE.sub(lambda m: quote(_text(arguments[m[1]]), safe=""), segment)
    if places and filled in {".", ".."}:
        raise BadArguments(f"{places[0]}: this value cannot be used.")
    return filled


def _pairs(arguments: Mapping[str, Any]):
    for name, value in arguments.items():
        for one in value if isinstance(value, list) else [value]:
            yield name, _text(one)


def _text(value: Any) -> str:
    """A value as it stands in an address: text as it is, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


async def call(endpoint: Endpoint, arguments: str, **connection: Any) -> Outcome:
    """Use the tool once with the model's JSON text; `connection` is for `guard.send`.

    Bounded in time; nothing is sent unless the arguments fit the parameters.
    """
    started = time.monotonic()
    status, text = await _attempt(endpoint, arguments, connection)
    return Outcome(status, text, int((time.monotonic() - started) * 1000))


async def _attempt(
    endpoint: Endpoint, arguments: str, connection: dict[str, Any]
) -> tuple[Status, str]:
    try:
        given = read_arguments(arguments, endpoint.parameters)
        request = request_of(endpoint, given)
        answer = await guard.send(request, timeout_s=endpoint.timeout_s, **connection)
    except (BadArguments, guard.Blocked) as refusal:
        return "refused", str(refusal)
    except guard.TimedOut as late:
        return "timed_out", str(late)
    except guard.Failed as failed:
        return "failed", str(failed)
    text = shown(answer.text, is_cut=answer.is_cut)
    if 200 <= answer.status < 300:
        return "ok", text or f"Done: status {answer.status}, without a text."
    told = f"The service answered with status {answer.status}.\n{text}"
    return "failed", told.strip()
