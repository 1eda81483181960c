"""Walk every route as a stranger who knows all of somebody else's identifiers.

A route passes when the stranger is told exactly what is told of things that never
existed, sees none of the owner's words, and changes nothing.
"""

import re
import uuid
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from accounts.models import AccessToken, KeptAnswer
from accounts.tenancy import OwnedModel
from agents.models import Prompt, PromptVersion, VoiceAgent
from telephony.models import (
    Call,
    CallEvent,
    CarrierAccount,
    Phone,
    TestLine,
    Turn,
)
from tests.people import Tenant

MARK = "Xylophone-Quarantine"
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Not about rows of a workspace: sign-in pages of allauth and the operators' admin (both
# have walls of their own, tested with them), and the probes.
ELSEWHERE = ("account/", "admin/", "static/", "livez", "readyz")


@dataclass(frozen=True)
class Address:
    """A route: its template and the names of what is filled in."""

    template: str
    parameters: tuple[str, ...]

    def fill(self, values: dict[str, str]) -> str:
        path = self.template
        for name in self.parameters:
            path = re.sub(rf"<(?:\w+:)?{name}>", values[name], path)
        return "/" + path


def addresses(urlconf=None) -> list[Address]:
    """Every route of the project, the included ones spelled out."""
    found = _walk(get_resolver(urlconf).url_patterns, "")
    return [Address(path, _parameters(path)) for path in found if _is_ours(path)]


def _walk(patterns, prefix):
    for entry in patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, path)
        elif isinstance(entry, URLPattern):
            yield path


def _is_ours(path: str) -> bool:
    return not path.startswith((*ELSEWHERE, "^"))


def _parameters(path: str) -> tuple[str, ...]:
    return tuple(re.findall(r"<(?:\w+:)?(\w+)>", path))


def furnish(tenant: Tenant) -> list[OwnedModel]:
    """One row of every owned model, its texts marked."""
    owner, name = tenant.workspace, f"{MARK} of {tenant.user.get_short_name()}"
    digits = f"{uuid.uuid4().int % 10**7:07}"
    rows = []

    def make(model, **fields):
        rows.append(model.unscoped.create(owner=owner, **fields))
        return rows[-1]

    account = make(
        CarrierAccount,
        label=name,
        account_sid=f"AC{uuid.uuid4().hex}",
        auth_token=uuid.uuid4().hex,
    )
    phone = make(
        Phone,
        carrier_account=account,
        number=f"+1415{digits}",
        label=name,
        carrier_sid=f"PN{uuid.uuid4().hex}",
    )
    prompt = make(Prompt, name=name, text=name)
    make(PromptVersion, prompt=prompt, number=1, text=name, note=name)
    agent = make(VoiceAgent, name=name, phone=phone, prompt=prompt, is_active=True)
    line = make(
        TestLine, agent=agent, account_sid=f"AC{uuid.uuid4().hex}", auth_token=MARK
    )
    call = make(
        Call,
        phone=phone,
        agent=agent,
        carrier_account=account,
        test_line=line,
        sid=f"CA{uuid.uuid4().hex}",
        direction=Call.Direction.INCOMING,
        status=Call.Status.IN_PROGRESS,
        from_number=f"+1628{digits}",
        to_number=phone.number,
    )
    now = timezone.now()
    make(Turn, call=call, number=1, speaker="caller", text=name, at=now, at_ms=0)
    make(CallEvent, call=call, status="ringing", detail=name, at=now, sequence=0)
    make(
        AccessToken,
        user=tenant.user,
        kind=AccessToken.Kind.API_KEY,
        name=name,
        prefix="vo_x",
        digest=uuid.uuid4().hex,
    )
    make(
        AccessToken,
        user=tenant.user,
        kind=AccessToken.Kind.LOGIN,
        prefix="vo_y",
        digest=uuid.uuid4().hex,
    )
    make(KeptAnswer, key=name, fingerprint="0" * 64, claimed_at=now, body=name)
    return rows


def identifiers(rows: list[OwnedModel]) -> list[str]:
    """Everything that could stand in a path for one of the rows."""
    names = ("pk", "webhook_token", "relay_token", "sid", "account_sid")
    found = (
        str(getattr(row, name)) for row in rows for name in names if hasattr(row, name)
    )
    return list(dict.fromkeys(found))


