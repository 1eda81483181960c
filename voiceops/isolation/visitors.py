"""How somebody asks: with a browser, with a bearer token, as nobody, as the carrier.

Every request runs in a transaction that is rolled back: the walk leaves no trace, and
each request meets the rows as they were made.
"""

import contextlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.cache import cache, caches
from django.db import DatabaseError, connection, transaction
from django.http import QueryDict
from django.test.client import Client
from django.urls import reverse
from twilio.request_validator import RequestValidator

from accounts.middleware import is_worth_noting
from telephony.models import Call, Phone, TestLine
from telephony.signatures import HEADER
from voiceops.isolation.routes import Kind, Route
from voiceops.isolation.tenants import Tenant

# RFC 5737: nobody comes from there.
ADDRESS = "192.0.2.1"
WRITE = re.compile(r'\s*(INSERT INTO|UPDATE|DELETE FROM|REPLACE INTO)\s+"?(\w+)', re.I)


class Way(StrEnum):
    """By what a request is let in, or not."""

    SESSION = "session"
    FRAGMENT = "htmx"  # the session again: pages answer htmx in branches of their own
    TOKEN = "token"
    NOBODY = "nobody"  # a bearer token that was never issued
    SIGNED = "signed"  # by a carrier account of the one who asks


WAYS = {
    Kind.PAGE: (Way.SESSION, Way.FRAGMENT, Way.TOKEN),
    Kind.API: (Way.TOKEN, Way.SESSION, Way.NOBODY),
    Kind.PUBLIC: (Way.TOKEN, Way.NOBODY),
    Kind.WEBHOOK: (Way.SIGNED, Way.SESSION, Way.NOBODY),
    Kind.SIGN_IN: (Way.SESSION, Way.NOBODY),
    Kind.OPERATOR: (Way.SESSION,),
}


def ways_of(kind: Kind, verb: str) -> list[Way]:
    """In which ways to ask; a page is asked for fragments where it may have some."""
    has_fragments = verb in {"GET", "POST"}
    return [way for way in WAYS[kind] if has_fragments or way != Way.FRAGMENT]


@dataclass(frozen=True)
class Sent:
    """What a request brings along besides its verb and path."""

    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What came back; `error` names an exception that no view caught."""

    status: int
    headers: dict[str, str]
    text: str
    error: str
    written: frozenset[str]  # the tables

    @property
    def wants_log_in(self) -> bool:
        """Whether it only sends the asker to the log-in page."""
        place = self.headers.get("Location") or self.headers.get("HX-Redirect") or ""
        doors = {reverse("account_login"), reverse("admin:login")}
        return urlsplit(place).path in doors


class Visitor:
    """A tenant asking, in any of the ways."""

    def __init__(self, tenant: Tenant):
        self.tenant = tenant
        self._unknown_token = "vo_" + secrets.token_urlsafe(32)
        self._session = _session_of(tenant)
        self._client = Client(  # one for all: each would load the middleware anew
            raise_request_exception=False,
            SERVER_NAME=urlsplit(settings.PUBLIC_BASE_URL).hostname,
            REMOTE_ADDR=ADDRESS,
            HTTP_X_FORWARDED_FOR=",".join([ADDRESS] * settings.TRUSTED_PROXY_COUNT),
        )

    @contextlib.contextmanager
    def asking(
        self, way: Way, verb: str, route: Route, path: str, sent: Sent
    ) -> Iterator[Answer]:
        """The answer, in the `with` still with what the request wrote."""
        cache.clear()  # no rate limit counts up
        caches[settings.SESSION_CACHE_ALIAS].clear()
        with _rolled_back(), noting_writes() as tables:
            yield self._ask(way, verb, route, path, sent, tables)

    def ask(self, way: Way, verb: str, route: Route, path: str, sent: Sent) -> Answer:
        with self.asking(way, verb, route, path, sent) as answer:
            return answer

    def _ask(self, way, verb, route, path, sent, tables) -> Answer:
        if sent.query:
            path = f"{path}?{urlencode(sent.query)}"
        body, content_type = _encoded(route, way, sent)
        self._forget_cookies(way)
        response = self._client.generic(
            verb,
            path,
            data=body,
            content_type=content_type,
            secure=urlsplit(settings.PUBLIC_BASE_URL).scheme == "https",
            headers={**sent.headers, **self._credentials(way, path, body)},
        )
        raised = getattr(response, "exc_info", None)
        return Answer(
            status=response.status_code,
            headers=dict(response.items()),
            text=_text(response),
            error=raised[0].__name__ if raised else "",
            written=frozenset(tables),
        )

    def _forget_cookies(self, way: Way) -> None:
        """Nothing of an earlier request; where there is a log-in, a fresh one."""
        self._client.cookies.clear()
        if way in {Way.SESSION, Way.FRAGMENT}:
            session = _new_session()
            session.update(self._session)
            session.save()
            is_worth_noting(session)  # not by each request
            name = settings.SESSION_COOKIE_NAME
            self._client.cookies[name] = session.session_key

    def _credentials(self, way: Way, path: str, body: str) -> dict[str, str]:
        match way:
            case Way.TOKEN:
                return {"Authorization": f"Bearer {self.tenant.token}"}
            case Way.NOBODY:
                return {"Authorization": f"Bearer {self._unknown_token}"}
            case Way.FRAGMENT:
                return {"HX-Request": "true"}
            case Way.SIGNED:
                form = QueryDict(body).dict()
                url = settings.PUBLIC_BASE_URL + path
                signer = signer_of(self.tenant, path)
                validator = RequestValidator(signer.auth_token)
                return {HEADER: validator.compute_signature(url, form)}
        return {}


def signer_of(tenant: Tenant, path: str):
    """Whose secret the tenant has for this path: a test line's, or the account's."""
    line = tenant.row(TestLine)
    if line.webhook_token in path:
        return line
    return tenant.row(Phone).carrier_account


def carrier_form(tenant: Tenant, path: str) -> dict[str, str]:
    """What the carrier would send about the tenant's call."""
    call = tenant.row(Call)
    return {
        "AccountSid": signer_of(tenant, path).account_sid,
        "CallSid": call.sid,
        "CallStatus": "in-progress",
        "From": call.from_number,
        "To": tenant.row(Phone).number,
    }


def _session_of(tenant: Tenant) -> dict[str, str]:
    """What a session holds after a log-in."""
    return {
        SESSION_KEY: str(tenant.user.pk),
        BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        HASH_SESSION_KEY: tenant.user.get_session_auth_hash(),
    }


def _new_session():
    return import_module(settings.SESSION_ENGINE).SessionStore()


def _encoded(route: Route, way: Way, sent: Sent) -> tuple[str, str]:
    if route.kind in {Kind.API, Kind.PUBLIC}:
        return (json.dumps(sent.body) if sent.body else ""), "application/json"
    return urlencode(sent.body, doseq=True), "application/x-www-form-urlencoded"


def _text(response) -> str:
    content = b"".join(response) if response.streaming else response.content
    return content.decode("utf-8", "replace")


@contextlib.contextmanager
def _rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextlib.contextmanager
def noting_writes() -> Iterator[list[str]]:
    """The tables that statements in the `with` have changed, or tried to.

    Views know no transaction around them: a statement of theirs that fails, such as
    the later one of two deliveries, must not break what they do next. So each write
    outside of a transaction of their own has a savepoint.
    """
    tables: list[str] = []
    depth = len(connection.savepoint_ids)

    def note(execute, sql, params, many, context):
        is_alone = len(connection.savepoint_ids) == depth
        if is_alone:
            transaction.set_rollback(False)
        found = WRITE.match(sql)
        if found is None:
            return execute(sql, params, many, context)
        tables.append(found[2])
        if not is_alone:
            return execute(sql, params, many, context)
        savepoint = transaction.savepoint()
        try:
            done = execute(sql, params, many, context)
        except DatabaseError:
            transaction.savepoint_rollback(savepoint)
            raise
        transaction.savepoint_commit(savepoint)
        return done

    with connection.execute_wrapper(note):
        yield tables