def fillings(address: Address, ids: list[str]) -> list[dict[str, str]]:
    """Every way to fill the address: each id for the object, 1 for a number."""
    is_number = {
        name: f"<int:{name}>" in address.template for name in address.parameters
    }
    wants_uuid = "<uuid:" in address.template
    return [
        {name: "1" if is_number[name] else id_ for name in address.parameters}
        for id_ in ids
        if not wants_uuid or _is_uuid(id_)
    ]


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def leaks(address: Address, owner: Tenant, stranger: Tenant, rows) -> list[str]:
    """What a stranger learns or changes at this address; empty when the wall holds."""
    before = snapshot(owner)
    found = []
    for verb in VERBS:
        if address.parameters:
            found += _leaks_by_path(address, verb, stranger, rows)
        else:
            found += _leaks_by_content(address, verb, stranger, rows)
    if snapshot(owner) != before:
        found.append(f"{address.template}: changed the owner's rows")
    return found


def _leaks_by_path(address, verb, stranger, rows) -> list[str]:
    """Somebody's id must be answered as an id that never existed."""
    found = []
    ids = identifiers(rows)
    unknown_ids = [_like(id_) for id_ in ids]
    known = fillings(address, ids)
    unknown = fillings(address, unknown_ids)
    for mine, nobodys in zip(known, unknown, strict=True):
        told = _ask(stranger, verb, address.fill(mine))
        expected = _ask(stranger, verb, address.fill(nobodys))
        where = f"{verb} {address.template}"
        if told.status_code >= 500 or 200 <= told.status_code < 400:
            found.append(f"{where}: {told.status_code}")
        if told.status_code != expected.status_code:
            found.append(f"{where}: {told.status_code}, not {expected.status_code}")
        if _plain(told, mine) != _plain(expected, nobodys):
            found.append(f"{where}: another body than for an unknown id")
    return found


def _leaks_by_content(address, verb, stranger, rows) -> list[str]:
    """Lists and forms show nothing of the owner's, and take none of the ids."""
    ids = {f"{row._meta.model_name}_id": str(row.pk) for row in rows}
    aliases = {
        "phone_id": ids["phone_id"],
        "phone": ids["phone_id"],
        "prompt_id": ids["prompt_id"],
        "prompt": ids["prompt_id"],
        "agent_id": ids["voiceagent_id"],
        "agent": ids["voiceagent_id"],
        "carrier_account_id": ids["carrieraccount_id"],
        "carrier_account": ids["carrieraccount_id"],
    }
    path = address.fill({})
    query = "&".join(f"{name}={value}" for name, value in aliases.items())
    body = {"name": "A name", "text": "A text", **aliases}
    answers = [
        _ask(stranger, verb, path, body),
        _ask(stranger, verb, f"{path}?{query}"),
    ]
    if verb == "GET":
        answers += [
            _ask(stranger, verb, f"{path}?{name}={value}")
            for name, value in aliases.items()
        ]
        answers.append(_ask(stranger, verb, path))
    found = []
    for answer in answers:
        told = _text(answer)
        if answer.status_code >= 500:
            found.append(f"{verb} {address.template}: {answer.status_code}")
        if MARK in told:
            found.append(f"{verb} {address.template}: shows the owner's words")
    return found


def _ask(stranger: Tenant, verb: str, path: str, body=None):
    if path.startswith(("/api/", "/auth/", "/agents")):
        # A log-out would end the walk: ask with a token of its own each time.
        return stranger.api(verb, path, body)
    return stranger.client.generic(verb, path)


def _like(id_: str) -> str:
    """An identifier of the same shape that nothing has."""
    if _is_uuid(id_):
        return str(uuid.uuid4())
    return id_[:2] + uuid.uuid4().hex[: max(len(id_) - 2, 0)].ljust(len(id_) - 2, "x")


def _text(answer) -> str:
    if getattr(answer, "streaming", False):
        return b"".join(answer.streaming_content).decode("utf-8", "replace")
    return answer.content.decode("utf-8", "replace")


def _plain(answer, filled: dict[str, str]) -> str:
    """The body without what differs between any two requests."""
    text = re.sub(r'(csrf[^"]*"[^"]*")[^"]*"', r"\1", _text(answer))
    text = re.sub(r'value="[A-Za-z0-9]{64}"', "", text)
    text = re.sub(r'"X-CSRFToken[^}]*', "", text)
    for value in filled.values():
        text = text.replace(value, "the id")
    return text


def snapshot(tenant: Tenant) -> dict[str, list]:
    """Every column of every owned row of a tenant, and how many others point at it."""
    return {
        model.__name__: sorted(
            map(repr, model.unscoped.filter(owner=tenant.workspace).values())
        )
        for model in owned_models()
    }


def owned_models() -> list[type[OwnedModel]]:
    return [model for model in _subclasses(OwnedModel) if not model._meta.abstract]


def _subclasses(model):
    for subclass in model.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
